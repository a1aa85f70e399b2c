// Which map types hold which special fields: every cell of the table of behaviour.md C.2.4, through BPF_MAP_CREATE.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using namespace uapi;

/// One letter a kind: what a map type may hold is a word of them.
struct Kind {
  char letter;
  const char* text;  // as messages name it
  bool in_lock;      // beside a lock, in the same struct
};
constexpr Kind kKinds[] = {{'L', "spin lock", false},      {'T', "timer", false},        {'W', "work item", false},
                           {'u', "untrusted kptr", false}, {'k', "kptr", false},         {'p', "per-CPU kptr", false},
                           {'w', "weak kptr", false},      {'c', "refcount", false},     {'l', "list head", true},
                           {'t', "tree root", true}};

enum Shape : std::uint8_t { kPlain, kStorage, kPrefix, kCgroup, kNoKey, kUnable };

struct Row {
  std::uint32_t type;
  std::string_view holds;
  Shape shape;
};
// kUnable: creation does not come to the fields, because the type takes no value type of a client's, or none of such a size.
constexpr Row kRows[] = {
    {BPF_MAP_TYPE_HASH, "LTWukpwclt", kPlain},
    {BPF_MAP_TYPE_ARRAY, "LTWukpwclt", kPlain},
    {BPF_MAP_TYPE_PROG_ARRAY, "", kUnable},
    {BPF_MAP_TYPE_PERF_EVENT_ARRAY, "", kUnable},
    {BPF_MAP_TYPE_PERCPU_HASH, "ukpwc", kPlain},
    {BPF_MAP_TYPE_PERCPU_ARRAY, "ukpwc", kPlain},
    {BPF_MAP_TYPE_STACK_TRACE, "", kUnable},
    {BPF_MAP_TYPE_CGROUP_ARRAY, "", kUnable},
    {BPF_MAP_TYPE_LRU_HASH, "TWukpwc", kPlain},  // roots as well, were it not for the lock that they need
    {BPF_MAP_TYPE_LRU_PERCPU_HASH, "ukpwc", kPlain},
    {BPF_MAP_TYPE_LPM_TRIE, "", kPrefix},
    {BPF_MAP_TYPE_ARRAY_OF_MAPS, "", kUnable},
    {BPF_MAP_TYPE_HASH_OF_MAPS, "", kUnable},
    {BPF_MAP_TYPE_DEVMAP, "", kUnable},
    {BPF_MAP_TYPE_SOCKMAP, "", kUnable},
    {BPF_MAP_TYPE_CPUMAP, "", kUnable},
    {BPF_MAP_TYPE_XSKMAP, "", kUnable},
    {BPF_MAP_TYPE_SOCKHASH, "", kUnable},
    {BPF_MAP_TYPE_CGROUP_STORAGE, "L", kCgroup},
    {BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "", kUnable},
    {BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, "", kCgroup},
    {BPF_MAP_TYPE_QUEUE, "", kUnable},
    {BPF_MAP_TYPE_STACK, "", kUnable},
    {BPF_MAP_TYPE_SK_STORAGE, "Lukpwc", kStorage},
    {BPF_MAP_TYPE_DEVMAP_HASH, "", kUnable},
    {BPF_MAP_TYPE_STRUCT_OPS, "", kUnable},
    {BPF_MAP_TYPE_RINGBUF, "", kUnable},
    {BPF_MAP_TYPE_INODE_STORAGE, "Lukpwc", kStorage},
    {BPF_MAP_TYPE_TASK_STORAGE, "Lukpwc", kStorage},
    {BPF_MAP_TYPE_BLOOM_FILTER, "", kNoKey},
    {BPF_MAP_TYPE_USER_RINGBUF, "", kUnable},
    {BPF_MAP_TYPE_CGRP_STORAGE, "Lukpwc", kStorage},
    {BPF_MAP_TYPE_ARENA, "", kUnable},
};

class FieldsTable : public KptrWorld {
 protected:
  FieldsTable() {
    const btf::TypeId own = t_.b.add_struct("own", 8, {{"number", t_.u64, 0}});
    const btf::TypeId member[] = {t_.lock,         t_.timer,
                                  t_.work,         t_.kptr(t_.counted, "kptr_untrusted"),
                                  t_.kptr(t_.counted), t_.kptr(own, "percpu_kptr"),
                                  t_.kptr(t_.counted, "kptr_weak"), t_.refcount,
                                  t_.list_head,    t_.rb_root};
    for (std::size_t i = 0; i < std::size(kKinds); ++i) {
      values_[i] = kKinds[i].in_lock
                       ? t_.b.add_struct("value", kValueBytes, {{"lock", t_.lock, 0}, {"field", member[i], 64}})
                       : t_.b.add_struct("value", kValueBytes, {{"field", member[i], 0}, {"number", t_.u64, 128}});
      if (kKinds[i].letter == 'l') t_.b.add_decl_tag("contains:listed:list", values_[i], 1);
      if (kKinds[i].letter == 't') t_.b.add_decl_tag("contains:sorted:tree", values_[i], 1);
    }
    t_.b.add_struct("listed", 24, {{"list", t_.list_node, 0}});
    t_.b.add_struct("sorted", 32, {{"tree", t_.rb_node, 0}});
    i32_ = t_.b.add_int("int", 4, 1);
    prefix_ = t_.b.add_struct("prefix", 8, {{"bits", t_.u32, 0}, {"data", t_.u32, 32}});
    btf_ = load_btf(t_);
    EXPECT_GE(btf_, 0) << bpf().log() << log_.take();
  }

  bpf_attr attr_of(const Row& row, btf::TypeId value) {
    bpf_attr attr = map_attr(btf_, row.type, t_.u32, value, kValueBytes);
    if (row.shape == kStorage) attr.btf_key_type_id = i32_;
    if (row.shape == kStorage || row.shape == kPrefix) attr.map_flags = BPF_F_NO_PREALLOC;
    if (row.shape == kStorage || row.shape == kCgroup) attr.max_entries = 0;
    if (row.shape == kPrefix) attr.btf_key_type_id = prefix_, attr.key_size = 8;
    if (row.shape == kCgroup) attr.btf_key_type_id = t_.u64, attr.key_size = 8;
    if (row.shape == kNoKey) attr.btf_key_type_id = 0, attr.key_size = 0;
    return attr;
  }

  static constexpr std::uint32_t kValueBytes = 24;
  ValueTypes t_;
  btf::TypeId values_[std::size(kKinds)] = {};
  btf::TypeId i32_ = 0, prefix_ = 0;
  long btf_ = 0;
};

TEST_F(FieldsTable, C_10_EveryMapTypeAndEveryKind) {
  static_assert(std::size(kRows) + 1 == __MAX_BPF_MAP_TYPE);
  for (const Row& row : kRows) {
    for (std::size_t i = 0; i < std::size(kKinds); ++i) {
      const Kind& kind = kKinds[i];
      const long made = bpf().create(attr_of(row, values_[i]));
      const std::string text = log_.take();
      const std::string what = "map type " + std::to_string(row.type) + ", " + kind.text + ": " + text;
      if (row.holds.find(kind.letter) != std::string_view::npos) {
        EXPECT_GE(made, 0) << what;
      } else if (row.shape == kUnable) {
        EXPECT_LT(made, 0) << what;
      } else {
        EXPECT_EQ(made, -EOPNOTSUPP) << what;
        EXPECT_NE(text.find("cannot hold a "), std::string::npos) << what;
        EXPECT_NE(text.find(kind.in_lock && row.holds.find('L') == std::string_view::npos ? "value.lock" : "value.field"), std::string::npos)
            << what;
      }
      if (made >= 0) bpf().close(made);
    }
  }
}

}  // namespace
}  // namespace ring3::test
