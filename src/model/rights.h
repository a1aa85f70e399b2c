// What a client's rights allow, as rows: allowances.def, map_rights.def. The rights a type of program takes are a
// column of prog_kinds.def, those of a helper a column of helper_protos.def, those of a context field one of
// ctx_layouts.def.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/facts.h"

namespace ring3::model {

/// What loading, making or doing something takes; bits, all of them needed.
enum ProgRight : std::uint8_t { kRightBpf = 1 << 0, kRightPerfmon = 1 << 1, kRightNetAdmin = 1 << 2 };

bool has_rights(const Rights& rights, std::uint8_t wanted);

enum class Allowance : std::uint8_t {
#define RING3_ALLOWANCE(name, rights, what) name,
#include "model/allowances.def"
#undef RING3_ALLOWANCE
};

bool is_allowed(const Rights& rights, Allowance what);
/// "addresses may become numbers, …"
std::string_view allowance_text(Allowance what);

/// May a client with these rights make a map of this type (enum bpf_map_type)?
bool may_create_map(std::uint32_t map_type, const Rights& rights);

/// Most instructions of a program.
std::uint32_t max_program_insns(const Rights& rights);

}  // namespace ring3::model
