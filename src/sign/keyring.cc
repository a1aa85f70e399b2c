#include "sign/keyring.h"

#include <openssl/pem.h>

#include <algorithm>
#include <climits>

#include "base/try.h"
#include "sign/openssl_owned.h"
#include "sign/sha256.h"

namespace ring3::sign {
namespace {

OwnedCertificate parse_der(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* const end = at + text.size();
  OwnedCertificate x509(d2i_X509(nullptr, &at, static_cast<long>(text.size())));
  if (at != end) x509.reset();
  return x509;
}

OwnedCertificate parse_pem(std::string_view text) {
  const OwnedBio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  return OwnedCertificate(bio != nullptr ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

std::string subject_of(X509* x509) {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || X509_NAME_print_ex(bio.get(), X509_get_subject_name(x509), 0, XN_FLAG_ONELINE) < 0) return {};
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &text);
  return bytes > 0 ? std::string(text, static_cast<std::size_t>(bytes)) : std::string();
}

Result<Ring> make_ring(const Keyring& wanted, TextSink& log) {
  Ring ring{.id = wanted.id, .name = wanted.name, .certificates = {}};
  for (std::size_t i = 0; i < wanted.certificates.size(); ++i) {
    Result<Certificate> certificate = Certificate::parse(wanted.certificates[i]);
    if (!certificate.ok()) {
      log.write("keyring " + wanted.name + ": entry " + std::to_string(i) + " is no X.509 certificate");
      return certificate.error();
    }
    ring.certificates.push_back(std::move(certificate).value());
  }
  return ring;
}

constexpr struct {
  std::int32_t id;
  const char* name;
} kSystemRings[] = {{kBuiltinRing, "builtin"}, {kSecondaryRing, "secondary"}, {kPlatformRing, "platform"}};

}  // namespace

Result<Certificate> Certificate::parse(std::string_view text) {
  const ErrorScope errors;
  if (text.size() > INT_MAX) return Errno::kBadMsg;
  OwnedCertificate x509 = text.find("-----BEGIN") != std::string_view::npos ? parse_pem(text) : parse_der(text);
  if (x509 == nullptr) return ErrorScope::out_of_memory() ? Errno::kNoMem : Errno::kBadMsg;
  Certificate certificate;
  certificate.subject_ = subject_of(x509.get());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  if (X509_digest(x509.get(), EVP_sha256(), digest, &bytes) != 1) return Errno::kNoMem;
  certificate.fingerprint_ = hex({digest, bytes});
  certificate.x509_ = std::shared_ptr<X509>(x509.release(), X509_free);
  return certificate;
}

Result<Keyrings> Keyrings::make(std::span<const Keyring> wanted, TextSink& log) {
  Keyrings made;
  for (const auto& [id, name] : kSystemRings) made.rings_.push_back({.id = id, .name = name, .certificates = {}});
  for (const Keyring& keyring : wanted) {
    Ring ring = RING3_TRY(make_ring(keyring, log));
    const auto same = std::find_if(made.rings_.begin(), made.rings_.end(), [&](const Ring& r) { return r.id == ring.id; });
    const bool of_system = ring.id >= kBuiltinRing && ring.id <= kPlatformRing;
    if (of_system ? !same->certificates.empty() : (same != made.rings_.end() || ring.name.empty())) {
      log.write("keyring " + std::to_string(ring.id) + (ring.name.empty() ? " has no name" : " is named twice"));
      return Errno::kInval;
    }
    if (!of_system) made.rings_.push_back(std::move(ring));
    else same->certificates = std::move(ring.certificates);
  }
  std::vector<Certificate>& secondary = std::next(made.rings_.begin(), kSecondaryRing)->certificates;
  const std::vector<Certificate>& builtin = made.rings_.front().certificates;
  secondary.insert(secondary.end(), builtin.begin(), builtin.end());
  return made;
}

const Ring* Keyrings::find(std::int32_t id) const {
  const auto at = std::find_if(rings_.begin(), rings_.end(), [&](const Ring& ring) { return ring.id == id; });
  return at != rings_.end() ? &*at : nullptr;
}

}  // namespace ring3::sign

namespace ring3 {

std::string_view verdict_name(Provenance::Verdict verdict) {
  switch (verdict) {
    case Provenance::Verdict::kUnsigned: return "unsigned";
    case Provenance::Verdict::kVerified: return "verified";
    case Provenance::Verdict::kLoader: return "by loader";
    case Provenance::Verdict::kHost: return "host";
  }
  return "?";
}

}  // namespace ring3
