// Where verdicts go: the kernel-format log as text, and typed events for the report for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_sink.h"

namespace ring3::verifier {

enum LogLevel : std::uint32_t { kLogNormal = 1, kLogStates = 2, kLogStats = 4, kLogFixed = 8 };

/// An instruction that had a part in a refusal.
struct ReportStep {
  std::uint32_t insn_idx = 0;
  std::string insn_text;
  std::string what;        // "taken", "entered", "copied" …
  std::uint32_t times = 1;
  std::string file;        // "" when the program has no line info
  std::uint32_t line = 0;
  std::string source;
};

/// What was known of a register that the refused instruction reads.
struct ReportOperand {
  std::string name, known;
  std::vector<ReportStep> origin;  // what made the value or moved it, the newest first
};

/// One refusal, ready to be rendered as text, colour or JSON.
struct Rejection {
  std::uint32_t insn_idx = 0;
  std::string category;     // "memory", "calls" …: the sections of diag/messages.def
  std::string rule;         // which requirement failed: a name of diag/messages.def
  std::string demand;       // what it asks for
  std::string message;      // the kernel's line
  std::string source_file;  // "" when the program has no line info
  std::uint32_t source_line = 0;
  std::string source_text;
  std::string insn_text;
  std::vector<ReportOperand> operands;
  std::vector<ReportStep> path;  // branches and calls that led there, in the order of their first time
  std::string suggestion;
};

/// The report for people: what, where with the source line, what was known, how it came to be, a suggestion.
struct ReportStyle {
  bool colour = false;
};
std::string rejection_text(const Rejection& rejection, ReportStyle style);
std::string rejection_json(const Rejection& rejection);

struct Stats;  // verifier.h

class LogSink {
 public:
  /// Bits of LogLevel; 0: no text wanted.
  std::uint32_t level = 0;
  /// Kernel-format text, whole lines.
  virtual void write(std::string_view text) = 0;
  /// The program was refused. Called at most once, after the text.
  virtual void rejected(const Rejection&) {}
  /// What judging the program took, whatever the verdict. Called at most once, last.
  virtual void measured(const Stats&) {}

 protected:
  ~LogSink() = default;
};

}  // namespace ring3::verifier
