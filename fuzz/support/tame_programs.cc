#include "fuzz/support/tame_programs.h"

#include <iterator>

#include "fuzz/support/tame_writer.h"

namespace ring3::fuzz {
namespace {

class Maker final : public TameWriter {
 public:
  Maker(std::span<const std::uint8_t> bytes, std::size_t most) : TameWriter(bytes), most_(most) {}

  std::vector<isa::RawInsn> program() {
    put(kMovReg, kBase, 1, 0, 0);
    for (std::size_t i = 0; i < std::size(kNumbers); ++i) {
      if (i % 3 == 2) put(kMovImm, kNumbers[i], 0, 0, kFirst[i]);
      else put(i % 3 == 0 ? kLoad8 : kLoad4, kNumbers[i], kBase, static_cast<int>(8 * (i % 8)), 0);
    }
    for (int slot = 1; slot <= 3; ++slot) put(kStoreImm8, kFrame, 0, -8 * slot, slot - 1);
    while (more() && out_.size() < most_) step();
    for (int i = 0; i < 8; ++i) put(kMovImm, 0, 0, 0, 0);  // jumps land here
    put(kExit, 0, 0, 0, 0);
    return std::move(out_);
  }

 private:
  static constexpr std::int32_t kFirst[] = {0, 1, 2, 3, 7, 8, 15, 16, 31};
  const std::size_t most_;
};

}  // namespace

std::vector<isa::RawInsn> tame_program(std::span<const std::uint8_t> bytes, std::size_t most_insns) { return Maker(bytes, most_insns).program(); }

}  // namespace ring3::fuzz
