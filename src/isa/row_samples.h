// Test support: legal raw slots of every row, with the corner values of each free field.
#pragma once

#include <vector>

#include "isa/insn.h"
#include "isa/rows.h"

namespace ring3::isa {

struct Sample {
  std::size_t row;
  std::vector<RawInsn> slots;  // two for a wide immediate
};

inline std::vector<std::int32_t> sample_values(Field field, bool is_off) {
  switch (field.role) {
    case Role::kMem: case Role::kJump: case Role::kValue:
      if (is_off) return {0, 1, -8, 8, 32767, -32768};
      return {0, 1, -1, 10, 255, 2147483647, -2147483647 - 1};
    case Role::kLow: return {0, 7, 2147483647};
    case Role::kWidth: return {16, 32, 64};
    case Role::kSpaces: return {1, 1 << 16};
    case Role::kIs: return {field.value};
    case Role::kRead: case Role::kWrite: case Role::kReadWrite: return {0, 3, 10};
    case Role::kNone: case Role::kZero: case Role::kAny: return {0};
  }
  return {};
}

/// Every combination of the corner values, each as a program of its own (not a runnable one).
inline std::vector<Sample> row_samples() {
  std::vector<Sample> out;
  for (std::size_t row = 0; row < kRowCount; ++row) {
    const Row& r = kRows[row];
    if (r.op == Op::kLdImm64Hi) continue;
    for (std::int32_t dst : sample_values(r.dst, false))
      for (std::int32_t src : sample_values(r.src, false))
        for (std::int32_t off : sample_values(r.off, true))
          for (std::int32_t imm : sample_values(r.imm, false)) {
            Sample sample{row, {}};
            sample.slots.push_back(RawInsn{r.code, static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15),
                                           static_cast<std::int16_t>(off), imm});
            if (r.effects & kIsWide)
              sample.slots.push_back(RawInsn{0, 0, 0, 0, r.imm.role == Role::kValue ? imm / 3 : 0});
            out.push_back(sample);
          }
  }
  return out;
}

}  // namespace ring3::isa
