#include "cli/disassembly.h"

#include <capstone/capstone.h>
#include <fmt/core.h>

namespace ring3::cli {
namespace {

/// The library's handle and its one instruction of room.
class Disassembler {
 public:
  Disassembler() {
#if defined(__x86_64__)
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) != CS_ERR_OK) return;
    cs_option(handle_, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
#elif defined(__aarch64__)
    if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle_) != CS_ERR_OK) return;
#else
    return;
#endif
    room_ = cs_malloc(handle_);
  }
  ~Disassembler() {
    if (room_ != nullptr) cs_free(room_, 1);
    if (handle_ != 0) cs_close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  bool works() const { return room_ != nullptr; }

  /// The instruction at the start of `code`; null: there is none.
  const cs_insn* next(std::span<const std::byte> code, std::uint64_t address) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(code.data());
    std::size_t left = code.size();
    return cs_disasm_iter(handle_, &bytes, &left, &address, room_) ? room_ : nullptr;
  }

 private:
  csh handle_ = 0;
  cs_insn* room_ = nullptr;
};

}  // namespace

std::vector<MachineInsn> disassemble_machine_code(std::span<const std::byte> code, std::uint64_t address) {
  std::vector<MachineInsn> out;
  Disassembler disassembler;
  while (disassembler.works() && !code.empty()) {
    const cs_insn* const insn = disassembler.next(code, address);
    const std::size_t bytes = insn != nullptr ? insn->size : 1;
    std::string text = insn != nullptr ? insn->mnemonic : fmt::format(".byte {:#04x}", std::to_integer<unsigned>(code[0]));
    if (insn != nullptr && insn->op_str[0] != '\0') text += std::string(" ") + insn->op_str;
    out.push_back({address, code.first(bytes), std::move(text)});
    code = code.subspan(bytes);
    address += bytes;
  }
  return out;
}

}  // namespace ring3::cli
