// Writes instructions that are nearly right, made of any bytes: for tame_programs.cc and looping_programs.cc.
//
// Registers: r6 is a pointer to `base_bytes` bytes, r10 the frame, of which -64 up is used; the others hold numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "isa/insn.h"

namespace ring3::fuzz {

class TameWriter {
 public:
  static constexpr std::uint8_t kFrame = 10, kBase = 6;
  static constexpr std::uint8_t kNumbers[] = {0, 1, 2, 3, 4, 5, 7, 8, 9};
  static constexpr std::uint8_t kMovImm = 0xb7, kMovReg = 0xbf, kAndImm = 0x57, kAddImm = 0x07, kAddReg = 0x0f, kLoad8 = 0x79, kLoad4 = 0x61,
                                kLoad1 = 0x71, kStoreReg8 = 0x7b, kStoreReg4 = 0x63, kStoreReg1 = 0x73, kStoreImm8 = 0x7a, kStoreImm4 = 0x62,
                                kJump = 0x05, kJeqImm = 0x15, kJneImm = 0x55, kJsgtImm = 0x65, kJltImm = 0xa5, kMayGoto = 0xe5, kCall = 0x85,
                                kExit = 0x95, kWide = 0x18;

  explicit TameWriter(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

 protected:
  bool more() const { return at_ < bytes_.size(); }
  std::uint8_t next() { return more() ? bytes_[at_++] : 0; }
  std::int32_t immediate();
  std::uint8_t number() { return kNumbers[next() % std::size(kNumbers)]; }
  void put(std::uint8_t code, unsigned dst, unsigned src, int off, std::int32_t imm);
  /// An instruction, or a few that belong together.
  void step();

  std::vector<isa::RawInsn> out_;
  int base_bytes_ = 64;

 private:
  void computed_stack();
  void spilled_pointer();
  void bounded();
  void one();

  const std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

}  // namespace ring3::fuzz
