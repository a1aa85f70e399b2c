// Objects, lists, trees, iterators and dynptrs as programs use them, without a program.
#include "maps/allocated_type.h"

#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "base/fault_point.h"
#include "btf/builder.h"
#include "exec/kfunc_table.h"
#include "maps/map_check.h"
#include "maps/object_links.h"
#include "maps/testing.h"
#include "object/rcu.h"
#include "rewrite/packet_record.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using maps::AllocatedType;
using model::Field;
using model::FieldKind;
using namespace uapi;

struct Node {
  maps::ListNode list;
  maps::RbNode tree;
  std::uint32_t refs;
  std::uint32_t key;
  void* held;
};

/// Gives back references to ints by lowering them.
class CountingHost final : public maps::testing::FakeHost {
 public:
  maps::Releaser releaser(const Field& field) override {
    if (field.btf != nullptr) return {};  // a type of the program's own
    return {[](void* object, const void*) { --*static_cast<int*>(object); }, nullptr};
  }
};

/// Callbacks of the program are functions here.
class FunctionCode final : public Code {
 public:
  std::uint64_t call_subprog(RunContext&, std::uint32_t, std::uint64_t a, std::uint64_t b, std::uint64_t, std::uint64_t,
                             std::uint64_t) const override {
    const auto key = [](std::uint64_t r) {
      return reinterpret_cast<const Node*>(reinterpret_cast<const char*>(r) - offsetof(Node, tree))->key;
    };
    return key(a) < key(b);
  }
  const char* tier() const override { return "functions"; }

 protected:
  std::uint64_t enter(RunContext&, void*) const override { return 0; }
};

class ObjectsTest : public HelperTest {
 protected:
  ObjectsTest() {
    run_.code = &code_;
    live_before_ = AllocatedType::live_objects();
    fields_.fields = {{FieldKind::kListNode, offsetof(Node, list), 24, nullptr, 0, 0},
                      {FieldKind::kRbNode, offsetof(Node, tree), 32, nullptr, 0, 0},
                      {FieldKind::kRefcount, offsetof(Node, refs), 4, nullptr, 0, 0},
                      {FieldKind::kKptrRef, offsetof(Node, held), 8, nullptr, 0, 0}};
    type_ = AllocatedType::make(sizeof(Node), fields_, maps_, maps_.log).value();
  }
  ~ObjectsTest() override {
    rcu::drain();
    EXPECT_EQ(AllocatedType::live_objects(), live_before_);
  }

  template <typename... Args>
  std::int64_t kfunc(std::string_view name, Args... args) {
    const rewrite::HelperFn fn = find_own_kfunc(name);
    if (fn == nullptr) {
      ADD_FAILURE() << "no kfunc " << name;
      return 0;
    }
    const std::uint64_t regs[5] = {reg(args)...};
    return static_cast<std::int64_t>(fn(regs[0], regs[1], regs[2], regs[3], regs[4], run_));
  }
  Node* make(std::uint32_t key = 0) {
    auto* node = reinterpret_cast<Node*>(kfunc("bpf_obj_new_impl", 1, type_.get()));
    if (node != nullptr) node->key = key;
    return node;
  }
  void drop(Node* node) { kfunc("bpf_obj_drop_impl", node, type_.get()); }
  static Node* of_list(std::int64_t r) { return reinterpret_cast<Node*>(r); }
  static Node* of_tree(std::int64_t r) {
    return r == 0 ? nullptr : reinterpret_cast<Node*>(reinterpret_cast<char*>(r) - offsetof(Node, tree));
  }

  CountingHost maps_;
  FunctionCode code_;
  model::FieldTable fields_;
  std::shared_ptr<const AllocatedType> type_;
  std::int64_t live_before_ = 0;
};

TEST_F(ObjectsTest, TheLastReferenceEndsAnObjectAndWhatItHolds) {
  int held = 1;
  Node* node = make();
  ASSERT_NE(node, nullptr);
  EXPECT_EQ(node->refs, 1u);
  EXPECT_EQ(node->held, nullptr);
  node->held = &held;
  EXPECT_EQ(kfunc("bpf_refcount_acquire_impl", node, type_.get()), static_cast<std::int64_t>(reg(node)));
  drop(node);
  EXPECT_EQ(held, 1);
  {
    rcu::ReadSection readers;
    drop(node);
    EXPECT_EQ(held, 0) << "at once";
    EXPECT_EQ(node->key, 0u) << "the memory goes after readers";
    EXPECT_EQ(kfunc("bpf_refcount_acquire_impl", node, type_.get()), 0) << "nobody can save it";
  }
}

TEST_F(ObjectsTest, AnObjectKnowsItsStructWhereSeveralEnd) {
  const auto made = [this](const model::FieldTable& fields, btf::TypeId id) {
    return AllocatedType::make(sizeof(Node), fields, maps_, maps_.log, {nullptr, id}).value();
  };
  model::FieldTable other = fields_;
  other.fields.erase(other.fields.begin() + 2);  // not counted
  const auto counted = made(fields_, 5), plain = made(other, 6);
  const auto either = AllocatedType::one_of({counted, plain});
  auto* first = static_cast<Node*>(counted->allocate());
  auto* second = static_cast<Node*>(plain->allocate());
  EXPECT_TRUE(counted->acquire(first));
  int held = 1, also_held = 1;
  first->held = &held;
  second->held = &also_held;
  rcu::ReadSection readers;
  kfunc("bpf_obj_drop_impl", first, either.get());
  kfunc("bpf_obj_drop_impl", second, either.get());
  EXPECT_EQ(held, 1) << "somebody has it";
  EXPECT_EQ(also_held, 0);
  kfunc("bpf_obj_drop_impl", first, either.get());
  EXPECT_EQ(held, 0);
}

TEST_F(ObjectsTest, WithoutMemoryThereIsNone) {
  FaultInjection fault(0);
  EXPECT_EQ(make(), nullptr);
}

TEST_F(ObjectsTest, PercpuObjectsHaveACopyForEachCpu) {
  model::FieldTable plain;
  const auto type = AllocatedType::make(12, plain, maps_, maps_.log).value();
  const auto object = static_cast<std::uint64_t>(kfunc("bpf_percpu_obj_new_impl", 1, type.get()));
  ASSERT_NE(object, 0u);
  const std::int64_t first = call(BPF_FUNC_per_cpu_ptr, object, 0), last = call(BPF_FUNC_per_cpu_ptr, object, 3);
  EXPECT_EQ(last - first, 3 * 16);
  EXPECT_EQ(call(BPF_FUNC_per_cpu_ptr, object, 4), 0);
  std::memset(reinterpret_cast<void*>(last), 1, 12);
  EXPECT_NE(call(BPF_FUNC_this_cpu_ptr, object), 0);
  kfunc("bpf_percpu_obj_drop_impl", object, type.get());
}

TEST_F(ObjectsTest, ListsTakeANodeOnce) {
  maps::ListHead head{};
  Node *a = make(1), *b = make(2);
  EXPECT_EQ(kfunc("bpf_list_push_front_impl", &head, &a->list, type_.get(), offsetof(Node, list)), 0);
  EXPECT_EQ(kfunc("bpf_list_push_back_impl", &head, &b->list, type_.get(), offsetof(Node, list)), 0);
  EXPECT_EQ(kfunc("bpf_refcount_acquire_impl", a, type_.get()), static_cast<std::int64_t>(reg(a)));
  EXPECT_EQ(kfunc("bpf_list_push_back_impl", &head, &a->list, type_.get(), offsetof(Node, list)), -22);
  EXPECT_EQ(a->refs, 1u) << "the reference that was passed is gone";
  EXPECT_EQ(of_list(kfunc("bpf_list_pop_back", &head)), b);
  EXPECT_EQ(of_list(kfunc("bpf_list_pop_front", &head)), a);
  EXPECT_EQ(kfunc("bpf_list_pop_front", &head), 0);
  drop(a);
  drop(b);
}

TEST_F(ObjectsTest, TreesSortByTheProgramsCallback) {
  maps::RbRoot root{};
  std::vector<Node*> nodes;
  for (const std::uint32_t key : {5u, 1u, 9u, 3u, 7u}) {
    nodes.push_back(make(key));
    EXPECT_EQ(kfunc("bpf_rbtree_add_impl", &root, &nodes.back()->tree, 0, type_.get(), offsetof(Node, tree)), 0);
  }
  EXPECT_EQ(of_tree(kfunc("bpf_rbtree_first", &root)), nodes[1]);
  EXPECT_EQ(of_tree(kfunc("bpf_rbtree_remove", &root, &nodes[1]->tree)), nodes[1]);
  EXPECT_EQ(kfunc("bpf_rbtree_remove", &root, &nodes[1]->tree), 0) << "it is in no tree any more";
  drop(nodes[1]);
  std::vector<std::uint32_t> keys;
  while (Node* least = of_tree(kfunc("bpf_rbtree_first", &root))) {
    keys.push_back(least->key);
    drop(of_tree(kfunc("bpf_rbtree_remove", &root, &least->tree)));
  }
  EXPECT_EQ(keys, (std::vector<std::uint32_t>{3, 5, 7, 9}));
}

/// struct node { list node; tree node; refcount; }; struct owner { lock; list of node; tree of node; node kptr; }.
std::shared_ptr<const btf::Btf> owner_btf(btf::TypeId& node, btf::TypeId& owner) {
  btf::Builder b;
  const auto u32 = b.add_int("unsigned int", 4), u64 = b.add_int("unsigned long long", 8);
  const auto words = [&](const char* name, std::uint32_t count) {
    const btf::Builder::NewMember member[] = {{"__opaque", b.add_array(u64, u32, count), 0}};
    return b.add_struct(name, count * 8, member);
  };
  const auto list_node = words("bpf_list_node", 3), rb_node = words("bpf_rb_node", 4);
  const auto list_head = words("bpf_list_head", 2), rb_root = words("bpf_rb_root", 2);
  const auto lock = b.add_struct("bpf_spin_lock", 4, {{"val", u32, 0}});
  const auto refcount = b.add_struct("bpf_refcount", 4, {{"count", u32, 0}});
  node = b.add_struct("node", 64, {{"list", list_node, 0}, {"tree", rb_node, 24 * 8}, {"refs", refcount, 56 * 8}, {"key", u32, 60 * 8}});
  const auto pointer = b.add_ptr(b.add_type_tag("kptr", node));
  owner = b.add_struct("owner", 48, {{"lock", lock, 0}, {"list", list_head, 8 * 8}, {"tree", rb_root, 24 * 8}, {"one", pointer, 40 * 8}});
  b.add_decl_tag("contains:node:list", owner, 1);
  b.add_decl_tag("contains:node:tree", owner, 2);
  NullSink log;
  return btf::Btf::parse(b.finish(), nullptr, log).value();
}

TEST_F(ObjectsTest, AnOwnersEndEndsItsElements) {
  struct Owner {
    std::uint32_t lock, pad;
    maps::ListHead list;
    maps::RbRoot tree;
    Node* one;
  };
  btf::TypeId node_id = 0, owner_id = 0;
  const auto btf = owner_btf(node_id, owner_id);
  const auto node_type = AllocatedType::make(btf, node_id, maps_, maps_.log).value();
  const auto owner_type = AllocatedType::make(btf, owner_id, maps_, maps_.log).value();
  auto* owner = static_cast<Owner*>(owner_type->allocate());
  const auto fresh = [&](std::uint32_t key) {
    auto* node = static_cast<Node*>(node_type->allocate());
    node->key = key;
    return node;
  };
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(kfunc("bpf_list_push_back_impl", &owner->list, &fresh(i)->list, node_type.get(), offsetof(Node, list)), 0);
    EXPECT_EQ(kfunc("bpf_rbtree_add_impl", &owner->tree, &fresh(i)->tree, 0, node_type.get(), offsetof(Node, tree)), 0);
  }
  Node* both = fresh(9);
  ASSERT_TRUE(node_type->acquire(both));
  EXPECT_EQ(kfunc("bpf_list_push_back_impl", &owner->list, &both->list, node_type.get(), offsetof(Node, list)), 0);
  EXPECT_EQ(kfunc("bpf_rbtree_add_impl", &owner->tree, &both->tree, 0, node_type.get(), offsetof(Node, tree)), 0);
  owner->one = fresh(4);
  EXPECT_EQ(AllocatedType::live_objects() - live_before_, 9);
  owner_type->drop(owner);
  EXPECT_EQ(AllocatedType::live_objects() - live_before_, 0);
}

TEST_F(ObjectsTest, NumbersAreCounted) {
  std::uint64_t it = 0;
  EXPECT_EQ(kfunc("bpf_iter_num_new", &it, 3, 6), 0);
  std::vector<int> seen;
  while (const std::int64_t at = kfunc("bpf_iter_num_next", &it)) seen.push_back(*reinterpret_cast<int*>(at));
  EXPECT_EQ(seen, (std::vector<int>{3, 4, 5}));
  kfunc("bpf_iter_num_destroy", &it);
  EXPECT_EQ(kfunc("bpf_iter_num_new", &it, 6, 3), -22);
  EXPECT_EQ(kfunc("bpf_iter_num_next", &it), 0);
  EXPECT_EQ(kfunc("bpf_iter_num_new", &it, 0, 8 * 1024 * 1024 + 1), -7);
  EXPECT_EQ(kfunc("bpf_iter_num_new", &it, INT32_MIN, INT32_MIN + 2), 0);
  EXPECT_EQ(*reinterpret_cast<int*>(kfunc("bpf_iter_num_next", &it)), INT32_MIN);
  EXPECT_EQ(*reinterpret_cast<int*>(kfunc("bpf_iter_num_next", &it)), INT32_MIN + 1);
  EXPECT_EQ(kfunc("bpf_iter_num_next", &it), 0);
}

TEST_F(ObjectsTest, BitsAreFound) {
  std::uint64_t it[2] = {};
  const auto all = [&](std::vector<std::uint64_t> words) {
    EXPECT_EQ(kfunc("bpf_iter_bits_new", it, words.data(), words.size()), 0);
    std::vector<int> seen;
    while (const std::int64_t at = kfunc("bpf_iter_bits_next", it)) seen.push_back(*reinterpret_cast<int*>(at));
    kfunc("bpf_iter_bits_destroy", it);
    return seen;
  };
  EXPECT_EQ(all({0x8000000000000011}), (std::vector<int>{0, 4, 63}));
  EXPECT_EQ(all({0}), (std::vector<int>{}));
  EXPECT_EQ(all({1, 0, 1ull << 63}), (std::vector<int>{0, 191}));
  EXPECT_EQ(kfunc("bpf_iter_bits_new", it, it, 0), -22);
  EXPECT_EQ(kfunc("bpf_iter_bits_new", it, it, 512), -7);
  EXPECT_EQ(kfunc("bpf_iter_bits_new", it, 16, 2), -14);
  EXPECT_EQ(kfunc("bpf_iter_bits_next", it), 0);
}

class DynptrTest : public ObjectsTest {
 protected:
  std::uint64_t p_[2] = {}, q_[2] = {};
  std::array<char, 16> memory_{"0123456789abcde"};
};

TEST_F(DynptrTest, MemoryIsReadAndWritten) {
  EXPECT_EQ(call(BPF_FUNC_dynptr_from_mem, memory_.data(), 16, 0, p_), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_size", p_), 16);
  char out[4] = {};
  EXPECT_EQ(call(BPF_FUNC_dynptr_read, out, 4, p_, 3, 0), 0);
  EXPECT_EQ(std::string(out, 4), "3456");
  EXPECT_EQ(call(BPF_FUNC_dynptr_read, out, 4, p_, 13, 0), -7);
  EXPECT_EQ(std::string(out, 4), std::string(4, '\0'));
  EXPECT_EQ(call(BPF_FUNC_dynptr_read, out, 4, p_, 0xffffffff, 0), -7);
  EXPECT_EQ(call(BPF_FUNC_dynptr_read, out, 4, p_, 0, 1), -22);
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, p_, 1, "xy", 2, 0), 0);
  EXPECT_EQ(std::string(memory_.data(), 4), "0xy3");
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, p_, 15, "xy", 2, 0), -7);
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, p_, 0, "xy", 2, 1), -22);
  EXPECT_EQ(call(BPF_FUNC_dynptr_data, p_, 2, 4), static_cast<std::int64_t>(reg(memory_.data() + 2)));
  EXPECT_EQ(call(BPF_FUNC_dynptr_data, p_, 13, 4), 0);
}

TEST_F(DynptrTest, BadOnesAreNull) {
  EXPECT_EQ(call(BPF_FUNC_dynptr_from_mem, memory_.data(), 16, 1, p_), -22);
  EXPECT_EQ(kfunc("bpf_dynptr_is_null", p_), 1);
  EXPECT_EQ(kfunc("bpf_dynptr_is_rdonly", p_), 0);
  EXPECT_EQ(static_cast<std::int32_t>(kfunc("bpf_dynptr_size", p_)), -22);
  EXPECT_EQ(call(BPF_FUNC_dynptr_from_mem, memory_.data(), 1 << 24, 0, p_), -7);
  char out[] = "old";
  EXPECT_EQ(call(BPF_FUNC_dynptr_read, out, 4, p_, 0, 0), -22);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(call(BPF_FUNC_dynptr_data, p_, 0, 1), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_slice", p_, 0, 0, 1), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_adjust", p_, 0, 0), -22);
  EXPECT_EQ(kfunc("bpf_dynptr_clone", p_, q_), -22);
}

TEST_F(DynptrTest, AdjustAndClone) {
  ASSERT_EQ(call(BPF_FUNC_dynptr_from_mem, memory_.data(), 16, 0, p_), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_adjust", p_, 4, 12), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_size", p_), 8);
  EXPECT_EQ(kfunc("bpf_dynptr_clone", p_, q_), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_adjust", p_, 2, 4), 0);
  EXPECT_EQ(*reinterpret_cast<char*>(kfunc("bpf_dynptr_slice", p_, 0, 0, 1)), '6');
  EXPECT_EQ(kfunc("bpf_dynptr_size", q_), 8);
  EXPECT_EQ(*reinterpret_cast<char*>(kfunc("bpf_dynptr_slice_rdwr", q_, 0, 0, 8)), '4');
  EXPECT_EQ(kfunc("bpf_dynptr_adjust", p_, 3, 2), -22);
  EXPECT_EQ(kfunc("bpf_dynptr_adjust", p_, 0, 3), -34);
}

TEST_F(DynptrTest, Packets) {
  auto* bytes = reinterpret_cast<std::byte*>(memory_.data());
  rewrite::PacketRecord packet{};
  packet.data = bytes;
  packet.data_end = bytes + 10;
  EXPECT_EQ(kfunc("bpf_dynptr_from_skb", &packet, 0, p_, 1), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_is_rdonly", p_), 1);
  EXPECT_EQ(kfunc("bpf_dynptr_slice_rdwr", p_, 0, 0, 4), 0);
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, p_, 0, "x", 1, 0), -22);
  EXPECT_EQ(*reinterpret_cast<char*>(kfunc("bpf_dynptr_slice", p_, 2, 0, 4)), '2');
  EXPECT_EQ(kfunc("bpf_dynptr_slice", p_, 7, 0, 4), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_from_xdp", &packet, 0, q_, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_dynptr_data, q_, 0, 4), 0) << "packets are reached by slices";
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, q_, 0, "xyz", 3, 0), 0);
  packet.data_end = bytes + 2;
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, q_, 0, "xyz", 3, 0), -14) << "the packet has become shorter";
  EXPECT_EQ(kfunc("bpf_dynptr_from_xdp", &packet, 1, q_, 0), -22);
}

TEST_F(DynptrTest, RingRecords) {
  auto ring = maps::testing::make(maps_, maps::testing::spec(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096)).value();
  EXPECT_EQ(call(BPF_FUNC_ringbuf_reserve_dynptr, ring.get(), 16, 0, p_), 0);
  EXPECT_EQ(call(BPF_FUNC_dynptr_write, p_, 0, "record", 6, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_submit_dynptr, p_, 0), 0);
  EXPECT_EQ(kfunc("bpf_dynptr_is_null", p_), 1);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_submit_dynptr, p_, 0), 0) << "nothing to submit";
  EXPECT_EQ(call(BPF_FUNC_ringbuf_query, ring.get(), BPF_RB_AVAIL_DATA), 24);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_reserve_dynptr, ring.get(), 8192, 0, p_), -22);
  EXPECT_EQ(call(BPF_FUNC_ringbuf_discard_dynptr, p_, 0), 0) << "a null one must be ended, too";
  EXPECT_EQ(call(BPF_FUNC_ringbuf_reserve_dynptr, ring.get(), 16, 1, p_), -22);
}

}  // namespace
}  // namespace ring3::exec
