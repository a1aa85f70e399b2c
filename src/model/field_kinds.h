// One row per kind of special field: how it is declared, its size, how many there may be, where it may lie.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/fields.h"

namespace ring3::model {

struct FieldRow {
  FieldKind kind;
  const char* text;
  std::string_view declared;  // name of the struct, or of the type tag of a kptr
  std::uint8_t size_bytes;
  std::uint8_t align_bytes;
  bool only_one;   // at most one in a value
  bool in_arrays;  // may be an array element
  FieldKind node;  // list head, tree root: the kind of its nodes; else the kind itself
};

std::span<const FieldRow> field_rows();
const FieldRow& field_row(FieldKind kind);
inline bool is_kptr(FieldKind kind) { return (field_bit(kind) & kKptrFields) != 0; }
inline bool is_root(FieldKind kind) { return kind == FieldKind::kListHead || kind == FieldKind::kRbRoot; }

}  // namespace ring3::model
