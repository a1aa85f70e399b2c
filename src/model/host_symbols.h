// What a wide immediate with a BTF id names: a variable of the host's, or a function whose address a program asks for (whether
// there is such a function at all, mostly).
//
// At run time a per-CPU variable is named by the address of its HostVariable with bit 0 set, which no address of a per-CPU
// object of a program has: bpf_per_cpu_ptr takes both. Any other is named by its own address.
#pragma once

#include <cstdint>

#include "model/facts.h"

namespace ring3::model {

struct HostSymbol {
  enum class Kind : std::uint8_t {
    kNone,       // no such record
    kOther,      // a record of another kind
    kFunction,
    kVariable,
  } kind = Kind::kNone;
  std::string_view name;
  btf::TypeId type = 0;                  // kVariable: modifiers skipped
  bool percpu = false;                   // the same: what its section says
  const HostVariable* variable = nullptr;  // null: the host has not registered it
  const Kfunc* function = nullptr;         // the same
};

/// Section of a BTF that lists per-CPU variables.
inline constexpr std::string_view kPercpuSection = ".data..percpu";
bool is_percpu_variable(const btf::Btf& btf, btf::TypeId var);

HostSymbol find_host_symbol(const Facts& facts, btf::TypeId id);

/// What the program gets for it; 0: nobody knows its address.
std::uint64_t symbol_value(const HostSymbol& symbol);

/// The variable that the value names, or null: the value is no per-CPU variable.
inline const HostVariable* percpu_variable(std::uint64_t value) {
  return (value & 1) == 0 ? nullptr : reinterpret_cast<const HostVariable*>(static_cast<std::uintptr_t>(value - 1));
}

}  // namespace ring3::model
