#include "sign/signature.h"

#include <openssl/objects.h>
#include <openssl/pem.h>

#include <algorithm>
#include <climits>

#include "base/try.h"
#include "sign/openssl_owned.h"

namespace ring3::sign {
namespace {

std::vector<std::byte> joined(std::span<const Bytes> parts) {
  std::size_t total = 0;
  for (const Bytes part : parts) total += part.size();
  std::vector<std::byte> all;
  all.reserve(total);
  for (const Bytes part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Errno failure(Errno otherwise) { return ErrorScope::out_of_memory() ? Errno::kNoMem : otherwise; }

/// The message, if it is a detached signature over plain data.
Result<OwnedMessage> parse(Bytes signature) {
  const auto* at = reinterpret_cast<const unsigned char*>(signature.data());
  const unsigned char* const end = at + signature.size();
  OwnedMessage message(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(signature.size())));
  if (message == nullptr) return failure(Errno::kBadMsg);
  if (at != end || OBJ_obj2nid(CMS_get0_type(message.get())) != NID_pkcs7_signed) return Errno::kBadMsg;
  const STACK_OF(CMS_SignerInfo)* signers = CMS_get0_SignerInfos(message.get());
  if (CMS_is_detached(message.get()) != 1 || sk_CMS_SignerInfo_num(signers) <= 0) return Errno::kBadMsg;
  if (OBJ_obj2nid(CMS_get0_eContentType(message.get())) != NID_pkcs7_data) return Errno::kKeyRejected;
  return message;
}

bool is_strong(CMS_SignerInfo* signer) {
  X509_ALGOR* digest = nullptr;
  CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &digest, nullptr);
  const ASN1_OBJECT* name = nullptr;
  X509_ALGOR_get0(&name, nullptr, nullptr, digest);
  constexpr int kStrong[] = {NID_sha256, NID_sha384, NID_sha512, NID_sha3_256, NID_sha3_384, NID_sha3_512};
  return std::find(std::begin(kStrong), std::end(kStrong), OBJ_obj2nid(name)) != std::end(kStrong);
}

/// Is there a way from it to a certificate of the ring?
bool hangs_on(X509* certificate, STACK_OF(X509) * brought, const Ring& ring) {
  const OwnedStore store(X509_STORE_new());
  const OwnedWalk walk(X509_STORE_CTX_new());
  if (store == nullptr || walk == nullptr) return false;
  for (const Certificate& trusted : ring.certificates)
    if (X509_STORE_add_cert(store.get(), trusted.get()) != 1) return false;
  if (X509_STORE_CTX_init(walk.get(), store.get(), certificate, brought) != 1) return false;
  X509_STORE_CTX_set_flags(walk.get(), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME);
  return X509_verify_cert(walk.get()) == 1;
}

/// The certificate of this signer, if it is trusted; null: it is not.
Result<OwnedCertificate> trusted_certificate(CMS_ContentInfo* message, CMS_SignerInfo* signer, const Ring& ring) {
  for (const Certificate& certificate : ring.certificates) {
    if (CMS_SignerInfo_cert_cmp(signer, certificate.get()) != 0) continue;
    X509_up_ref(certificate.get());
    return OwnedCertificate(certificate.get());
  }
  const OwnedCertificates brought(CMS_get1_certs(message));
  for (int i = 0; i < sk_X509_num(brought.get()); ++i) {
    X509* const certificate = sk_X509_value(brought.get(), i);
    if (CMS_SignerInfo_cert_cmp(signer, certificate) != 0 || !hangs_on(certificate, brought.get(), ring)) continue;
    X509_up_ref(certificate);
    return OwnedCertificate(certificate);
  }
  return OwnedCertificate();
}

Result<Signer> describe(X509* certificate) {
  unsigned char* der = nullptr;
  const int bytes = i2d_X509(certificate, &der);
  if (bytes <= 0) return Errno::kNoMem;
  const Result<Certificate> same = Certificate::parse({reinterpret_cast<const char*>(der), static_cast<std::size_t>(bytes)});
  OPENSSL_free(der);
  if (!same.ok()) return same.error();
  return Signer{same->subject(), same->fingerprint()};
}

/// The digests of the content, by every algorithm that the message names.
Result<OwnedBio> digest(CMS_ContentInfo* message, const std::vector<std::byte>& content) {
  // No bytes at all are content as well; BIO_new_mem_buf() takes no null.
  static constexpr char kNothing[1] = {};
  OwnedBio source(BIO_new_mem_buf(content.empty() ? kNothing : static_cast<const void*>(content.data()), static_cast<int>(content.size())));
  if (source == nullptr) return Errno::kNoMem;
  OwnedBio chain(CMS_dataInit(message, source.get()));
  if (chain == nullptr) return failure(Errno::kBadMsg);
  (void)source.release();  // the end of the chain now
  char scratch[4096];
  while (BIO_read(chain.get(), scratch, sizeof scratch) > 0) {}
  return chain;
}

}  // namespace

Result<Signer> verify(Bytes signature, std::span<const Bytes> content, const Ring& ring) {
  const ErrorScope errors;
  const OwnedMessage message = RING3_TRY(parse(signature));
  const std::vector<std::byte> all = joined(content);
  if (all.size() > INT_MAX) return Errno::kTooBig;
  OwnedBio digested;
  OwnedCertificate by;
  STACK_OF(CMS_SignerInfo)* signers = CMS_get0_SignerInfos(message.get());
  for (int i = 0; i < sk_CMS_SignerInfo_num(signers); ++i) {
    CMS_SignerInfo* const signer = sk_CMS_SignerInfo_value(signers, i);
    OwnedCertificate certificate = RING3_TRY(trusted_certificate(message.get(), signer, ring));
    if (certificate == nullptr) continue;
    if (!is_strong(signer)) return Errno::kBadMsg;
    CMS_SignerInfo_set1_signer_cert(signer, certificate.get());
    if (digested == nullptr) digested = RING3_TRY(digest(message.get(), all));
    // With attributes the signature is over them, and they name the content's digest.
    const bool has_attributes = CMS_signed_get_attr_count(signer) >= 0;
    if (has_attributes && CMS_SignerInfo_verify(signer) != 1) return failure(Errno::kKeyRejected);
    if (CMS_SignerInfo_verify_content(signer, digested.get()) != 1) return failure(Errno::kKeyRejected);
    by = std::move(certificate);
  }
  if (by == nullptr) return Errno::kNoKey;
  return describe(by.get());
}

Result<std::vector<std::byte>> make_signature(std::span<const Bytes> content, std::string_view key, std::string_view certificate,
                                              TextSink& log) {
  const ErrorScope errors;
  const auto fail = [&](Errno e, std::string_view text) {
    log.write(text);
    return failure(e);
  };
  const Result<Certificate> signer = Certificate::parse(certificate);
  if (!signer.ok()) return fail(signer.error(), "the certificate cannot be read");
  const OwnedBio key_text(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())));
  // No callback: a key with a passphrase is not asked for on some terminal.
  constexpr auto kNoPassphrase = [](char*, int, int, void*) { return -1; };
  const OwnedKey pkey(key_text != nullptr ? PEM_read_bio_PrivateKey(key_text.get(), nullptr, kNoPassphrase, nullptr) : nullptr);
  if (pkey == nullptr) return fail(Errno::kBadMsg, "the private key cannot be read: it is PEM, without a passphrase");
  if (X509_check_private_key(signer->get(), pkey.get()) != 1) return fail(Errno::kKeyRejected, "the certificate is of another key");
  const std::vector<std::byte> all = joined(content);
  if (all.size() > INT_MAX) return fail(Errno::kTooBig, "too much to sign");
  static constexpr char kNothing[1] = {};
  const OwnedBio source(BIO_new_mem_buf(all.empty() ? kNothing : static_cast<const void*>(all.data()), static_cast<int>(all.size())));
  constexpr unsigned kFlags = CMS_BINARY | CMS_DETACHED | CMS_STREAM | CMS_NOCERTS | CMS_NOSMIMECAP | CMS_NOATTR;
  const bool has_id = X509_get0_subject_key_id(signer->get()) != nullptr;
  const OwnedMessage message(source != nullptr ? CMS_sign(nullptr, nullptr, nullptr, source.get(), kFlags & ~unsigned{CMS_NOATTR}) : nullptr);
  if (message == nullptr ||
      CMS_add1_signer(message.get(), signer->get(), pkey.get(), EVP_sha256(), kFlags | (has_id ? CMS_USE_KEYID : 0u)) == nullptr ||
      CMS_final(message.get(), source.get(), nullptr, kFlags) != 1)
    return fail(Errno::kKeyRejected, "the key cannot sign");
  unsigned char* der = nullptr;
  const int bytes = i2d_CMS_ContentInfo(message.get(), &der);
  if (bytes <= 0) return fail(Errno::kNoMem, "out of memory");
  const auto* first = reinterpret_cast<const std::byte*>(der);
  std::vector<std::byte> signature(first, first + bytes);
  OPENSSL_free(der);
  return signature;
}

}  // namespace ring3::sign
