// Text of instructions, made from the templates of insn.def. The legend of the braces is there.
#include "isa/disassemble.h"

#include <iterator>

#include <fmt/format.h>

#include "isa/helper_names.h"
#include "isa/rows.h"

namespace ring3::isa {
namespace {

std::uint32_t low_half(std::int64_t imm) { return static_cast<std::uint32_t>(imm); }
std::uint32_t high_half(std::int64_t imm) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(imm) >> 32);
}

class Renderer {
 public:
  Renderer(const Insn& insn, const Row& row, const Names* names, std::string& out)
      : insn_(insn), row_(row), names_(names), out_(out) {}

  void render() {
    for (const char* p = row_.text; *p != '\0'; ++p) {
      if (*p != '{') {
        out_ += *p;
        continue;
      }
      operand(p[1]);
      p += 2;
      // A named wide immediate replaces all that follows "rN = ".
      if (p[-1] == 'D' && insn_.op == Op::kLdImm64 && wide_by_name()) return;
    }
  }

 private:
  template <typename... Args>
  void put(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  void operand(char kind) {
    const char width = insn_.bits == 32 ? 'w' : 'r';
    switch (kind) {
      case 'd': put("{}{}", width, insn_.dst); break;
      case 's': put("{}{}", width, insn_.src); break;
      case 'D': put("r{}", insn_.dst); break;
      case 'S': put("r{}", insn_.src); break;
      case 'i': put("{}", insn_.imm); break;
      case 'x': put("{:#x}", low_half(insn_.imm)); break;
      case 'o': put("{:+}", insn_.off); break;
      case 'j': target(); break;
      case 'c': helper(); break;
      case 'k': kfunc(); break;
      case 'a': put("{}", low_half(insn_.imm) >> 16); break;
      case 'b': put("{}", low_half(insn_.imm) & 0xffff); break;
      case 'w': put("{:#x}", static_cast<std::uint64_t>(insn_.imm)); break;
      case 'l': put("{}", low_half(insn_.imm)); break;
      case 'h': put("{}", high_half(insn_.imm)); break;
      case 'p': put("{:+}", static_cast<std::int32_t>(low_half(insn_.imm))); break;
      default: put("?"); break;
    }
  }

  bool name(std::string& text) const { return names_ != nullptr && names_->call(insn_, text); }

  void target() {
    std::string text;
    if (insn_.op == Op::kCallSubprog && name(text))
      out_ += text;
    else
      put("pc{:+}", insn_.jump);
  }

  void helper() {
    std::string text;
    if (!name(text)) text = helper_name(low_half(insn_.imm));
    put("{}#{}", text.empty() ? "unknown" : text, insn_.imm);
  }

  void kfunc() {
    std::string text;
    if (!name(text)) text = "kernel-function";
    put("{}#{}", text, insn_.imm);
  }

  bool wide_by_name() {
    std::string text;
    if (names_ == nullptr || !names_->immediate(insn_, text)) return false;
    put(" = {}", text);
    return true;
  }

  const Insn& insn_;
  const Row& row_;
  const Names* names_;
  std::string& out_;
};

}  // namespace

void disassemble(const Insn& insn, std::string& out, const Names* names) {
  if (insn.op == Op::kLdImm64Hi) return;
  const int found = find_row(insn);
  if (found < 0) {
    out += "unknown instruction";
    return;
  }
  const Row& row = kRows[static_cast<std::size_t>(found)];
  fmt::format_to(std::back_inserter(out), "({:02x}) ", row.code);
  Renderer(insn, row, names, out).render();
}

std::string disassemble(const Insn& insn, const Names* names) {
  std::string out;
  disassemble(insn, out, names);
  return out;
}

void disassemble(std::span<const Insn> insns, TextSink& out, const Names* names) {
  std::string line;
  for (std::size_t idx = 0; idx < insns.size(); ++idx) {
    if (insns[idx].op == Op::kLdImm64Hi) continue;
    line = fmt::format("{}: ", idx);
    disassemble(insns[idx], line, names);
    line += '\n';
    out.write(line);
  }
}

}  // namespace ring3::isa
