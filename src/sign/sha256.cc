#include "sign/sha256.h"

#include <openssl/evp.h>

#include <memory>

namespace ring3::sign {
namespace {

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

}  // namespace

Result<Sha256> sha256(std::span<const Bytes> parts) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return Errno::kNoMem;
  for (const Bytes part : parts)
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return Errno::kNoMem;
  Sha256 digest;
  if (EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) return Errno::kNoMem;
  return digest;
}

Result<Sha256> sha256(Bytes bytes) { return sha256({&bytes, 1}); }

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace ring3::sign
