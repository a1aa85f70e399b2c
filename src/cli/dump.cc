// dump: the code of a program of the host with its source lines: the instructions that were loaded, or the machine code
// that runs.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/disassembly.h"
#include "cli/program_view.h"
#include "isa/decode.h"
#include "isa/disassemble.h"

namespace ring3::cli {
namespace {

using nlohmann::json;

struct Options {
  std::string program;
  bool machine_code = false;
  bool as_json = false;
};

/// One line of a listing, whatever it lists.
struct Entry {
  std::uint64_t place = 0;  // offset in its function, or index
  std::string bytes, text;
  const SourceLine* line = nullptr;  // that begins here
};
struct Section {
  std::string name;
  std::vector<Entry> entries;
};

/// The last of the lines that begin at one place is the innermost, where the compiler put functions into each other.
template <typename At>
const SourceLine* line_at(const ProgramView& view, At begins_here) {
  const auto found = std::find_if(view.lines.rbegin(), view.lines.rend(), begins_here);
  return found != view.lines.rend() ? &*found : nullptr;
}

std::string hexadecimal(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return out;
}

std::vector<Section> machine_code_of(const ProgramView& view) {
  std::vector<Section> sections;
  std::span<const std::byte> rest = view.machine_code;
  for (const ProgramView::Function& function : view.functions) {
    const auto code = rest.first(std::min<std::size_t>(function.bytes, rest.size()));
    rest = rest.subspan(code.size());
    Section& section = sections.emplace_back(Section{function.name, {}});
    for (const MachineInsn& insn : disassemble_machine_code(code, function.address))
      section.entries.push_back({insn.address - function.address, hexadecimal(insn.bytes), insn.text,
                                 line_at(view, [&](const SourceLine& line) { return line.address == insn.address; })});
  }
  return sections;
}

/// Errors: kInval the host gave something that is no program.
Result<std::vector<Section>> instructions_of(const ProgramView& view) {
  auto insns = isa::decode(view.insns);
  if (!insns.ok()) return Errno::kInval;
  Section section{view.name, {}};
  for (std::size_t idx = 0; idx < insns->size(); ++idx) {
    if ((*insns)[idx].op == isa::Op::kLdImm64Hi) continue;
    const auto raw = std::as_bytes(std::span(view.insns).subspan(idx, 1));
    section.entries.push_back({idx, hexadecimal(raw), isa::disassemble((*insns)[idx]),
                               line_at(view, [&](const SourceLine& line) { return line.insn == idx; })});
  }
  return std::vector<Section>{std::move(section)};
}

void print_text(const std::vector<Section>& sections, bool machine_code) {
  for (const Section& section : sections) {
    fmt::print("{}:\n", section.name);
    for (const Entry& entry : section.entries) {
      if (entry.line != nullptr) fmt::print("; {}:{}: {}\n", entry.line->file, entry.line->line, entry.line->text);
      if (machine_code) fmt::print("{:6x}:  {:<22} {}\n", entry.place, entry.bytes, entry.text);
      else fmt::print("{:6}: {}\n", entry.place, entry.text);
    }
  }
}

void print_json(const ProgramView& view, const std::vector<Section>& sections, bool machine_code) {
  json functions = json::array();
  for (const Section& section : sections) {
    json insns = json::array();
    for (const Entry& entry : section.entries) {
      json insn{{machine_code ? "offset" : "idx", entry.place}, {"bytes", entry.bytes}, {"text", entry.text}};
      if (const SourceLine* line = entry.line)
        insn["source"] = {{"file", line->file}, {"line", line->line}, {"column", line->column}, {"text", line->text}};
      insns.push_back(std::move(insn));
    }
    functions.push_back({{"name", section.name}, {"insns", std::move(insns)}});
  }
  const json record{{"id", view.id}, {"name", view.name}, {machine_code ? "jited" : "xlated", std::move(functions)}};
  fmt::print("{}\n", record.dump(-1, ' ', false, json::error_handler_t::replace));
}

ExitCode dump(const Commands& commands, const Options& options) {
  ExitCode code{};
  const std::unique_ptr<control::Client> client = connect(commands, code);
  if (client == nullptr) return code;
  const Result<std::vector<std::uint32_t>> ids = find_programs(*client, options.program);
  if (!ids.ok()) return fail_request(*client, ids.error(), "dump: programs");
  if (ids->empty()) return fail(ExitCode::kNotFound, fmt::format("no program is called {}", options.program));
  if (ids->size() > 1) {
    std::string all;
    for (const std::uint32_t id : *ids) all += fmt::format(" {}", id);
    return fail(ExitCode::kUsage, fmt::format("several programs are called {}; name one by its id:{}", options.program, all));
  }
  const Result<ProgramView> view = view_program(*client, ids->front());
  if (!view.ok()) return fail_request(*client, view.error(), fmt::format("dump: program {}", options.program));
  if (view->insns.empty()) return fail(ExitCode::kDenied, "the host does not show its programs' code to this user");
  if (options.machine_code && view->machine_code.empty())
    return fail(ExitCode::kFailed, fmt::format("program {} is interpreted: it has no machine code", options.program));
  Result<std::vector<Section>> sections = options.machine_code ? machine_code_of(*view) : instructions_of(*view);
  if (!sections.ok()) return fail(ExitCode::kFailed, fmt::format("program {} cannot be decoded", options.program));
  options.as_json ? print_json(*view, *sections, options.machine_code) : print_text(*sections, options.machine_code);
  return std::fflush(stdout) == 0 ? ExitCode::kDone : ExitCode::kFailed;
}

void add_form(CLI::App& parent, Commands& commands, const char* name, const char* about, bool machine_code) {
  auto options = std::make_shared<Options>();
  options->machine_code = machine_code;
  CLI::App* command = parent.add_subcommand(name, about);
  command->add_option("PROGRAM", options->program, "its id, or its name")->required();
  command->add_flag("--json", options->as_json, "one JSON record");
  command->callback([&commands, options] { commands.chosen = [&commands, options] { return dump(commands, *options); }; });
}

}  // namespace

void add_dump(CLI::App& app, Commands& commands) {
  CLI::App* command = app.add_subcommand("dump", "the code of a program, with its source lines");
  command->require_subcommand(1);
  add_form(*command, commands, "jited", "machine code", true);
  add_form(*command, commands, "xlated", "BPF instructions", false);
}

}  // namespace ring3::cli
