// Special fields where clients meet them: BTF load, map creation, the client's view of elements.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using namespace uapi;

class Kptrs : public KptrWorld {};

/// Makes maps that break a rule without fields, as Linux does.
class LenientKptrs : public KptrWorld {
 protected:
  LenientKptrs() : KptrWorld(true) {}
  /// A program that exchanges the first word of a value: what the verifier says.
  std::string exchange_in(long map) {
    EXPECT_EQ(bpf().load({.text = "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\n"
                                  "if r0 == 0 goto +4\nr1 = r0\nr2 = 0\ncall bpf_kptr_xchg\nr0 = 0\nexit",
                          .prog_type = BPF_PROG_TYPE_SCHED_CLS,
                          .map_fds = {static_cast<std::int32_t>(map)}}),
              -EINVAL);
    return bpf().log();
  }
};

TEST_F(Kptrs, C_01_MapOfReferencedKptrs) {
  const long map = make_holder(BPF_MAP_TYPE_HASH);
  ASSERT_GE(map, 0) << log_.take();
  const bpf_map_info info = bpf().map_info(map);
  EXPECT_NE(info.btf_id, 0u);
  EXPECT_NE(info.btf_value_type_id, 0u);
}

TEST_F(Kptrs, C_02_TypeWithoutDestructor) {
  ValueTypes types;
  const auto value = types.b.add_struct("value", 8, {{"held", types.kptr(types.loose), 0}});
  EXPECT_EQ(make(types, value, 8), -ENOENT);
  EXPECT_TRUE(said("struct loose_thing, which has no destructor")) << last_;
}

TEST_F(Kptrs, C_03_BadTagsNameTheMember) {
  const auto refused = [&](auto pointer_of, std::string_view words) {
    ValueTypes types;
    const auto value = types.b.add_struct("value", 8, {{"field", pointer_of(types), 0}});
    EXPECT_EQ(make(types, value, 8), -EINVAL) << words;
    const std::string text = bpf().log() + log_.take();
    EXPECT_NE(text.find("value.field"), std::string::npos) << text;
    EXPECT_NE(text.find(words), std::string::npos) << text;
  };
  refused([](ValueTypes& t) { return t.kptr(t.counted, "kptr_strange"); }, "unknown type tag");
  refused([](ValueTypes& t) { return t.b.add_ptr(t.b.add_type_tag("kptr", t.b.add_type_tag("kptr", t.counted))); },
          "second type tag");
  refused([](ValueTypes& t) { return t.kptr(t.u64); }, "must be a struct");
  refused([](ValueTypes& t) { return t.kptr(t.b.add_ptr(t.counted)); }, "must be a struct");
}

TEST_F(LenientKptrs, C_02_TypeWithoutDestructor) {
  ValueTypes types;
  const long map = make(types, types.b.add_struct("value", 8, {{"held", types.kptr(types.loose), 0}}), 8);
  ASSERT_GE(map, 0) << log_.take();
  EXPECT_NE(exchange_in(map).find("has no valid kptr"), std::string::npos) << bpf().log();
}

TEST_F(LenientKptrs, C_03_BadTagsLeaveNoField) {
  ValueTypes types;
  const auto value = types.b.add_struct("value", 8, {{"field", types.kptr(types.u64), 0}});
  // The BTF is held to the rules where a struct might be allocated: this one is known to maps alone.
  EXPECT_EQ(make(types, value, 8), -EINVAL);
  ValueTypes timers;
  const auto two = timers.b.add_struct("value", 32, {{"one", timers.timer, 0}, {"two", timers.timer, 128}});
  const long map = make(timers, two, 32);
  ASSERT_GE(map, 0) << log_.take();
  EXPECT_NE(exchange_in(map).find("has no valid kptr"), std::string::npos) << bpf().log();
}

TEST_F(Kptrs, C_33_UserPointersAreNewerThanTheContract) {
  // As in Linux 6.12, whose tags they are not: refused wherever they stand, and the member is named.
  for (const std::uint32_t type : {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_TASK_STORAGE}) {
    ValueTypes types;
    const auto i32 = types.b.add_int("int", 4, 1);
    const auto page = types.b.add_struct("page", 8, {{"number", types.u64, 0}});
    const auto value = types.b.add_struct("value", 8, {{"memory", types.kptr(page, "uptr"), 0}});
    const long btf = load_btf(types);
    std::string text = bpf().log();
    long made = btf;
    if (btf >= 0) {
      bpf_attr attr = map_attr(btf, type, type == BPF_MAP_TYPE_HASH ? types.u32 : i32, value, 8);
      if (type == BPF_MAP_TYPE_TASK_STORAGE) attr.max_entries = 0, attr.map_flags = BPF_F_NO_PREALLOC;
      made = bpf().create(attr);
    }
    text += log_.take();
    EXPECT_EQ(made, -EINVAL);
    EXPECT_NE(text.find("value.memory: unknown type tag 'uptr'"), std::string::npos) << text;
  }
}

TEST_F(Kptrs, C_04_QualifiersAreFine) {
  {
    ValueTypes types;
    const auto pointer = types.b.add_ref(btf::Kind::kVolatile, types.kptr(types.counted));
    EXPECT_GE(make(types, types.b.add_struct("value", 8, {{"held", pointer, 0}}), 8), 0) << log_.take();
  }
  ValueTypes types;
  const auto pointer = types.kptr(types.b.add_ref(btf::Kind::kConst, types.counted));
  EXPECT_GE(make(types, types.b.add_struct("value", 8, {{"held", pointer, 0}}), 8), 0) << log_.take();
}

TEST_F(Kptrs, C_05_TagsStandBeforeQualifiers) {
  {
    ValueTypes types;
    types.b.add_ptr(types.b.add_ref(btf::Kind::kConst, types.b.add_type_tag("kptr", types.counted)));
    EXPECT_EQ(load_btf(types), -EINVAL);
  }
  ValueTypes types;
  types.b.add_ptr(types.b.add_type_tag("kptr", types.b.add_ref(btf::Kind::kConst, types.counted)));
  EXPECT_GE(load_btf(types), 0);
}

TEST_F(Kptrs, C_06_HowMany) {
  {
    ValueTypes types;
    const auto value = types.b.add_struct("value", 32, {{"one", types.timer, 0}, {"two", types.timer, 128}});
    EXPECT_EQ(make(types, value, 32), -E2BIG);
  }
  {
    ValueTypes types;
    const auto value = types.b.add_struct("value", 8, {{"one", types.lock, 0}, {"two", types.lock, 32}});
    EXPECT_EQ(make(types, value, 8), -E2BIG);
  }
  for (const std::uint32_t count : {11u, 12u}) {
    ValueTypes types;
    const auto array = types.b.add_array(types.kptr(types.counted), types.u32, count);
    const long made = make(types, types.b.add_struct("value", count * 8, {{"held", array, 0}}), count * 8);
    EXPECT_EQ(made < 0 ? made : 0, count == 12 ? -E2BIG : 0) << log_.take();
  }
}

TEST_F(Kptrs, C_07_ListHeads) {
  const auto node = [](ValueTypes& t) {
    return t.b.add_struct("node", 32, {{"list", t.list_node, 0}, {"key", t.u64, 24 * 8}});
  };
  const auto load = [&](bool with_lock, std::string_view tag) {
    ValueTypes t;
    (void)node(t);
    const btf::TypeId value = with_lock ? t.b.add_struct("value", 24, {{"lock", t.lock, 0}, {"head", t.list_head, 64}})
                                        : t.b.add_struct("value", 24, {{"head", t.list_head, 64}});
    if (!tag.empty()) t.b.add_decl_tag(tag, value, with_lock ? 1 : 0);
    const long btf = load_btf(t);
    if (btf < 0) return btf;
    const long map = bpf().create(map_attr(btf, BPF_MAP_TYPE_ARRAY, t.u32, value, 24));
    return map < 0 ? map : 0;
  };
  EXPECT_EQ(load(true, "contains:node:list"), 0) << log_.take();
  EXPECT_EQ(load(false, "contains:node:list"), -EINVAL);
  EXPECT_EQ(load(true, ""), -EINVAL);
  EXPECT_EQ(load(true, "contains:nothing:list"), -ENOENT);
  EXPECT_EQ(load(true, "contains:node:nothing"), -ENOENT);
  EXPECT_EQ(load(true, "contains:node:key"), -EINVAL);
}

TEST_F(Kptrs, C_08_BothNodesNeedARefcount) {
  for (const bool counted : {false, true}) {
    ValueTypes t;
    std::vector<btf::Builder::NewMember> members = {{"list", t.list_node, 0}, {"tree", t.rb_node, 24 * 8}};
    if (counted) members.push_back({"refs", t.refcount, 56 * 8});
    t.b.add_struct("node", 64, members);
    const long made = load_btf(t);
    EXPECT_EQ(made < 0 ? made : 0, counted ? 0 : -EINVAL);
  }
}

TEST_F(Kptrs, C_09_OrderOfMapCreationChecks) {
  ValueTypes types;
  const auto value = holder(types);
  const long btf = load_btf(types);
  ASSERT_GE(btf, 0);
  bpf_attr attr = map_attr(btf, BPF_MAP_TYPE_HASH, types.u32, value, 16);
  syscall::OwnCaller nobody{model::Rights{}};
  EXPECT_EQ(syscall::bpf(runtime_->impl().kernel(), nobody, BPF_MAP_CREATE, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr),
            -EPERM);
  EXPECT_EQ(bpf().create(map_attr(btf, BPF_MAP_TYPE_HASH, types.u32, value, 16, BPF_F_RDONLY_PROG)), -EACCES);
  // A queue takes no BTF without a key at all, so that the other map without keys stands for it.
  bpf_attr bloom = map_attr(btf, BPF_MAP_TYPE_BLOOM_FILTER, 0, value, 16);
  bloom.key_size = 0;
  EXPECT_EQ(bpf().create(bloom), -EOPNOTSUPP);
  EXPECT_GE(bpf().create(map_attr(btf, BPF_MAP_TYPE_LRU_PERCPU_HASH, types.u32, value, 16)), 0);
}

TEST_F(Kptrs, C_10_MapTypesPerKind) {
  ValueTypes t;
  const auto with_timer = t.b.add_struct("with_timer", 16, {{"timer", t.timer, 0}});
  const auto with_lock = t.b.add_struct("with_lock", 8, {{"lock", t.lock, 0}});
  t.b.add_struct("node", 24, {{"list", t.list_node, 0}});
  const auto with_list = t.b.add_struct("with_list", 24, {{"lock", t.lock, 0}, {"head", t.list_head, 64}});
  t.b.add_decl_tag("contains:node:list", with_list, 1);
  const auto i32 = t.b.add_int("int", 4, 1);
  const long btf = load_btf(t);
  ASSERT_GE(btf, 0) << log_.take();
  EXPECT_EQ(bpf().create(map_attr(btf, BPF_MAP_TYPE_PERCPU_ARRAY, t.u32, with_timer, 16)), -EOPNOTSUPP);
  EXPECT_EQ(bpf().create(map_attr(btf, BPF_MAP_TYPE_LRU_HASH, t.u32, with_lock, 8)), -EOPNOTSUPP);
  bpf_attr storage = map_attr(btf, BPF_MAP_TYPE_TASK_STORAGE, i32, with_list, 24, BPF_F_NO_PREALLOC);
  storage.max_entries = 0;
  EXPECT_EQ(bpf().create(storage), -EOPNOTSUPP);
  EXPECT_GE(bpf().create(map_attr(btf, BPF_MAP_TYPE_LRU_HASH, t.u32, with_timer, 16)), 0) << log_.take();
  EXPECT_GE(bpf().create(map_attr(btf, BPF_MAP_TYPE_HASH, t.u32, with_list, 24)), 0) << log_.take();
}

TEST_F(Kptrs, C_22_NoFreezeAndNoMemory) {
  const long map = make_holder(BPF_MAP_TYPE_ARRAY);
  ASSERT_GE(map, 0) << log_.take();
  EXPECT_EQ(bpf().freeze(map), kENotSupp);
  EXPECT_LT(map_object(map)->memory_fd(), 0);
  const long mappable = make_holder(BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE);
  ASSERT_GE(mappable, 0) << log_.take();
  EXPECT_LT(map_object(mappable)->memory_fd(), 0) << "no memory a client could map";
}

TEST_F(Kptrs, C_23_InnerMapsHaveTheSameFields) {
  ValueTypes types;
  const auto value = holder(types);
  const auto other = types.b.add_struct("other", 16, {{"number", types.u64, 0}, {"held", types.kptr(types.counted, "kptr_untrusted"), 64}});
  const auto plain = types.b.add_struct("plain", 16, {{"number", types.u64, 0}, {"held", types.u64, 64}});
  const long btf = load_btf(types);
  const auto inner = [&](btf::TypeId type) { return bpf().create(map_attr(btf, BPF_MAP_TYPE_ARRAY, types.u32, type, 16)); };
  bpf_attr outer = BpfClient::zero();
  outer.map_type = BPF_MAP_TYPE_ARRAY_OF_MAPS;
  outer.key_size = outer.value_size = 4;
  outer.max_entries = 2;
  outer.inner_map_fd = static_cast<std::uint32_t>(inner(value));
  const long outer_fd = bpf().create(outer);
  ASSERT_GE(outer_fd, 0) << log_.take();
  const auto put = [&](long map) {
    const auto fd = static_cast<std::uint32_t>(map);
    return bpf().update(outer_fd, &fd);
  };
  EXPECT_EQ(put(inner(other)), -EINVAL);
  EXPECT_EQ(put(inner(value)), 0);
  EXPECT_EQ(put(inner(plain)), -EINVAL);
}

TEST_F(Kptrs, C_24_LockFlag) {
  ValueTypes types;
  const auto locked = types.b.add_struct("locked", 16, {{"lock", types.lock, 0}, {"number", types.u64, 64}});
  const auto plain = types.b.add_struct("plain", 16, {{"lock", types.u32, 0}, {"number", types.u64, 64}});
  const long btf = load_btf(types);
  const std::uint64_t value[2] = {0xffffffff, 7};
  const long without = bpf().create(map_attr(btf, BPF_MAP_TYPE_ARRAY, types.u32, plain, 16));
  EXPECT_EQ(bpf().update(without, value, 0, BPF_F_LOCK), -EINVAL);
  const long with = bpf().create(map_attr(btf, BPF_MAP_TYPE_ARRAY, types.u32, locked, 16));
  EXPECT_EQ(bpf().update(with, value, 0, BPF_F_LOCK), 0);
  std::uint64_t out[2] = {1, 1};
  EXPECT_EQ(bpf().lookup(with, out), 0);
  EXPECT_EQ(out[0], 0u) << "the lock is not the client's";
  EXPECT_EQ(out[1], 7u);
}

}  // namespace
}  // namespace ring3::test
