// Keyrings: the certificates a host trusts, in rings that a load names by number (behaviour.md E.6.1). Immutable.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>

#include "base/text_sink.h"
#include "ring3/result.h"
#include "ring3/signing.h"

struct x509_st;

namespace ring3::sign {

/// An X.509 certificate; copies share it.
class Certificate {
 public:
  /// text: DER, or PEM with one certificate. Errors: kBadMsg neither; kNoMem.
  static Result<Certificate> parse(std::string_view text);

  x509_st* get() const { return x509_.get(); }
  /// "CN = release, O = Example".
  const std::string& subject() const { return subject_; }
  /// SHA-256 of the DER form, 64 hexadecimal digits.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  std::shared_ptr<x509_st> x509_;
  std::string subject_, fingerprint_;
};

struct Ring {
  std::int32_t id = 0;
  std::string name;
  std::vector<Certificate> certificates;
};

class Keyrings {
 public:
  /// The three rings of the system exist whatever the host names, and may be empty; who trusts the secondary one trusts the builtin one's keys too.
  /// Errors, explained: kBadMsg a certificate that is none; kInval two rings of one number, a ring without a name; kNoMem.
  static Result<Keyrings> make(std::span<const Keyring> wanted, TextSink& log);

  /// Null: no such ring.
  const Ring* find(std::int32_t id) const;

 private:
  std::list<Ring> rings_;
};

}  // namespace ring3::sign
