// docs/syscalls.md, printed from the rows.
#include <fmt/format.h>

#include "syscall/command_table.h"

namespace ring3::syscall {
namespace {

std::string_view text(Support support) {
  switch (support) {
    case Support::kFull: return "full";
    case Support::kPartial: return "partial";
    case Support::kRefused: return "refused";
  }
  return "";
}

std::string_view text(Right right) {
  switch (right) {
    case Right::kNone: return "";
    case Right::kBpf: return "bpf";
    case Right::kSysAdmin: return "sys_admin";
  }
  return "";
}

}  // namespace

void print_command_docs(TextSink& out) {
  out.write("# Commands of bpf(2)\n\n"
            "Generated from `src/syscall/command_table.cc`; its test rewrites this page when RING3_BLESS is set.\n\n"
            "Every command takes (number, attribute, size): a longer attribute must end in zeros (E2BIG), a shorter one "
            "reads as\nzeros, and a byte set after the command's last field is EINVAL. Bit 16 of the number adds the "
            "common attributes.\nThe right is what a caller needs at least; a missing right is EPERM.\n\n"
            "| number | command | attribute | bytes used | right | support | remark |\n"
            "|---|---|---|---|---|---|---|\n");
  for (const Command& c : commands()) {
    const std::string refusal =
        c.support == Support::kRefused ? fmt::format("{}: ", errno_name(c.refusal)) : std::string();
    out.write(fmt::format("| {} | {} | {} | {} | {} | {} | {}{} |\n", c.number, c.name, c.member, c.last.end(),
                          text(c.right), text(c.support), refusal, c.note));
  }
  out.write("\nCommands of later kernels are EINVAL as on 6.12, and the log names them:");
  for (const NewerCommand& newer : newer_commands()) out.write(fmt::format(" {} {}", newer.number, newer.name));
  out.write("\n");
}

}  // namespace ring3::syscall
