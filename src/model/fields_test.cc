// Checks C-03 to C-08 and C-25 of the behaviour specification, as field parsing yields them.
#include "model/fields.h"

#include <gtest/gtest.h>

#include "btf/builder.h"
#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using btf::Btf;
using btf::Builder;
using btf::Kind;
using btf::TypeId;
using Member = Builder::NewMember;

std::shared_ptr<const Btf> done(const Builder& b) {
  StringSink log;
  auto r = Btf::parse(b.finish(), nullptr, log);
  EXPECT_TRUE(r.ok()) << log.text();
  return r.ok() ? r.value() : nullptr;
}

class FieldsTest : public testing::Test {
 protected:
  TypeId opaque(const char* name, std::uint32_t words, TypeId word) {
    const TypeId arr = b.add_array(word, u32, words);
    const Member m[] = {{"__opaque", arr, 0}};
    return b.add_struct(name, words * (word == u32 ? 4 : 8), m);
  }
  TypeId tagged(const char* tag, TypeId to) { return b.add_ptr(b.add_type_tag(tag, to)); }

  FieldTable ok(TypeId type, FieldSet wanted = kMapValueFields) {
    StringSink log;
    auto r = parse_fields(done(b), type, hosts, wanted, log);
    EXPECT_TRUE(r.ok()) << log.text();
    return r.ok() ? r.value() : FieldTable{};
  }
  // The errno, and in `text` what the log said.
  Errno error(TypeId type, FieldSet wanted = kMapValueFields) {
    StringSink log;
    auto r = parse_fields(done(b), type, hosts, wanted, log);
    text = log.take();
    EXPECT_FALSE(r.ok());
    return r.ok() ? Errno{} : r.error();
  }

  Builder b;
  TypeId u32 = b.add_int("u32", 4);
  TypeId u64 = b.add_int("u64", 8);
  TypeId lock = b.add_struct("bpf_spin_lock", 4, {{"val", u32, 0}});
  TypeId timer = opaque("bpf_timer", 2, u64);
  TypeId list_head = opaque("bpf_list_head", 2, u64);
  TypeId list_node = opaque("bpf_list_node", 3, u64);
  TypeId rb_node = opaque("bpf_rb_node", 4, u64);
  TypeId refcount = opaque("bpf_refcount", 1, u32);
  TypeId foo = b.add_struct("foo", 8, {{"x", u64, 0}});
  std::vector<std::shared_ptr<const Btf>> hosts;
  std::string text;
};

TEST_F(FieldsTest, C01FindsHostPointeesFirst) {
  Builder h;
  h.add_fwd("pad");
  const TypeId x = h.add_int("x_t", 8);
  const TypeId host_foo = h.add_struct("foo", 8, {{"x", x, 0}});
  hosts.push_back(done(h));
  const TypeId v = b.add_struct("value", 24, {{"n", u64, 0}, {"p", tagged("kptr", foo), 64},
                                              {"q", tagged("percpu_kptr", foo), 128}});
  const FieldTable t = ok(v);
  ASSERT_EQ(t.fields.size(), 2u);
  EXPECT_EQ(t.fields[0].kind, FieldKind::kKptrRef);
  EXPECT_EQ(t.fields[0].off, 8u);
  EXPECT_EQ(t.fields[0].btf, hosts[0]);
  EXPECT_EQ(t.fields[0].type, host_foo);
  EXPECT_EQ(t.fields[1].kind, FieldKind::kKptrPercpu);
  EXPECT_TRUE(same_fields(t, t));
  hosts.clear();
  EXPECT_EQ(ok(v).fields[0].type, foo);
}

TEST_F(FieldsTest, C02MissingDestructorIsNamed) {
  Builder h;
  const TypeId x = h.add_int("x_t", 8);
  h.add_struct("foo", 8, {{"x", x, 0}});
  hosts.push_back(done(h));
  const TypeId v = b.add_struct("value", 8, {{"p", tagged("kptr", foo), 0}});
  const FieldTable t = ok(v);
  auto own = done(b);
  StringSink log;
  const Result<void> r = check_releasable(t, *own, [](const void*, const Btf&, TypeId) { return false; }, nullptr, log);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error(), Errno::kNoEnt);
  EXPECT_EQ(log.text(), "value.p: the host has registered no destructor for struct foo\n");
  EXPECT_TRUE(check_releasable(t, *own, [](const void*, const Btf&, TypeId) { return true; }, nullptr, log).ok());
}

TEST_F(FieldsTest, C03BadTagsNameTheMember) {
  const TypeId strange = b.add_struct("v1", 8, {{"p", tagged("kptr_odd", foo), 0}});
  const TypeId two = b.add_struct("v2", 8, {{"p", tagged("kptr", b.add_type_tag("kptr", foo)), 0}});
  const TypeId to_int = b.add_struct("v3", 8, {{"p", tagged("kptr", u32), 0}});
  const TypeId to_ptr = b.add_struct("v4", 8, {{"p", tagged("kptr", b.add_ptr(foo)), 0}});
  const TypeId plain = b.add_struct("v5", 8, {{"p", b.add_ptr(foo), 0}});
  EXPECT_EQ(error(strange), Errno::kInval);
  EXPECT_EQ(text, "v1.p: unknown type tag 'kptr_odd'\n");
  EXPECT_EQ(error(two), Errno::kInval);
  EXPECT_EQ(text, "v2.p: a second type tag 'kptr' behind 'kptr'\n");
  EXPECT_EQ(error(to_int), Errno::kInval);
  EXPECT_EQ(text, "v3.p: kptr to 'u32': the pointee must be a struct\n");
  EXPECT_EQ(error(to_ptr), Errno::kInval);
  EXPECT_TRUE(ok(plain).empty());
}

TEST_F(FieldsTest, C04QualifiersAroundKptrs) {
  const TypeId vol = b.add_ref(Kind::kVolatile, tagged("kptr", foo));
  const TypeId to_const = tagged("kptr_untrusted", b.add_ref(Kind::kConst, foo));
  const TypeId v = b.add_struct("value", 16, {{"a", vol, 0}, {"b", to_const, 64}});
  const FieldTable t = ok(v);
  ASSERT_EQ(t.fields.size(), 2u);
  EXPECT_EQ(t.fields[1].kind, FieldKind::kKptrUntrusted);
  EXPECT_EQ(t.fields[1].type, foo);
}

TEST_F(FieldsTest, C06Counts) {
  const TypeId p = tagged("kptr", foo);
  const TypeId timers = b.add_struct("timers", 32, {{"a", timer, 0}, {"b", timer, 128}});
  const TypeId locks = b.add_struct("locks", 8, {{"a", lock, 0}, {"b", lock, 32}});
  const TypeId twelve = b.add_struct("twelve", 96, {{"p", b.add_array(p, u32, 12), 0}});
  const TypeId eleven = b.add_struct("eleven", 88, {{"p", b.add_array(p, u32, 11), 0}});
  const TypeId pair = b.add_struct("pair", 16, {{"p", p, 0}, {"n", u64, 64}});
  const TypeId pairs = b.add_struct("pairs", 48, {{"p", b.add_array(pair, u32, 3), 0}});
  const TypeId many_timers = b.add_struct("many", 32, {{"t", b.add_array(timer, u32, 2), 0}});
  EXPECT_EQ(error(timers), Errno::kTooBig);
  EXPECT_EQ(text, "timers.b: a second timer; timers.a is the first\n");
  EXPECT_EQ(error(locks), Errno::kTooBig);
  EXPECT_EQ(error(twelve), Errno::kTooBig);
  EXPECT_EQ(ok(eleven).fields.size(), 11u);
  const FieldTable t = ok(pairs);
  ASSERT_EQ(t.fields.size(), 3u);
  EXPECT_EQ(t.fields[2].off, 32u);
  EXPECT_EQ(error(many_timers), Errno::kInval);
  EXPECT_EQ(text, "many.t: a timer cannot be in an array\n");
}

TEST_F(FieldsTest, C07ListHeads) {
  const TypeId elem = b.add_struct("elem", 32, {{"n", u64, 0}, {"node", list_node, 64}});
  const auto head = [&](const char* name, const char* tag, bool with_lock) {
    std::vector<Member> m = {{"head", list_head, 0}};
    if (with_lock) m.push_back({"lock", lock, 128});
    const TypeId id = b.add_struct(name, 24, m);
    if (tag != nullptr) b.add_decl_tag(tag, id, 0);
    return id;
  };
  const TypeId good = head("good", "contains:elem:node", true);
  const TypeId unlocked = head("unlocked", "contains:elem:node", false);
  const TypeId untagged = head("untagged", nullptr, true);
  const TypeId malformed = head("malformed", "contains:elem", true);
  const TypeId stranger = head("stranger", "contains:nobody:node", true);
  const TypeId no_member = head("no_member", "contains:elem:gone", true);
  const TypeId wrong = head("wrong", "contains:elem:n", true);
  const TypeId twice = head("twice", "contains:elem:node", true);
  b.add_decl_tag("contains:elem:node", twice, 0);
  const TypeId overlap = b.add_struct("overlap", 24, {{"a", timer, 0}, {"b", tagged("kptr", foo), 64}});

  const FieldTable t = ok(good);
  ASSERT_EQ(t.fields.size(), 2u);
  EXPECT_EQ(t.fields[0].type, elem);
  EXPECT_EQ(t.fields[0].node_off, 8u);
  EXPECT_EQ(error(unlocked), Errno::kInval);
  EXPECT_EQ(text, "struct unlocked: a list head or tree root needs a bpf_spin_lock beside it\n");
  EXPECT_EQ(error(untagged), Errno::kInval);
  EXPECT_EQ(error(malformed), Errno::kInval);
  EXPECT_EQ(error(twice), Errno::kInval);
  EXPECT_EQ(error(stranger), Errno::kNoEnt);
  EXPECT_EQ(error(no_member), Errno::kNoEnt);
  EXPECT_EQ(error(wrong), Errno::kInval);
  EXPECT_EQ(text, "wrong.head: struct elem.n is no list node\n");
  EXPECT_EQ(error(overlap), Errno::kExist);
  EXPECT_EQ(text, "overlap.b: overlaps overlap.a\n");
}

TEST_F(FieldsTest, C08BothNodesNeedARefcount) {
  const TypeId without = b.add_struct("without", 56, {{"l", list_node, 0}, {"r", rb_node, 192}});
  const TypeId with = b.add_struct("with", 64, {{"l", list_node, 0}, {"r", rb_node, 192}, {"c", refcount, 448}});
  EXPECT_EQ(error(without, kAllocatedFields), Errno::kInval);
  EXPECT_EQ(ok(with, kAllocatedFields).fields.size(), 3u);
  EXPECT_EQ(ok(with).fields.size(), 1u);  // nodes are data in a map value
}

TEST_F(FieldsTest, ReservedNamesOfOtherShapesAreData) {
  Builder other;
  const TypeId word = other.add_int("u64", 8);
  const TypeId odd = other.add_struct("bpf_timer", 8, {{"x", word, 0}});
  const TypeId v = other.add_struct("value", 8, {{"t", odd, 0}});
  StringSink log;
  EXPECT_TRUE(parse_fields(done(other), v, hosts, kMapValueFields, log).value().empty());
  const TypeId bits = b.add_struct("bits", 24, {{"a", u32, 0, 3}, {"b", u32, 3, 5}, {"t", timer, 64}});
  EXPECT_EQ(ok(bits).fields.size(), 1u);
  EXPECT_TRUE(ok(u32).empty());
}

TEST_F(FieldsTest, FindsFieldsInSections) {
  const TypeId l = b.add_var("my_lock", lock, btf::Linkage::kStatic);
  const TypeId h = b.add_var("my_list", list_head, btf::Linkage::kStatic);
  b.add_struct("elem", 24, {{"node", list_node, 0}});
  b.add_decl_tag("contains:elem:node", h, -1);
  const btf::SecVar vars[] = {{l, 0, 4}, {h, 8, 16}};
  const TypeId sec = b.add_datasec(".bss.A", 24, vars);
  const FieldTable t = ok(sec);
  ASSERT_EQ(t.fields.size(), 2u);
  EXPECT_EQ(t.fields[1].off, 8u);
  EXPECT_NE(t.overlapping(10, 2), nullptr);
  EXPECT_EQ(t.overlapping(4, 4), nullptr);
}

class OwnershipTest : public FieldsTest {
 protected:
  // struct name { struct bpf_list_head head; struct bpf_spin_lock lock; struct bpf_list_node node; }
  void owner(const std::string& name, const std::string& of) {
    const TypeId id = b.add_struct(name, 48, {{"head", list_head, 0}, {"lock", lock, 128}, {"node", list_node, 192}});
    b.add_decl_tag("contains:" + of + ":node", id, 0);
  }
  Result<void> check() {
    StringSink log;
    Result<void> r = check_owned_types(done(b), hosts, log);
    text = log.take();
    return r;
  }
  void chain(int types) {
    for (int i = 1; i < types; ++i) owner("t" + std::to_string(i), "t" + std::to_string(i + 1));
    b.add_struct("t" + std::to_string(types), 24, {{"node", list_node, 0}});
  }
};

TEST_F(OwnershipTest, C25SelfOwningList) {
  owner("a", "a");
  const Result<void> r = check();
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.error(), Errno::kLoop);
  EXPECT_EQ(text, "struct a: owns itself, directly or through others\n");
}

TEST_F(OwnershipTest, C25RingOfTwo) {
  owner("a", "b");
  owner("b", "a");
  EXPECT_EQ(check().error(), Errno::kLoop);
}

TEST_F(OwnershipTest, C25RingThroughAKptr) {
  owner("a", "b");
  const TypeId a = b.next_id() - 2;
  b.add_struct("b", 32, {{"node", list_node, 0}, {"p", tagged("kptr", a), 192}});
  EXPECT_EQ(check().error(), Errno::kLoop);
}

TEST_F(OwnershipTest, C25ChainOfEightTypes) {
  chain(8);
  EXPECT_TRUE(check().ok()) << text;
}

TEST_F(OwnershipTest, C25ChainOfNineTypes) {
  chain(9);
  EXPECT_EQ(check().error(), Errno::kLoop);
}

TEST_F(OwnershipTest, C25UntrustedSelfPointerIsNoEdge) {
  const TypeId id = b.next_id() + 2;
  const TypeId p = b.add_ptr(b.next_id() + 1);
  b.add_type_tag("kptr_untrusted", id);
  b.add_struct("self", 32, {{"node", list_node, 0}, {"p", p, 192}});
  EXPECT_TRUE(check().ok()) << text;
}

TEST(FieldRowsTest, C10MapTypesPerKind) {
  using namespace uapi;
  EXPECT_TRUE(map_type_may_hold(BPF_MAP_TYPE_HASH, FieldKind::kSpinLock));
  EXPECT_FALSE(map_type_may_hold(BPF_MAP_TYPE_LRU_HASH, FieldKind::kSpinLock));
  EXPECT_FALSE(map_type_may_hold(BPF_MAP_TYPE_PERCPU_ARRAY, FieldKind::kTimer));
  EXPECT_TRUE(map_type_may_hold(BPF_MAP_TYPE_LRU_PERCPU_HASH, FieldKind::kKptrRef));
  EXPECT_FALSE(map_type_may_hold(BPF_MAP_TYPE_TASK_STORAGE, FieldKind::kListHead));
  EXPECT_FALSE(map_type_may_hold(BPF_MAP_TYPE_QUEUE, FieldKind::kKptrRef));
  FieldTable t;
  t.fields.push_back({FieldKind::kTimer, 8, 16, nullptr, 0, 0});
  StringSink log;
  EXPECT_EQ(check_map_type_holds(BPF_MAP_TYPE_PERCPU_ARRAY, t, log).error(), Errno::kOpNotSupp);
  EXPECT_EQ(log.text(), "value offset 8: a map of type 6 cannot hold a timer\n");
}

}  // namespace
}  // namespace ring3::model
