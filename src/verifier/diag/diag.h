// Refusals as events: a rule of messages.def with typed arguments; text is made last, by two renderers.
// Append only: nothing here is read back to decide anything, so verbosity never changes a verdict.
//
//   kernel log      line format of Linux 6.12, written while the search runs (kernel_log.h)
//   Rejection       the report for people, made once, when the program is refused (report.h)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "ring3/errno.h"
#include "verifier/log_sink.h"

namespace ring3::verifier {

enum class Rule : std::uint16_t {
#define RING3_RULE(name, error, text, demand, hint) name,
#include "verifier/diag/messages.def"
#undef RING3_RULE
};

struct RuleRow {
  std::string_view name;    // enumerator without its k
  Errno error;
  std::string_view text;    // {} placeholders, {x} hexadecimal
  std::string_view demand;  // what must hold, for people
  std::string_view hint;    // what to do about it; may be empty
};
const RuleRow& rule_row(Rule rule);

/// The section of messages.def a rule stands in, and what helps where the rule itself has nothing to say.
std::string_view rule_class(Rule rule);
std::string_view class_hint(Rule rule);

/// One argument of an event.
class Arg {
 public:
  Arg(int v) : number_(v), negative_(v < 0) {}                        // NOLINT: implicit on purpose
  Arg(unsigned v) : number_(static_cast<std::int64_t>(v)) {}          // NOLINT
  Arg(long v) : number_(v), negative_(v < 0) {}                       // NOLINT
  Arg(long long v) : number_(v), negative_(v < 0) {}                  // NOLINT
  Arg(unsigned long v) : number_(static_cast<std::int64_t>(v)) {}     // NOLINT
  Arg(unsigned long long v) : number_(static_cast<std::int64_t>(v)) {}  // NOLINT
  Arg(std::string_view v) : text_(v), is_text_(true) {}               // NOLINT
  Arg(const char* v) : text_(v), is_text_(true) {}                    // NOLINT
  Arg(const std::string& v) : text_(v), is_text_(true) {}             // NOLINT

  void append_to(std::string& out, bool hex) const;

 private:
  std::int64_t number_ = 0;
  std::string_view text_;
  bool is_text_ = false;
  bool negative_ = false;
};

/// Replaces each placeholder of `text` by the next argument.
std::string format_message(std::string_view text, std::initializer_list<Arg> args);

/// Registers and stack slots touched since the last state line of the log.
struct Scratched {
  std::uint32_t regs = 0;
  std::uint64_t slots = 0;
  void all() { regs = ~0u, slots = ~0ull; }
  bool any() const { return regs != 0 || slots != 0; }
};

class Diag {
 public:
  explicit Diag(LogSink& sink) : sink_(sink), level_(sink.level) {}

  bool wants(std::uint32_t bits) const { return (level_ & bits) != 0; }
  /// Log text as it stands; newlines included.
  void write(std::string_view text) {
    if (level_ == 0) return;
    flush();
    sink_.write(text);
  }
  /// An instruction; its line stays open for the state that write_state() may add to it.
  void write_insn(std::string_view index, std::string_view text);
  /// The state after the last instruction, at the end of its line if nothing was written in between;
  /// else on a line of its own that starts with `index`.
  void write_state(std::string_view index, std::string_view state);
  /// Ends an open line.
  void flush();
  /// Log text at any level, by arguments.
  void print(std::string_view text, std::initializer_list<Arg> args) {
    if (level_ != 0) write(format_message(text, args));
  }
  /// A line that belongs to the refusal that follows.
  void explain(Rule rule, std::initializer_list<Arg> args);
  /// The program breaks `rule`. Returns the rule's errno; the last refusal is the one reported.
  Errno refuse(Rule rule, std::initializer_list<Arg> args = {});
  /// The same with another errno than the row's.
  Errno refuse_as(Errno error, Rule rule, std::initializer_list<Arg> args = {});

  bool refused() const { return refused_; }
  Rule rule() const { return rule_; }
  const std::string& message() const { return message_; }
  LogSink& sink() { return sink_; }

  Scratched scratched;
  std::uint32_t last_line = UINT32_MAX;  // source line shown last

 private:
  LogSink& sink_;
  std::uint32_t level_;
  bool refused_ = false;
  Rule rule_{};
  std::string message_;   // lines of the refusal, joined
  std::string explained_;
  std::string open_line_;
};

}  // namespace ring3::verifier
