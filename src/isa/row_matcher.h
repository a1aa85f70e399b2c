// One line of text against the template of one row: the disassembler's renderer run backwards.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "isa/assemble.h"
#include "isa/rows.h"
#include "isa/text_cursor.h"

namespace ring3::isa {

/// Where labels are, for operands that name one.
class Labels {
 public:
  /// Slot index of a label, or -1.
  virtual std::int64_t find(std::string_view name) const = 0;

 protected:
  ~Labels() = default;
};

struct MatchContext {
  const Labels& labels;
  const Symbols* symbols;
  std::uint32_t idx;   // slot the instruction gets
  bool code_given;     // the line names the opcode byte
};

struct MatchedSlots {
  RawInsn low{};
  std::int32_t high = 0;  // imm of the second slot of a wide immediate
};

/// Fills in the slots when text reads as this row. complaint: set when the row matched but a value did not fit.
bool match_row(const Row& row, std::string_view text, const MatchContext& context, MatchedSlots& out,
               std::string& complaint);

}  // namespace ring3::isa
