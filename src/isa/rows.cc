#include "isa/rows.h"

#include <bit>

namespace ring3::isa {
namespace {

// The column words of insn.def.
namespace columns {
constexpr Field None{Role::kNone, 0};
constexpr Field R{Role::kRead, 0};
constexpr Field W{Role::kWrite, 0};
constexpr Field RW{Role::kReadWrite, 0};
constexpr Field Zero{Role::kZero, 0};
constexpr Field Mem{Role::kMem, 0};
constexpr Field Jump{Role::kJump, 0};
constexpr Field Any{Role::kAny, 0};
constexpr Field Value{Role::kValue, 0};
constexpr Field Low{Role::kLow, 0};
constexpr Field Width{Role::kWidth, 0};
constexpr Field Spaces{Role::kSpaces, 0};
constexpr Field Is(std::int16_t value) { return {Role::kIs, value}; }

constexpr unsigned Loads = Effect::kLoads;
constexpr unsigned Stores = Effect::kStores;
constexpr unsigned Rmw = Effect::kLoads | Effect::kStores;
constexpr unsigned RmwR0 = Rmw | Effect::kReadsR0 | Effect::kWritesR0;
constexpr unsigned ReadsR0 = Effect::kReadsR0;
constexpr unsigned Call = Effect::kCalls;
constexpr unsigned Skb = Effect::kReadsPacket;
constexpr unsigned Flow = Effect::kHasTarget;
constexpr unsigned Ends = Effect::kEnds;
constexpr unsigned Wide = Effect::kIsWide;
}  // namespace columns

constexpr std::array<Row, kRowCount> make_rows() {
  using namespace columns;
  return {{
#define RING3_INSN(op, bits, size, operand, code, dst, src, off, imm, effects, form, since, text) \
  Row{Op::op, bits, size, code, dst, src, off, imm, static_cast<std::uint16_t>(effects), Form::form, Since::since, text},
#include "isa/insn.def"
  }};
}

constexpr std::array<Row, kRowCount> kTable = make_rows();
static_assert(kRowCount < 255);

constexpr std::size_t kOpCount = static_cast<std::size_t>(Op::kAtomicCmpxchg) + 1;
constexpr std::uint8_t kNoRow = 255;

/// Rows by opcode byte (a chain through `next`) and by op (they stand together).
struct Index {
  std::array<std::uint8_t, 256> first_of_code{};
  std::array<std::uint8_t, kRowCount> next{};
  std::array<std::uint8_t, kOpCount> first_of_op{};
};

constexpr Index make_index() {
  Index index;
  for (auto& first : index.first_of_code) first = kNoRow;
  for (auto& first : index.first_of_op) first = kNoRow;
  for (std::size_t i = kRowCount; i-- > 0;) {
    const auto row = static_cast<std::uint8_t>(i);
    index.next[i] = index.first_of_code[kTable[i].code];
    index.first_of_code[kTable[i].code] = row;
    index.first_of_op[static_cast<std::size_t>(kTable[i].op)] = row;
  }
  return index;
}

constexpr Index kIndex = make_index();

/// Where the forms of an instruction differ, but for wide immediates: by width, operand and size.
constexpr std::size_t form_of(std::uint8_t bits, bool src_is_reg, std::uint8_t size) {
  return (static_cast<std::size_t>(bits == 64) * 2 + src_is_reg) * 5 + (size == 0 ? 0 : static_cast<std::size_t>(std::bit_width(size & 15u)));
}
constexpr std::size_t kForms = 20;

constexpr std::array<std::array<std::uint8_t, kForms>, kOpCount> make_forms() {
  std::array<std::array<std::uint8_t, kForms>, kOpCount> forms{};
  for (auto& of_op : forms) of_op.fill(kNoRow);
  for (std::size_t i = kRowCount; i-- > 0;)
    forms[static_cast<std::size_t>(kTable[i].op)][form_of(kTable[i].bits, kTable[i].src_is_reg(), kTable[i].size)] = static_cast<std::uint8_t>(i);
  return forms;
}

constexpr std::array<std::array<std::uint8_t, kForms>, kOpCount> kForm = make_forms();

constexpr bool ops_stand_together() {
  std::array<bool, kOpCount> seen{};
  for (std::size_t i = 0; i < kRowCount; ++i) {
    const auto op = static_cast<std::size_t>(kTable[i].op);
    if (seen[op] && kTable[i - 1].op != kTable[i].op) return false;
    seen[op] = true;
  }
  for (bool s : seen)
    if (!s) return false;
  return true;
}
static_assert(ops_stand_together(), "insn.def: rows of one op stand together, and every op has a row");

constexpr bool selected(const Row& row, const RawInsn& raw) {
  if (row.src.role == Role::kIs && raw.src != row.src.value) return false;
  if (row.off.role == Role::kIs && raw.off != row.off.value) return false;
  if (row.imm.role == Role::kIs && raw.imm != row.imm.value) return false;
  return true;
}

constexpr int selector_count(const Row& row) {
  return (row.src.role == Role::kIs) + (row.off.role == Role::kIs) + (row.imm.role == Role::kIs);
}

constexpr bool same_form(const Row& row, const Insn& insn) {
  if (row.bits != insn.bits || row.size != insn.size || row.src_is_reg() != insn.src_is_reg) return false;
  if (insn.op != Op::kLdImm64) return true;
  return insn.src == (row.src.role == Role::kIs ? row.src.value : 0);
}

}  // namespace

const std::array<Row, kRowCount> kRows = kTable;

int find_row(const RawInsn& raw) {
  // A row without selectors is the plain form of its code: it loses to one whose selectors match.
  int plain = -1;
  for (std::uint8_t i = kIndex.first_of_code[raw.code]; i != kNoRow; i = kIndex.next[i]) {
    const Row& row = kTable[i];
    if (selector_count(row) == 0) {
      if (plain < 0) plain = i;
    } else if (selected(row, raw)) {
      return i;
    }
  }
  return plain;
}

int find_row(const Insn& insn) {
  const auto op = static_cast<std::size_t>(insn.op);
  if (op >= kOpCount) return -1;
  if (insn.op != Op::kLdImm64) {
    const std::uint8_t found = kForm[op][form_of(insn.bits, insn.src_is_reg, insn.size)];
    return found != kNoRow && same_form(kTable[found], insn) ? found : -1;
  }
  for (std::size_t i = kIndex.first_of_op[op]; i < kRowCount && kTable[i].op == insn.op; ++i)
    if (same_form(kTable[i], insn)) return static_cast<int>(i);
  return -1;
}

bool is_known_code(std::uint8_t code) {
  // 0 is the second slot of a wide immediate: no instruction of its own.
  return code != 0 && kIndex.first_of_code[code] != kNoRow;
}

}  // namespace ring3::isa
