#include "fuzz/support/kernel_oracle.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

namespace ring3::fuzz {
namespace {

/// Why ring3 may accept what a kernel refuses. fragment: of the last lines of the kernel's log.
struct Excuse {
  std::string_view fragment;
  std::string_view reason;
};
constexpr Excuse kExcuses[] = {
    {"BPF program is too large", "the kernel gives up on a loop"},
};

/// Of a kernel's log: what a register is, or may hold, was not good enough.
constexpr std::string_view kOfValues[] = {"invalid mem access", "invalid access to", "unbounded", "prohibited", "out of bounds", "invalid variable-offset",
                                          "invalid size of register fill", "invalid read from stack", "invalid write to stack", "!read_ok",
                                          "invalid unbounded", "is not allowed", "misaligned stack access", "infinite loop detected", "At program exit"};

constexpr std::uint8_t kWide = 0x18;

/// The program with the map's descriptor. Nothing: it names what this oracle does not have.
std::optional<std::vector<isa::RawInsn>> with_map(std::span<const isa::RawInsn> raw, long map) {
  std::vector<isa::RawInsn> out(raw.begin(), raw.end());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].code != kWide) continue;
    const auto pseudo = static_cast<isa::Pseudo>(out[i].src);
    if (pseudo == isa::Pseudo::kMapFd || pseudo == isa::Pseudo::kMapValue)
      out[i].imm = (out[i].imm & 1) == 0 ? static_cast<std::int32_t>(map) : -1;
    else if (pseudo != isa::Pseudo::kImm && pseudo != isa::Pseudo::kFunc)
      return std::nullopt;
    ++i;
  }
  return out;
}

/// Ring3 knows more of what these make than Linux does (as native::beyond_linux() says): with one of them on the walk, a path that the
/// kernel follows may be known here not to be one.
bool knows_more(const isa::RawInsn& insn) {
  const unsigned kind = insn.code & 7, op = insn.code & 0xf0;
  const bool by_register = (insn.code & 8) != 0;
  if (kind == 1) return (insn.code & 0xe0) == 0x80;  // a sign extending load
  if (kind != 4 && kind != 7) return false;
  const bool quotient = op == 0x30 || op == 0x90, shift = op == 0x60 || op == 0x70 || op == 0xc0;
  return quotient || (shift && by_register) || (op == 0xb0 && insn.off != 0);
}

/// The instruction that the log ends with. Nothing: it names none.
std::optional<std::size_t> refused_at(const std::string& log) {
  std::optional<std::size_t> at;
  for (std::size_t line = 0; line < log.size(); line = log.find('\n', line) + 1) {
    std::size_t digits = line;
    while (digits < log.size() && log[digits] >= '0' && log[digits] <= '9') ++digits;
    if (digits > line && log.compare(digits, 3, ": (") == 0) at = std::strtoul(log.c_str() + line, nullptr, 10);
    if (log.find('\n', line) == std::string::npos) break;
  }
  return at;
}

std::string last_lines(const std::string& log) {
  constexpr std::size_t kShown = 4000;  // "infinite loop" shows two states
  return log.size() <= kShown ? log : log.substr(log.size() - kShown);
}

}  // namespace

std::unique_ptr<KernelOracle> KernelOracle::make(std::string& why) {
  const native::Bpf bpf = native::kernel_bpf();
  const long map = native::create_map(bpf, uapi::BPF_MAP_TYPE_ARRAY, 4, 48, 4);
  if (map < 0) {
    why = std::string("bpf(2) makes no map here: ") + std::strerror(static_cast<int>(-map));
    return nullptr;
  }
  return std::unique_ptr<KernelOracle>(new KernelOracle(map));
}

KernelOracle::~KernelOracle() { ::close(static_cast<int>(map_)); }

std::string KernelOracle::compare(const Asked& asked) {
  if (!asked.accepted && asked.error == Errno::kTooBig) return {};
  const auto program = with_map(asked.raw, map_);
  if (!program.has_value()) return {};
  const long fd = native::load_program(bpf_, asked.prog_type, asked.flags, *program, nullptr);
  if (fd >= 0) ::close(static_cast<int>(fd));
  ++compared_;
  if (native::gave_up(fd)) return ++given_up_, std::string();
  if (asked.accepted == (fd >= 0)) {
    both_accept_ += asked.accepted ? 1 : 0;
    return {};
  }
  if (!asked.accepted) {
    const char* why = refuses_an_edit(asked) ? ": written otherwise, the kernel refuses it too" : asked.every_path_agrees() ? ": so does a walk of every path" : "";
    note(only_there_[asked.rule + why], asked.found_by);
    return {};
  }
  std::string log;
  const long again = native::load_program(bpf_, asked.prog_type, asked.flags, *program, &log);
  if (again >= 0) ::close(static_cast<int>(again));
  // More is known of numbers here than there (signed remainders, 32-bit shifts, contradictions): what cannot be reached is not judged.
  // That no run reaches it is the business of the runs held against states.
  const auto at = refused_at(log);
  if (at.has_value() && *at < asked.reached.size() && !asked.reached[*at]) {
    note(only_here_["what it refuses cannot be reached"], asked.found_by);
    return {};
  }
  const std::string end = last_lines(log);
  for (const Excuse& excuse : kExcuses)
    if (end.find(excuse.fragment) != std::string::npos) {
      note(only_here_[std::string(excuse.reason)], asked.found_by);
      return {};
    }
  // It complains of what a register may hold on a path that ring3 knows to be none, or of a number that ring3 knows better: never when
  // ring3 accepts only because it prunes.
  const bool excusable = asked.every_path_agrees() && std::any_of(std::begin(kOfValues), std::end(kOfValues), [&](std::string_view text) { return end.find(text) != std::string::npos; });
  for (std::size_t i = 0; excusable && i < asked.raw.size() && i < asked.reached.size(); ++i)
    if (asked.reached[i] && knows_more(asked.raw[i])) {
      note(only_here_["what a register may hold, with a quotient, a remainder, a sign extension or a shift by a register on the walk"], asked.found_by);
      return {};
    }
  return "accepted, but the kernel refuses it (" + std::string(std::strerror(static_cast<int>(-fd))) + "):\n" + end;
}

void KernelOracle::note(Kind& kind, const std::string& found_by) {
  constexpr std::uint64_t kShown = 5;
  if (++kind.count <= kShown) kind.first += (kind.first.empty() ? "" : ", ") + found_by;
}

bool KernelOracle::refuses_an_edit(const Asked& asked) const {
  for (const std::vector<isa::RawInsn>& edit : asked.edits) {
    const auto program = with_map(edit, map_);
    if (!program.has_value()) continue;
    const long fd = native::load_program(bpf_, asked.prog_type, asked.flags, *program, nullptr);
    if (fd >= 0) ::close(static_cast<int>(fd));
    else if (!native::gave_up(fd)) return true;
  }
  return false;
}

void KernelOracle::print(const char* what, const std::map<std::string, Kind>& kinds) {
  for (const auto& [reason, kind] : kinds)
    std::printf("  %s: %s: %llu (%s)\n", what, reason.c_str(), static_cast<unsigned long long>(kind.count), kind.first.c_str());
}

void KernelOracle::print() const {
  std::printf("the machine's kernel was asked %llu times: both accept %llu, it gave up on %llu\n", static_cast<unsigned long long>(compared_),
              static_cast<unsigned long long>(both_accept_), static_cast<unsigned long long>(given_up_));
  print("accepted here only", only_here_);
  print("refused here only", only_there_);
}

}  // namespace ring3::fuzz
