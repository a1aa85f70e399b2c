#include "prog/tag.h"

#include <openssl/evp.h>

#include <algorithm>
#include <vector>

namespace ring3::prog {
namespace {

/// Only the descriptor forms; indices into fd_array are stable numbers.
bool names_map_by_fd(const isa::Insn& insn) {
  return insn.op == isa::Op::kLdImm64 &&
         (insn.pseudo() == isa::Pseudo::kMapFd || insn.pseudo() == isa::Pseudo::kMapValue);
}

}  // namespace

ProgramTag program_tag(std::span<const isa::RawInsn> raw, std::span<const isa::Insn> decoded) {
  std::vector<isa::RawInsn> text(raw.begin(), raw.end());
  for (std::size_t idx = 0; idx + 1 < text.size() && idx < decoded.size(); ++idx) {
    if (!names_map_by_fd(decoded[idx])) continue;
    text[idx].imm = 0;
    text[idx + 1].imm = 0;
  }
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_bytes = 0;
  ProgramTag tag{};
  if (EVP_Digest(text.data(), text.size() * sizeof(isa::RawInsn), digest, &digest_bytes, EVP_sha1(), nullptr) == 1)
    std::copy_n(digest, tag.size(), tag.begin());
  return tag;
}

Result<sign::Sha256> program_digest(std::span<const isa::RawInsn> raw) {
  constexpr std::uint8_t kWide = 0x18;
  std::vector<isa::RawInsn> text(raw.begin(), raw.end());
  for (std::size_t idx = 0; idx < text.size(); ++idx) {
    isa::RawInsn& insn = text[idx];
    const auto pseudo = static_cast<isa::Pseudo>(insn.src);
    if (insn.code != kWide || (pseudo != isa::Pseudo::kMapFd && pseudo != isa::Pseudo::kMapValue)) continue;
    insn.imm = 0;
    if (idx + 1 < text.size()) text[++idx].imm = 0;
  }
  return sign::sha256(std::as_bytes(std::span(text)));
}

}  // namespace ring3::prog
