// Every command of bpf(2) as a row. The size and tail checks, the copy-out, the rights, tracing names,
// docs/syscalls.md and the fuzz grammar are read from the row; a command that is not supported is a row with
// its errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/text_sink.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::syscall {

class Call;

enum class Support : std::uint8_t {
  kFull,
  kPartial,  // the note says what is missing
  kRefused,  // answers `refusal` whatever the attribute holds
};

/// The least right a caller needs. The entry checks it before the handler runs, except where Linux checks
/// the attribute first (`right_in_handler`). More may depend on the attribute (map type, program type).
enum class Right : std::uint8_t { kNone, kBpf, kSysAdmin };

/// A field of the attribute, by position.
struct AttrField {
  std::uint16_t offset = 0;
  std::uint16_t bytes = 0;
  constexpr std::uint16_t end() const { return static_cast<std::uint16_t>(offset + bytes); }
};

/// Positive and zero: the command's result. The attribute is a copy; what the handler stores in an output
/// field goes back to the caller, also when it fails.
using Handler = Result<long> (*)(Call&, uapi::bpf_attr&);

struct Command {
  int number;
  std::string_view name;    // "MAP_CREATE"
  std::string_view member;  // part of union bpf_attr: "map", "elem", "batch", …
  AttrField last;           // nonzero bytes after it: kInval
  Right right;
  Support support;
  Handler handler;                    // null when refused
  Errno refusal;                      // kRefused only
  std::string_view note;              // for people; "" for none
  std::span<const AttrField> outputs; // written back, within the client's size
  bool right_in_handler = false;
};

/// Rows in order of number, 0 … 36, without gaps.
std::span<const Command> commands();
/// Null: unknown.
const Command* find_command(int number);
/// Commands of later kernels, which answer kInval as on 6.12.
struct NewerCommand {
  int number;
  std::string_view name;
};
std::span<const NewerCommand> newer_commands();

/// docs/syscalls.md.
void print_command_docs(TextSink& out);

}  // namespace ring3::syscall
