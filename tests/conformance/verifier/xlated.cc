#include "xlated.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <cstring>
#include <span>

#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/insn.h"

namespace ring3::conformance {

namespace {

constexpr std::uint8_t kWideLoad = 0x18;
constexpr std::uint8_t kMov64Reg = 0xbf;
constexpr std::uint8_t kCall = 0x85;

constexpr std::uint8_t kHiddenReg = 11;  // rewritten programs only: no client may name it

std::string line_of(std::span<const isa::RawInsn> slots);

/// The decoder knows r0 to r10: prints the instruction with a register it does not use, and renames that.
std::string with_hidden_reg(std::span<const isa::RawInsn> slots) {
  isa::RawInsn raw = slots[0];
  const std::uint8_t other = raw.dst == kHiddenReg ? raw.src : raw.dst;
  const std::uint8_t stand_in = other == 8 ? 9 : 8;
  if (raw.dst == kHiddenReg) raw.dst = stand_in & 0xf;
  if (raw.src == kHiddenReg) raw.src = stand_in & 0xf;
  std::string text = line_of({&raw, 1});
  for (std::size_t at = 0; (at = text.find(static_cast<char>('0' + stand_in), at)) != std::string::npos; ++at)
    if (at > 0 && (text[at - 1] == 'r' || text[at - 1] == 'w')) text.replace(at, 1, "11");
  return text;
}

/// Text without the opcode in parentheses. A rewritten program has forms that no client may load.
std::string line_of(std::span<const isa::RawInsn> slots) {
  const isa::RawInsn& raw = slots[0];
  if (raw.code == kMov64Reg && raw.off == -1)
    return fmt::format("r{} = &(void __percpu *)(r{})", int{raw.dst}, int{raw.src});
  // Linked calls keep their displacement in off; imm is a matter of the compiler.
  if (raw.code == kCall && raw.src == 1 && raw.off != 0) return fmt::format("call pc{:+}", raw.off);
  // Linux shows where a helper is, ring3 its number. The suite is written for a disassembler that has no name for the former;
  // it has one for helpers that the compiler inlines and that keep their number.
  if (raw.code == kCall && raw.src == 0) return "call unknown";
  if (raw.dst == kHiddenReg || raw.src == kHiddenReg) return with_hidden_reg(slots);
  const auto decoded = isa::decode(slots);
  if (!decoded.ok()) return "unknown";
  const std::string text = isa::disassemble(decoded.value()[0]);
  const auto space = text.find(' ');
  return space == std::string::npos ? text : text.substr(space + 1);
}

}  // namespace

bool xlated_insns(int program_fd, std::vector<isa::RawInsn>& insns) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program_fd, &info, &size) != 0 || info.xlated_prog_len == 0) return false;
  insns.resize(info.xlated_prog_len / sizeof(isa::RawInsn));
  const std::uint32_t bytes = info.xlated_prog_len;
  std::memset(&info, 0, sizeof(info));
  info.xlated_prog_len = bytes;
  info.xlated_prog_insns = reinterpret_cast<std::uint64_t>(insns.data());
  size = sizeof(info);
  return bpf_obj_get_info_by_fd(program_fd, &info, &size) == 0 && info.xlated_prog_insns != 0;
}

bool xlated_text(int program_fd, std::string& text) {
  std::vector<isa::RawInsn> slots;
  if (!xlated_insns(program_fd, slots)) return false;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const std::size_t width = slots[i].code == kWideLoad && i + 1 < slots.size() ? 2 : 1;
    text += std::to_string(i);
    text += ": ";
    text += line_of(std::span(slots).subspan(i, width));
    text += '\n';
    i += width - 1;
  }
  return true;
}

}  // namespace ring3::conformance
