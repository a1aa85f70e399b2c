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

}  // namespace ring3::prog
