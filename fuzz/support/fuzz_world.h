// What generated programs may name: functions of a host that make, advance and end iterators, one array, and types for their own
// functions. The same names mean the machine's kernel's where it is asked (kernel_oracle.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "isa/insn.h"
#include "model/facts.h"
#include "verifier/verifier.h"

namespace ring3::fuzz {

enum class HostFunction : std::uint8_t { kNumNew, kNumNext, kNumDestroy, kBitsNew, kBitsNext, kBitsDestroy };
inline constexpr std::size_t kHostFunctions = 6;
std::string_view name_of(HostFunction function);

inline constexpr std::uint32_t kArrayValueBytes = 48, kArrayEntries = 4;
inline constexpr std::int32_t kLookupHelper = 1, kForEachHelper = 164, kLoopHelper = 181;

struct World {
  model::Facts facts;                           // the host's functions
  std::shared_ptr<const btf::Btf> program_btf;  // FUNC records for up to eight functions
  std::vector<std::byte> program_btf_bytes;     // the same, to be loaded

  /// What stands in a call's imm.
  btf::TypeId id_of(HostFunction function) const;
  std::optional<HostFunction> function_of(std::int64_t imm) const;
};
const World& world();

/// Function records of a program: where functions start, and which FUNC each is. Main is global, the others are static, as callbacks
/// have to be. Empty: too many.
std::vector<verifier::FuncInfo> function_records(std::span<const isa::RawInsn> program);

}  // namespace ring3::fuzz
