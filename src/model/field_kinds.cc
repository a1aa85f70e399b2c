#include "model/field_kinds.h"

#include <fmt/format.h>

#include <array>

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using K = FieldKind;

constexpr std::array kRows = {
    // kind           text                declared           size align  one    arrays node
    FieldRow{K::kSpinLock, "spin lock", "bpf_spin_lock", 4, 4, true, false, K::kSpinLock},
    FieldRow{K::kTimer, "timer", "bpf_timer", 16, 8, true, false, K::kTimer},
    FieldRow{K::kWork, "work item", "bpf_wq", 16, 8, true, false, K::kWork},
    FieldRow{K::kRefcount, "refcount", "bpf_refcount", 4, 4, true, false, K::kRefcount},
    FieldRow{K::kListHead, "list head", "bpf_list_head", 16, 8, false, true, K::kListNode},
    FieldRow{K::kListNode, "list node", "bpf_list_node", 24, 8, false, false, K::kListNode},
    FieldRow{K::kRbRoot, "tree root", "bpf_rb_root", 16, 8, false, true, K::kRbNode},
    FieldRow{K::kRbNode, "tree node", "bpf_rb_node", 32, 8, false, false, K::kRbNode},
    FieldRow{K::kKptrUntrusted, "untrusted kptr", "kptr_untrusted", 8, 8, false, true, K::kKptrUntrusted},
    FieldRow{K::kKptrRef, "kptr", "kptr", 8, 8, false, true, K::kKptrRef},
    FieldRow{K::kKptrPercpu, "per-CPU kptr", "percpu_kptr", 8, 8, false, true, K::kKptrPercpu},
    FieldRow{K::kKptrWeak, "weak kptr", "kptr_weak", 8, 8, false, true, K::kKptrWeak},
};

consteval bool rows_are_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i)
    if (static_cast<std::size_t>(kRows[i].kind) != i) return false;
  return true;
}
static_assert(rows_are_in_order());

constexpr FieldSet kLock = field_bit(K::kSpinLock);
constexpr FieldSet kDeferred = field_bit(K::kTimer) | field_bit(K::kWork);
constexpr FieldSet kCounted = kKptrFields | field_bit(K::kRefcount);
constexpr FieldSet kRoots = field_bit(K::kListHead) | field_bit(K::kRbRoot);

struct MapRow {
  std::uint32_t map_type;
  FieldSet may_hold;
};

constexpr MapRow kMapRows[] = {
    {uapi::BPF_MAP_TYPE_HASH, kLock | kDeferred | kCounted | kRoots},
    {uapi::BPF_MAP_TYPE_LRU_HASH, kDeferred | kCounted | kRoots},
    {uapi::BPF_MAP_TYPE_PERCPU_HASH, kCounted},
    {uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH, kCounted},
    {uapi::BPF_MAP_TYPE_ARRAY, kLock | kDeferred | kCounted | kRoots},
    {uapi::BPF_MAP_TYPE_PERCPU_ARRAY, kCounted},
    {uapi::BPF_MAP_TYPE_SK_STORAGE, kLock | kCounted},
    {uapi::BPF_MAP_TYPE_INODE_STORAGE, kLock | kCounted},
    {uapi::BPF_MAP_TYPE_TASK_STORAGE, kLock | kCounted},
    {uapi::BPF_MAP_TYPE_CGRP_STORAGE, kLock | kCounted},
    {uapi::BPF_MAP_TYPE_CGROUP_STORAGE, kLock},
};

}  // namespace

std::span<const FieldRow> field_rows() { return kRows; }
const FieldRow& field_row(FieldKind kind) { return kRows[static_cast<std::size_t>(kind)]; }
const char* field_text(FieldKind kind) { return field_row(kind).text; }

bool map_type_may_hold(std::uint32_t map_type, FieldKind kind) {
  for (const MapRow& row : kMapRows)
    if (row.map_type == map_type) return (row.may_hold & field_bit(kind)) != 0;
  return false;
}

Result<void> check_map_type_holds(std::uint32_t map_type, const FieldTable& table, TextSink& log) {
  for (const Field& f : table.fields) {
    if (map_type_may_hold(map_type, f.kind)) continue;
    log.write(fmt::format("{}: a map of type {} cannot hold a {}\n", field_place(f), map_type, field_text(f.kind)));
    return Errno::kOpNotSupp;
  }
  return {};
}

}  // namespace ring3::model
