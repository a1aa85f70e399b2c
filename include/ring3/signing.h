#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ring3/errno.h"

namespace ring3 {

/// Rings that every runtime has, by the numbers that bpf(2) uses; any other number is a ring of the host's own.
inline constexpr std::int32_t kBuiltinRing = 0;
inline constexpr std::int32_t kSecondaryRing = 1;  ///< holds the builtin ring's certificates too
inline constexpr std::int32_t kPlatformRing = 2;

/// Certificates whose signatures are good. A runtime knows those its host gives it, and nothing of the machine's keyrings.
struct Keyring {
  std::int32_t id = 0;                    ///< what loads name (keyring_id); -3 answers for clients' session keyrings
  std::string name;                       ///< for people; the three of the system have theirs
  std::vector<std::string> certificates;  ///< X.509, each DER or PEM
};

/// What becomes of programs that nobody vouches for.
enum class LoadPolicy : std::uint8_t {
  kOff,      ///< they load
  kAudit,    ///< they load, and are recorded
  kEnforce,  ///< they are refused (kPerm), and recorded
};

/// What is known of where a program comes from. Kept with it.
struct Provenance {
  enum class Verdict : std::uint8_t {
    kUnsigned,
    kVerified,  ///< its instructions, and the maps it was loaded with, are signed
    kLoader,    ///< it was loaded by a program that is verified, while that ran
    kHost,      ///< the runtime's own
  };
  Verdict verdict = Verdict::kUnsigned;
  std::int32_t ring = 0;    ///< kVerified: the ring that the load named; kLoader: the loader's
  std::string ring_name;
  std::string signer;       ///< subject of the certificate
  std::string key;          ///< SHA-256 of the certificate, in hexadecimal

  /// Somebody vouches for it.
  bool trusted() const { return verdict != Verdict::kUnsigned; }
};
/// "unsigned", "verified", "by loader", "host".
std::string_view verdict_name(Provenance::Verdict verdict);

/// One decision about a program that a client wants to load. Strings are valid during the call.
struct LoadDecision {
  std::string_view program;     ///< its name, "" for none
  std::uint32_t type = 0;       ///< enum bpf_prog_type
  std::string_view digest;      ///< SHA-256 of its instructions, in hexadecimal, descriptors of maps left out
  const Provenance& provenance;
  std::uint32_t uid = 0;        ///< of the client
  std::int32_t pid = 0;
  LoadPolicy policy = LoadPolicy::kOff;
  Errno error{};                ///< 0: it may load, if it passes the verifier. kPerm: refused by the policy. kBadMsg, kKeyRejected, kNoKey: a bad signature
};

/// Told of every such decision, whatever the policy.
class LoadAuditor {
 public:
  /// On the client's thread, several clients' at once. Must not call back into the runtime.
  virtual void decided(const LoadDecision& decision) noexcept = 0;

 protected:
  ~LoadAuditor() = default;
};

/// RuntimeOptions::signing.
struct SigningOptions {
  std::vector<Keyring> keyrings = {};
  LoadPolicy policy = LoadPolicy::kOff;
  LoadAuditor* auditor = nullptr;  ///< outlives the runtime; null: none. Refusals are in the log as well, and what kAudit lets pass
};

}  // namespace ring3
