#include "fuzz/support/kernel_oracle.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

namespace ring3::fuzz {
namespace {

constexpr std::uint8_t kWide = 0x18, kCall = 0x85, kCallsHost = 2, kMayGoto = 0xe5, kExit = 0x95;

/// What an instruction does, where ring3 keeps more of a number than a kernel, or rules out a way that the kernel goes. Each has its
/// proof elsewhere: the domain's operations by exhaustion, what is kept where paths meet by walks of every path and by runs.
/// Empty: nothing that ring3 is known to be better at.
std::string_view better_at(const isa::RawInsn& insn) {
  const unsigned kind = insn.code & 7, op = insn.code & 0xf0;
  const bool by_register = (insn.code & 8) != 0;
  if (kind == 4 || kind == 7) {
    switch (op) {
      case 0x30: return insn.off != 0 ? "a signed quotient" : "a quotient";
      case 0x90: return insn.off != 0 ? "a signed remainder" : "a remainder";
      case 0x60: case 0x70: case 0xc0: return by_register ? "a shift by a register" : "a shift";
      case 0x80: return "a negation";
      case 0xb0: return insn.off != 0 ? "a sign extension" : "";
      case 0xd0: return "a change of byte order";
      default: return "";
    }
  }
  if (kind == 1) return (insn.code & 0xe0) == 0x80 ? "a sign extending load" : "";
  if (insn.code == kMayGoto) return "may_goto (the kernel widens numbers there)";
  if (insn.code == kCall && insn.src == kCallsHost) return "a step of an iterator (the kernel widens numbers there)";
  if (insn.code == kExit) return "a callback's return (the kernel widens numbers there)";
  if ((kind == 5 || kind == 6) && insn.code != kCall) return "a comparison";
  return "";
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
  const long map = native::create_map(bpf, uapi::BPF_MAP_TYPE_ARRAY, 4, kArrayValueBytes, kArrayEntries);
  if (map < 0) {
    why = std::string("bpf(2) makes no map here: ") + std::strerror(static_cast<int>(-map));
    return nullptr;
  }
  return std::unique_ptr<KernelOracle>(new KernelOracle(map, native::create_map(bpf, uapi::BPF_MAP_TYPE_HASH, 4, kArrayValueBytes, kArrayEntries)));
}

KernelOracle::KernelOracle(long map, long hash) : bpf_(native::kernel_bpf()), map_(map), hash_(hash) {
  uapi::bpf_attr attr = native::zero_attr();
  attr.btf = native::address_of(world().program_btf_bytes.data());
  attr.btf_size = static_cast<std::uint32_t>(world().program_btf_bytes.size());
  types_ = bpf_(uapi::BPF_BTF_LOAD, &attr, sizeof attr);
  std::ifstream in("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  StringSink log;
  const auto types = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, log, btf::Origin::kHost);
  for (std::size_t i = 0; types.ok() && i < kHostFunctions; ++i)
    functions_[i] = static_cast<std::int32_t>((*types)->find(name_of(static_cast<HostFunction>(i)), btf::Kind::kFunc));
}

KernelOracle::~KernelOracle() {
  ::close(static_cast<int>(map_));
  ::close(static_cast<int>(hash_));
  if (types_ >= 0) ::close(static_cast<int>(types_));
}

std::optional<std::vector<isa::RawInsn>> KernelOracle::translated(std::span<const isa::RawInsn> raw, long map) const {
  std::vector<isa::RawInsn> out(raw.begin(), raw.end());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].code == kCall && out[i].src == kCallsHost) {
      const auto function = world().function_of(out[i].imm);
      out[i].imm = function ? functions_[static_cast<std::size_t>(*function)] : 0;
      if (out[i].imm == 0) return std::nullopt;
    }
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

std::optional<long> KernelOracle::load(const Asked& asked, std::span<const isa::RawInsn> raw, long map, std::string* log) const {
  const auto program = translated(raw, map);
  if (!program) return std::nullopt;
  std::vector<uapi::bpf_func_info> records;
  if (asked.has_types)
    for (const verifier::FuncInfo& each : function_records(raw)) records.push_back({each.insn_idx, each.type});
  const native::FunctionRecords functions{types_, records};
  const long fd = native::load_program(bpf_, asked.prog_type, asked.flags, *program, log, asked.has_types ? &functions : nullptr);
  if (fd < 0) return fd;
  ::close(static_cast<int>(fd));
  return 0;
}

std::string KernelOracle::compare(const Asked& asked) {
  if (!asked.accepted && asked.error == Errno::kTooBig) return {};
  const std::optional<long> fd = load(asked, asked.raw, map_, nullptr);
  if (!fd) return {};
  ++compared_;
  if (native::gave_up(*fd)) return ++given_up_, std::string();
  if (asked.accepted == (*fd >= 0)) {
    both_accept_ += asked.accepted ? 1 : 0;
    return {};
  }
  if (!asked.accepted) {
    const auto unknown = load(asked, asked.raw, hash_, nullptr);
    const char* why = unknown && *unknown < 0 && !native::gave_up(*unknown) ? ": since 6.14 the kernel knows that an array's element is there"
                      : asked.rule == "InfiniteLoop" && asked.runs_for_ever()                        ? ": a run of it does not end"
                      : refuses_an_edit(asked) ? ": written otherwise, the kernel refuses it too" : asked.every_path_agrees() ? ": so does a walk of every path" : "";
    note(only_there_[asked.rule + why], asked.found_by);
    return {};
  }
  std::string log;
  (void)load(asked, asked.raw, map_, &log);
  const std::string known = reason(asked, log);
  if (!known.empty()) {
    note(only_here_[known], asked.found_by);
    return {};
  }
  const std::string end = last_lines(log);
  const auto departure = first_departure(path_of(log), asked.believed);
  const std::string where = departure ? "the kernel departs behind instruction " + std::to_string(departure->idx) + (departure->way ? ", its way" : ", r" + std::to_string(departure->regno)) + "\n" : "";
  return where + "accepted, but the kernel refuses it (" + std::string(std::strerror(static_cast<int>(-*fd))) + "):\n" + end;
}

std::string KernelOracle::reason(const Asked& asked, const std::string& log) {
  const std::string end = last_lines(log);
  if (end.find("BPF program is too large") != std::string::npos) return "the kernel gives up on a loop";
  // That no run gets there is the business of the runs held against states.
  const auto at = refused_at(log);
  if (at.has_value() && *at < asked.reached.size() && !asked.reached[*at]) return "what it refuses cannot be reached";
  // A path of ring3's walk ends in a state of its own only if something that ends by itself has gone on meanwhile (explore/progress.h).
  // That the program ends is the business of its runs as well.
  if (end.find("infinite loop detected") != std::string::npos) return "the kernel takes a loop for endless in which ring3 saw something go on";
  // Never when ring3 accepts only because it prunes.
  if (!asked.every_path_agrees()) return {};
  const auto departure = first_departure(path_of(log), asked.believed);
  if (!departure || departure->idx >= asked.raw.size()) return {};
  const std::string_view what = better_at(asked.raw[departure->idx]);
  if (what.empty()) return {};
  return std::string(departure->way ? "ring3 rules out the kernel's way behind " : "ring3 knows more of a number behind ") + std::string(what);
}

void KernelOracle::note(Kind& kind, const std::string& found_by) {
  constexpr std::uint64_t kShown = 5;
  if (++kind.count <= kShown) kind.first += (kind.first.empty() ? "" : ", ") + found_by;
}

bool KernelOracle::refuses_an_edit(const Asked& asked) const {
  for (const std::vector<isa::RawInsn>& edit : asked.edits) {
    const std::optional<long> fd = load(asked, edit, map_, nullptr);
    if (fd && *fd < 0 && !native::gave_up(*fd)) return true;
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
