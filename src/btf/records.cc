#include "btf/records.h"

#include <array>

#include "base/check.h"

namespace ring3::btf {
namespace {

constexpr std::array<KindRow, kKindCount> kRows = {{
    // text        tail  element  third
    {"UNKNOWN",       0,       0, Third::kNone},
    {"INT",           4,       0, Third::kSize},
    {"PTR",           0,       0, Third::kType},
    {"ARRAY",        12,       0, Third::kNone},
    {"STRUCT",        0,      12, Third::kSize},
    {"UNION",         0,      12, Third::kSize},
    {"ENUM",          0,       8, Third::kSize},
    {"FWD",           0,       0, Third::kNone},
    {"TYPEDEF",       0,       0, Third::kType},
    {"VOLATILE",      0,       0, Third::kType},
    {"CONST",         0,       0, Third::kType},
    {"RESTRICT",      0,       0, Third::kType},
    {"FUNC",          0,       0, Third::kType},  // vlen is the linkage, there are no elements
    {"FUNC_PROTO",    0,       8, Third::kType},
    {"VAR",           4,       0, Third::kType},
    {"DATASEC",       0,      12, Third::kSize},
    {"FLOAT",         0,       0, Third::kSize},
    {"DECL_TAG",      4,       0, Third::kType},
    {"TYPE_TAG",      0,       0, Third::kType},
    {"ENUM64",        0,      12, Third::kSize},
}};

}  // namespace

const KindRow& kind_row(Kind kind) {
  RING3_CHECK(static_cast<std::uint32_t>(kind) < kKindCount, "BTF kind");
  return kRows[static_cast<std::size_t>(kind)];
}

}  // namespace ring3::btf
