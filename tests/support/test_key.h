// Keys and certificates made on the spot. Whoever includes this links OpenSSL.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

#include "sign/openssl_owned.h"

namespace ring3::test {

struct TestKey {
  std::string key, certificate;  // PEM
  sign::OwnedKey pkey;
  sign::OwnedCertificate x509;
};

inline std::string text_of(BIO* bio) {
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(bytes)};
}

/// P-256, with a key id and the right to issue, for a hundred days. issuer: null, it signs itself.
inline TestKey make_test_key(const char* name, const TestKey* issuer = nullptr) {
  static long serial = 0;
  TestKey made;
  made.pkey.reset(EVP_EC_gen("P-256"));
  made.x509.reset(X509_new());
  X509* const x509 = made.x509.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x509), 0);
  X509_gmtime_adj(X509_getm_notAfter(x509), 100L * 24 * 3600);
  X509_set_pubkey(x509, made.pkey.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(x509, X509_get_subject_name(issuer != nullptr ? issuer->x509.get() : x509));
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer != nullptr ? issuer->x509.get() : x509, x509, nullptr, nullptr, 0);
  const auto extend = [&](int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, "critical,CA:TRUE");
  extend(NID_subject_key_identifier, "hash");
  X509_sign(x509, issuer != nullptr ? issuer->pkey.get() : made.pkey.get(), EVP_sha256());
  const sign::OwnedBio key(BIO_new(BIO_s_mem())), certificate(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key.get(), made.pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_X509(certificate.get(), x509);
  made.key = text_of(key.get());
  made.certificate = text_of(certificate.get());
  return made;
}

}  // namespace ring3::test
