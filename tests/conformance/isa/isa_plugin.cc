// ring3-isa-plugin: the plug-in protocol of the public bpf_conformance suite.
//
//   ring3-isa-plugin [MEMORY] [--program HEX] [--engine interp|jit] [--asm]
//
// Reads a program from stdin as hexadecimal bytes (--asm: as ring3's assembler text), takes the memory that r1
// points to (r2 = its length) as hexadecimal bytes, and prints r0 in hexadecimal. Programs are decoded but not
// verified: the suite tests what instructions compute. Exit status 1 and a line on stderr when the program
// cannot be run, 2 for wrong usage.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/engine.h"
#include "exec/jit.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "uapi/bpf.h"

namespace {

using namespace ring3;

struct Options {
  std::string memory;
  std::optional<std::string> program;
  std::string engine = "interp";
  bool assembler_text = false;
};

int usage(const std::string& what) {
  std::fprintf(stderr,
               "ring3-isa-plugin: %s\nusage: ring3-isa-plugin [MEMORY] [--program HEX] [--engine interp|jit] [--asm]\n",
               what.c_str());
  return 2;
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "ring3-isa-plugin: %s\n", why.c_str());
  return 1;
}

/// Hexadecimal digits in pairs; white space between them is allowed.
bool parse_hex(const std::string& text, std::vector<std::uint8_t>& out) {
  std::string digits;
  for (char c : text)
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos) digits += c;
  if (digits.size() % 2 != 0 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) return false;
  for (std::size_t i = 0; i < digits.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  return true;
}

/// The suite calls helper 5 (bpf_ktime_get_ns) and expects the program to go on.
std::uint64_t ktime_get_ns(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                           exec::RunContext&) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

/// Fills in what rewriting would: helper indices and subprograms. False: a helper this tool does not have.
bool complete(rewrite::XlatedProgram& program) {
  program.helpers.push_back({uapi::BPF_FUNC_ktime_get_ns, "bpf_ktime_get_ns", ktime_get_ns});
  std::vector<std::uint32_t> starts{0};
  for (std::uint32_t idx = 0; idx < program.insns.size(); ++idx) {
    isa::Insn& insn = program.insns[idx];
    if (insn.op == isa::Op::kCallSubprog) starts.push_back(idx + 1 + static_cast<std::uint32_t>(insn.jump));
    if (insn.op != isa::Op::kCallHelper) continue;
    if (insn.imm != uapi::BPF_FUNC_ktime_get_ns) return false;
    insn.imm = 0;
  }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  starts.push_back(static_cast<std::uint32_t>(program.insns.size()));
  for (std::size_t i = 0; i + 1 < starts.size(); ++i)
    program.subprogs.push_back({starts[i], starts[i + 1], isa::kMaxStackBytes});
  return true;
}

bool read_slots(const Options& options, std::vector<isa::RawInsn>& slots, std::string& error) {
  const std::string text = options.program
                               ? *options.program
                               : std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  if (options.assembler_text) {
    isa::AssembleError wrong;
    auto assembled = isa::assemble(text, &wrong);
    if (assembled) slots = std::move(assembled).value();
    error = "line " + std::to_string(wrong.line) + ": " + wrong.message;
    return assembled.ok();
  }
  std::vector<std::uint8_t> bytes;
  error = "the program is not hexadecimal bytes, eight a slot";
  if (!parse_hex(text, bytes) || bytes.empty() || bytes.size() % sizeof(isa::RawInsn) != 0) return false;
  slots.resize(bytes.size() / sizeof(isa::RawInsn));
  std::memcpy(slots.data(), bytes.data(), bytes.size());
  return true;
}

int run(const Options& options) {
  if (options.engine == "jit" && !exec::jit_available()) return refuse("there is no jit for this machine");
  if (options.engine != "interp" && options.engine != "jit") return usage("no such engine: " + options.engine);
  std::vector<std::uint8_t> input;
  if (!parse_hex(options.memory, input)) return usage("MEMORY is not hexadecimal bytes: " + options.memory);
  std::vector<isa::RawInsn> slots;
  std::string error;
  if (!read_slots(options, slots, error)) return refuse(error);

  isa::FieldError wrong;
  auto insns = isa::decode(slots, &wrong);
  if (!insns) return refuse("instruction " + std::to_string(wrong.idx) + ": " + wrong.message);
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = std::move(insns).value();
  if (!complete(*program)) return refuse("the program calls a helper other than bpf_ktime_get_ns");
  exec::CodeMemory code_memory;
  const auto engine = options.engine == "jit" ? exec::make_jit(code_memory) : exec::make_interpreter();
  const auto code = engine->compile(program);
  if (!code) return refuse("the engine refuses the program: " + std::string(errno_name(code.error())));

  std::vector<std::uint64_t> memory((input.size() + 7) / 8);  // words, for atomics
  if (!input.empty()) std::memcpy(memory.data(), input.data(), input.size());
  exec::RunContext context;
  const std::uintptr_t address = input.empty() ? 0 : reinterpret_cast<std::uintptr_t>(memory.data());
  std::printf("%llx\n", static_cast<unsigned long long>(code.value()->call_subprog(context, 0, address, input.size())));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  const std::vector<std::string> args(argv + 1, argv + argc);
  for (std::size_t i = 0; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (args[i] == "--asm") options.assembler_text = true;
    else if (args[i] == "--engine" && has_value) options.engine = args[++i];
    else if (args[i] == "--program" && has_value) options.program = args[++i];
    else if (args[i].rfind("--", 0) == 0) return usage("unknown option: " + args[i]);
    else if (options.memory.empty()) options.memory = args[i];
    else return usage("one argument too many: " + args[i]);
  }
  return run(options);
}
