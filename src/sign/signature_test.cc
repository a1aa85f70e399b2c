#include "sign/signature.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/test_key.h"

namespace ring3::sign {
namespace {

using test::make_test_key;
using test::TestKey;

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

class Signatures : public ::testing::Test {
 protected:
  Ring ring_of(std::initializer_list<const TestKey*> keys) {
    Ring ring{.id = 7, .name = "test", .certificates = {}};
    for (const TestKey* key : keys) ring.certificates.push_back(Certificate::parse(key->certificate).value());
    return ring;
  }
  std::vector<std::byte> sign(const TestKey& key, std::string_view content) {
    const Bytes part = bytes_of(content);
    StringSink log;
    Result<std::vector<std::byte>> made = make_signature({&part, 1}, key.key, key.certificate, log);
    EXPECT_TRUE(made.ok()) << log.text();
    return made.ok() ? std::move(made).value() : std::vector<std::byte>();
  }
  static Errno check(Bytes signature, std::string_view content, const Ring& ring) {
    const Bytes part = bytes_of(content);
    const Result<Signer> signer = verify(signature, {&part, 1}, ring);
    return signer.ok() ? Errno{} : signer.error();
  }
  /// A message with what the command line and other tools put in: certificates, attributes, another digest.
  std::vector<std::byte> sign_with(const TestKey& key, std::string_view content, unsigned flags, const EVP_MD* digest,
                                   std::initializer_list<const TestKey*> brought = {}) {
    const OwnedBio source(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
    const OwnedMessage message(CMS_sign(nullptr, nullptr, nullptr, source.get(), CMS_BINARY | CMS_STREAM | (flags & CMS_DETACHED)));
    EXPECT_NE(CMS_add1_signer(message.get(), key.x509.get(), key.pkey.get(), digest, flags | CMS_BINARY), nullptr);
    for (const TestKey* certificate : brought) EXPECT_EQ(CMS_add1_cert(message.get(), certificate->x509.get()), 1);
    EXPECT_EQ(CMS_final(message.get(), source.get(), nullptr, CMS_BINARY | (flags & CMS_DETACHED)), 1);
    unsigned char* der = nullptr;
    const int bytes = i2d_CMS_ContentInfo(message.get(), &der);
    const auto* first = reinterpret_cast<const std::byte*>(der);
    std::vector<std::byte> out(first, first + bytes);
    OPENSSL_free(der);
    return out;
  }

  const TestKey release_ = make_test_key("release"), other_ = make_test_key("other");
  const Ring ring_ = ring_of({&release_});
};

TEST_F(Signatures, TheSignerIsNamed) {
  const Bytes parts[] = {bytes_of("instructions"), bytes_of(""), bytes_of("data")};
  StringSink log;
  const std::vector<std::byte> signature = make_signature(parts, release_.key, release_.certificate, log).value();
  const Signer signer = verify(signature, parts, ring_).value();
  EXPECT_EQ(signer.subject, "CN = release");
  EXPECT_EQ(signer.fingerprint, ring_.certificates[0].fingerprint());
  EXPECT_EQ(signer.fingerprint.size(), 64u);
  EXPECT_EQ(check(signature, "instructionsdata", ring_), Errno{}) << "where one part ends is not signed";
  EXPECT_EQ(check(sign(release_, ""), "", ring_), Errno{});
}

TEST_F(Signatures, OtherBytesAndOtherKeysAreRefused) {
  const std::vector<std::byte> signature = sign(release_, "content");
  EXPECT_EQ(check(signature, "Content", ring_), Errno::kKeyRejected);
  EXPECT_EQ(check(signature, "content ", ring_), Errno::kKeyRejected);
  EXPECT_EQ(check(signature, "", ring_), Errno::kKeyRejected);
  EXPECT_EQ(check(signature, "content", ring_of({})), Errno::kNoKey);
  EXPECT_EQ(check(signature, "content", ring_of({&other_})), Errno::kNoKey);
  EXPECT_EQ(check(signature, "content", ring_of({&other_, &release_})), Errno{});
  EXPECT_EQ(check(sign(other_, "content"), "content", ring_), Errno::kNoKey);
}

TEST_F(Signatures, WhatOtherToolsPutInIsRead) {
  constexpr unsigned kDetached = CMS_DETACHED;
  EXPECT_EQ(check(sign_with(release_, "content", kDetached, EVP_sha256()), "content", ring_), Errno{}) << "attributes and certificate";
  EXPECT_EQ(check(sign_with(release_, "content", kDetached, EVP_sha256()), "other", ring_), Errno::kKeyRejected);
  EXPECT_EQ(check(sign_with(release_, "content", kDetached | CMS_NOATTR | CMS_NOCERTS, EVP_sha512()), "content", ring_), Errno{});
  EXPECT_EQ(check(sign_with(release_, "content", 0, EVP_sha256()), "content", ring_), Errno::kBadMsg) << "the content is in the message";
  EXPECT_EQ(check(sign_with(release_, "content", kDetached, EVP_sha1()), "content", ring_), Errno::kBadMsg) << "nobody trusts SHA-1";
}

TEST_F(Signatures, ACertificateInTheMessageHangsOnOneOfTheRing) {
  const TestKey below = make_test_key("below", &release_), last = make_test_key("last", &below);
  constexpr unsigned kDetached = CMS_DETACHED;
  EXPECT_EQ(check(sign_with(below, "content", kDetached, EVP_sha256()), "content", ring_), Errno{});
  EXPECT_EQ(check(sign_with(last, "content", kDetached, EVP_sha256(), {&below}), "content", ring_), Errno{});
  EXPECT_EQ(check(sign_with(last, "content", kDetached, EVP_sha256()), "content", ring_), Errno::kNoKey) << "a link is missing";
  EXPECT_EQ(check(sign_with(below, "content", kDetached | CMS_NOCERTS, EVP_sha256()), "content", ring_), Errno::kNoKey);
  EXPECT_EQ(check(sign_with(other_, "content", kDetached, EVP_sha256(), {&release_}), "content", ring_), Errno::kNoKey);
}

/// Of several signers one has to be trusted, and whoever is trusted must have signed these bytes.
TEST_F(Signatures, SeveralSigners) {
  const auto both = [&](const TestKey& a, const TestKey& b) {
    const OwnedBio source(BIO_new_mem_buf("content", 7));
    const OwnedMessage message(CMS_sign(nullptr, nullptr, nullptr, source.get(), CMS_BINARY | CMS_STREAM | CMS_DETACHED));
    for (const TestKey* key : {&a, &b}) CMS_add1_signer(message.get(), key->x509.get(), key->pkey.get(), EVP_sha256(), CMS_BINARY);
    CMS_final(message.get(), source.get(), nullptr, CMS_BINARY | CMS_DETACHED);
    unsigned char* der = nullptr;
    const int bytes = i2d_CMS_ContentInfo(message.get(), &der);
    const auto* first = reinterpret_cast<const std::byte*>(der);
    std::vector<std::byte> out(first, first + bytes);
    OPENSSL_free(der);
    return out;
  };
  const std::vector<std::byte> signature = both(other_, release_);
  EXPECT_EQ(check(signature, "content", ring_), Errno{});
  EXPECT_EQ(check(signature, "content", ring_of({&release_, &other_})), Errno{});
  EXPECT_EQ(check(signature, "Content", ring_), Errno::kKeyRejected);
  EXPECT_EQ(check(signature, "content", ring_of({})), Errno::kNoKey);
}

TEST_F(Signatures, MalformedOnesAreBadMessages) {
  const std::vector<std::byte> signature = sign(release_, "content");
  for (std::size_t bytes = 0; bytes < signature.size(); ++bytes)
    EXPECT_EQ(check(Bytes(signature).first(bytes), "content", ring_), Errno::kBadMsg) << bytes;
  std::vector<std::byte> longer = signature;
  longer.push_back(std::byte{0});
  EXPECT_EQ(check(longer, "content", ring_), Errno::kBadMsg);
  EXPECT_EQ(check(bytes_of("no signature at all"), "content", ring_), Errno::kBadMsg);
}

/// Bytes changed, put in, taken out and moved, in messages of several shapes: always one of the errors, or, where the change means nothing, still good.
TEST_F(Signatures, MutatedOnesAreErrorsOnly) {
  std::mt19937 random(20'261'122);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  const std::vector<std::vector<std::byte>> seeds = {
      sign(release_, "content"), sign_with(release_, "content", CMS_DETACHED, EVP_sha256()),
      sign_with(make_test_key("below", &release_), "content", CMS_DETACHED, EVP_sha384(), {&other_})};
  int good = 0, rejected = 0, malformed = 0, unknown = 0;
  for (int round = 0; round < 1500; ++round) {
    std::vector<std::byte> mutant = seeds[below(seeds.size())];
    for (std::size_t changes = 1 + below(3); changes > 0 && !mutant.empty(); --changes) {
      const std::size_t at = below(mutant.size());
      const auto place = mutant.begin() + static_cast<std::ptrdiff_t>(at);
      switch (below(4)) {
        case 0: mutant[at] = static_cast<std::byte>(random()); break;
        case 1: mutant[at] ^= static_cast<std::byte>(1u << below(8)); break;
        case 2: mutant.insert(place, static_cast<std::byte>(random())); break;
        default: mutant.erase(place, place + static_cast<std::ptrdiff_t>(1 + below(std::min<std::size_t>(8, mutant.size() - at)))); break;
      }
    }
    const Errno e = check(mutant, "content", ring_);
    if (e == Errno{}) ++good;
    else if (e == Errno::kKeyRejected) ++rejected;
    else if (e == Errno::kBadMsg) ++malformed;
    else if (e == Errno::kNoKey) ++unknown;
    else FAIL() << errno_name(e) << " in round " << round;
    EXPECT_NE(check(mutant, "another", ring_), Errno{}) << "round " << round;
  }
  EXPECT_GT(rejected, 0);
  EXPECT_GT(malformed, 0);
  EXPECT_GT(unknown, 0);
  EXPECT_LT(good, 500);
}

TEST_F(Signatures, TheHostsErrorsStayInItsQueue) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_USER, 77);
  EXPECT_EQ(check(bytes_of("nothing"), "content", ring_), Errno::kBadMsg);
  EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), 77);
  EXPECT_EQ(ERR_get_error(), 0u);
}

TEST_F(Signatures, KeysThatDoNotFitSignNothing) {
  const Bytes part = bytes_of("content");
  StringSink log;
  EXPECT_EQ(make_signature({&part, 1}, release_.key, other_.certificate, log).error(), Errno::kKeyRejected);
  EXPECT_EQ(make_signature({&part, 1}, "no key", release_.certificate, log).error(), Errno::kBadMsg);
  EXPECT_EQ(make_signature({&part, 1}, release_.key, "no certificate", log).error(), Errno::kBadMsg);
}

TEST_F(Signatures, RingsOfTheSystemAreThereAndOthersAreNamed) {
  StringSink log;
  const Keyrings none = Keyrings::make({}, log).value();
  for (const std::int32_t id : {kBuiltinRing, kSecondaryRing, kPlatformRing}) {
    ASSERT_NE(none.find(id), nullptr);
    EXPECT_TRUE(none.find(id)->certificates.empty());
  }
  EXPECT_EQ(none.find(3), nullptr);
  EXPECT_EQ(none.find(-3), nullptr);
  unsigned char* der = nullptr;
  const int bytes = i2d_X509(other_.x509.get(), &der);
  const std::string other_der(reinterpret_cast<const char*>(der), static_cast<std::size_t>(bytes));
  OPENSSL_free(der);
  const Keyring wanted[] = {{.id = kBuiltinRing, .name = "", .certificates = {release_.certificate}},
                            {.id = -3, .name = "session", .certificates = {other_der}}};
  const Keyrings some = Keyrings::make(wanted, log).value();
  EXPECT_EQ(some.find(kSecondaryRing)->certificates.size(), 1u) << "who trusts the secondary ring trusts the builtin one";
  EXPECT_EQ(some.find(kPlatformRing)->certificates.size(), 0u);
  EXPECT_EQ(some.find(-3)->certificates[0].subject(), "CN = other");
  const Keyring twice[] = {wanted[1], wanted[1]};
  EXPECT_EQ(Keyrings::make(twice, log).error(), Errno::kInval);
  const Keyring nameless[] = {{.id = 9, .name = "", .certificates = {}}};
  EXPECT_EQ(Keyrings::make(nameless, log).error(), Errno::kInval);
  const Keyring broken[] = {{.id = kBuiltinRing, .name = "", .certificates = {"no certificate"}}};
  EXPECT_EQ(Keyrings::make(broken, log).error(), Errno::kBadMsg);
}

TEST(Sha256Test, PartsAreOneText) {
  // FIPS 180-2, the example of one block.
  EXPECT_EQ(hex(sha256(bytes_of("abc")).value()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const Bytes parts[] = {bytes_of("a"), bytes_of(""), bytes_of("bc")};
  EXPECT_EQ(sha256(parts).value(), sha256(bytes_of("abc")).value());
}

}  // namespace
}  // namespace ring3::sign
