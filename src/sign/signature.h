// Detached PKCS#7 (CMS) signatures over bytes that lie in several places (behaviour.md E.6.2). Knows bytes and keys, nothing of bpf.
//
// A signature is good when one of its signers is a certificate of the ring, or hangs on one of the ring by certificates that the
// message brings along. As in Linux's keyrings a certificate's dates and uses are not looked at: it is trusted as long as it is in the ring.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "ring3/result.h"
#include "sign/keyring.h"
#include "sign/sha256.h"

namespace ring3::sign {

/// Who signed.
struct Signer {
  std::string subject;      // of the certificate
  std::string fingerprint;  // its SHA-256
};

/// signature: DER, hostile. content: the spans, one behind the other; copied.
/// Errors: kBadMsg no signature of this sort, or by a digest that is not trusted any more; kKeyRejected of other bytes, or broken; kNoKey none of its signers
/// is trusted; kNoMem.
Result<Signer> verify(Bytes signature, std::span<const Bytes> content, const Ring& ring);

/// What stands in a load: DER, without certificates and attributes, the signer named by the key's id where the certificate
/// has one, SHA-256. key: PEM; certificate: PEM or DER.
/// Errors, explained: kBadMsg key or certificate cannot be read, kKeyRejected they do not belong together, kNoMem.
Result<std::vector<std::byte>> make_signature(std::span<const Bytes> content, std::string_view key, std::string_view certificate,
                                              TextSink& log);

}  // namespace ring3::sign
