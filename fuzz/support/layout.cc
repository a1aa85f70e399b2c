#include "fuzz/support/layout.h"

#include <algorithm>

namespace ring3::fuzz {
namespace {

using isa::RawInsn;

constexpr std::uint8_t kClassMask = 0x07, kOpMask = 0xf0;
constexpr std::uint8_t kClassLoadImm = 0x00, kClassJump = 0x05, kClassJump32 = 0x06;
constexpr std::uint8_t kJumpAlways = 0x05, kJumpAlwaysLong = 0x06, kCallCode = 0x85;
constexpr std::uint8_t kExit = 0x95, kWide = 0x18, kCall = 0x80;
constexpr std::uint8_t kPseudoFunction = 4, kPseudoCall = 1;

bool is_jump_class(const RawInsn& insn) { return (insn.code & kClassMask) == kClassJump || (insn.code & kClassMask) == kClassJump32; }
bool is_call(const RawInsn& insn) { return is_jump_class(insn) && (insn.code & kOpMask) == kCall; }
bool is_jump(const RawInsn& insn) { return is_jump_class(insn) && !is_call(insn) && insn.code != kExit; }
bool is_wide(const RawInsn& insn) { return insn.code == kWide; }
bool falls_through(const RawInsn& insn) { return insn.code != kExit && insn.code != kJumpAlways && insn.code != kJumpAlwaysLong; }

/// A call of a function of the program, or its address: imm leads there.
bool names_function(const RawInsn& insn) {
  return (insn.code == kCallCode && insn.src == kPseudoCall) || (is_wide(insn) && insn.src == kPseudoFunction);
}

std::int64_t displacement(const RawInsn& insn) { return insn.code == kJumpAlwaysLong ? insn.imm : insn.off; }

/// An instruction to be laid out: a slot of the program (or an inserted jump) and where it jumps to.
struct Item {
  RawInsn insn;
  std::int64_t from = -1;    // slot it was; -1: inserted
  std::int64_t target = -1;  // slot it jumps to; -1: none
};

Item item_of(const std::vector<RawInsn>& program, std::size_t at) {
  Item item{program[at], static_cast<std::int64_t>(at), -1};
  if (is_jump(program[at])) item.target = static_cast<std::int64_t>(at) + 1 + displacement(program[at]);
  if (names_function(program[at])) item.target = static_cast<std::int64_t>(at) + 1 + program[at].imm;
  return item;
}

/// A jump to a slot goes to where its item is now. Empty: too far.
std::vector<RawInsn> lay_out(const std::vector<Item>& items, std::size_t slots) {
  std::vector<std::int64_t> place(slots, -1);
  for (std::size_t i = 0; i < items.size(); ++i)
    if (items[i].from >= 0) place[static_cast<std::size_t>(items[i].from)] = static_cast<std::int64_t>(i);
  std::vector<RawInsn> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    RawInsn insn = items[i].insn;
    if (items[i].target >= 0) {
      if (items[i].target >= static_cast<std::int64_t>(slots) || place[static_cast<std::size_t>(items[i].target)] < 0) return {};
      const std::int64_t jump = place[static_cast<std::size_t>(items[i].target)] - static_cast<std::int64_t>(i) - 1;
      if (jump < INT16_MIN || jump > INT16_MAX) return {};
      if (insn.code == kJumpAlwaysLong || names_function(insn)) insn.imm = static_cast<std::int32_t>(jump);
      else insn.off = static_cast<std::int16_t>(jump);
    }
    out.push_back(insn);
  }
  return out;
}

/// First slots of functions, main's included.
std::vector<bool> function_starts(const std::vector<RawInsn>& program) {
  std::vector<bool> starts(program.size(), false);
  starts[0] = true;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const Item item = item_of(program, i);
    if (names_function(program[i]) && item.target >= 0 && item.target < static_cast<std::int64_t>(program.size()))
      starts[static_cast<std::size_t>(item.target)] = true;
    if (is_wide(program[i])) ++i;
  }
  return starts;
}

/// First slots of blocks: functions, targets of jumps, what follows a jump or an exit.
std::vector<std::size_t> block_starts(const std::vector<RawInsn>& program) {
  std::vector<bool> starts = function_starts(program);
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (is_wide(program[i])) {
      ++i;
      continue;
    }
    if (is_call(program[i])) continue;
    const Item item = item_of(program, i);
    if (item.target >= 0 && item.target < static_cast<std::int64_t>(program.size())) starts[static_cast<std::size_t>(item.target)] = true;
    if ((item.target >= 0 || program[i].code == kExit) && i + 1 < program.size()) starts[i + 1] = true;
  }
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < starts.size(); ++i)
    if (starts[i]) out.push_back(i);
  return out;
}

}  // namespace

bool is_editable(const std::vector<RawInsn>& program) {
  for (std::size_t i = 0; i < program.size(); ++i) {
    const std::int64_t callee = item_of(program, i).target;
    if (names_function(program[i]) && (callee < 0 || callee >= static_cast<std::int64_t>(program.size()))) return false;
    if (!is_wide(program[i]) && (program[i].code & kClassMask) == kClassLoadImm) return false;
    if (!is_wide(program[i])) continue;
    if (i + 1 == program.size()) return false;
    ++i;
  }
  return !program.empty();
}

std::vector<RawInsn> with_nops(const std::vector<RawInsn>& program, std::uint64_t choices) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < program.size(); ++i) {
    // Behind a jump or an exit it would be unreachable, which is refused.
    if ((choices >> (i % 64) & 1) != 0 && (i == 0 || falls_through(program[i - 1]))) items.push_back({{kJumpAlways, 0, 0, 0, 0}, -1, -1});
    items.push_back(item_of(program, i));
    if (is_wide(program[i])) items.push_back({program[i + 1], static_cast<std::int64_t>(i + 1), -1}), ++i;
  }
  return lay_out(items, program.size());
}

std::vector<RawInsn> with_renamed_registers(const std::vector<RawInsn>& program, unsigned by) {
  const bool calls = std::any_of(program.begin(), program.end(), is_call);
  const auto renamed = [by, calls](unsigned reg) {
    const auto rotated = [&](unsigned first) { return static_cast<std::uint8_t>(first + (reg - first + by) % 4); };
    if (reg >= 6 && reg <= 9) return rotated(6);
    return !calls && reg >= 2 && reg <= 5 ? rotated(2) : static_cast<std::uint8_t>(reg);
  };
  std::vector<RawInsn> out = program;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].dst = renamed(out[i].dst) & 0xf;
    if (!is_wide(out[i])) out[i].src = renamed(out[i].src) & 0xf;
    else ++i;
  }
  return out;
}

std::vector<RawInsn> with_blocks_reversed(const std::vector<RawInsn>& program) {
  const std::vector<std::size_t> starts = block_starts(program);
  const std::vector<bool> functions = function_starts(program);
  std::vector<Item> items;
  const auto add_block = [&](std::size_t b) {
    const std::size_t end = b + 1 < starts.size() ? starts[b + 1] : program.size();
    for (std::size_t i = starts[b]; i < end; ++i) {
      // The second half of a wide immediate is no instruction.
      const bool second_half = i > starts[b] && is_wide(program[i - 1]);
      items.push_back(second_half ? Item{program[i], static_cast<std::int64_t>(i), -1} : item_of(program, i));
    }
    if (end < program.size() && falls_through(program[end - 1]))
      items.push_back({{kJumpAlways, 0, 0, 0, 0}, -1, static_cast<std::int64_t>(end)});
  };
  for (std::size_t first = 0, behind = 0; first < starts.size(); first = behind) {
    behind = first + 1;
    while (behind < starts.size() && !functions[starts[behind]]) ++behind;
    add_block(first);
    for (std::size_t b = behind; b-- > first + 1;) add_block(b);
  }
  return lay_out(items, program.size());
}

}  // namespace ring3::fuzz
