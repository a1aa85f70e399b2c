// Owned objects through verify(): stored pointers, the program's own objects, locks, lists, trees, read sections.
#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::TestProgram;
using testing::parsed;
using btf::Builder;
using btf::TypeId;

/// A host with two storable types, and a program with structs of its own:
///   struct elem { u64 key; bpf_list_node list; bpf_rb_node rb; bpf_refcount; host_obj __kptr *held; }    80 bytes
///   struct plain { u64 a; }, struct pair { u64 a, b; }, struct host_obj { u64 mine; }
/// Map `box`, an array of one value, and `hash`, with values
///   { bpf_spin_lock; bpf_list_head @8, bpf_rb_root @24 of elem; host_obj __kptr @40; elem __kptr @48;
///     host_obj __kptr_untrusted @56; frail __kptr @64 }
class World final : public testing::HostNames {
 public:
  World() {
    make_host();
    make_own();
    for (const char* name : {"box", "hash"}) {
      model::MapFacts map;
      map.id = static_cast<std::uint32_t>(maps.size()) + 1;
      map.type = name == std::string_view("box") ? uapi::BPF_MAP_TYPE_ARRAY : uapi::BPF_MAP_TYPE_HASH;
      map.key_size = 4;
      map.value_size = 72;
      map.max_entries = 1;
      map.name = name;
      map.btf = own;
      map.value_type = own->find("value", btf::Kind::kStruct);
      StringSink log;
      const std::shared_ptr<const btf::Btf> hosts[] = {facts.host_btf};
      auto fields = model::parse_fields(own, map.value_type, hosts, model::kMapValueFields, log);
      EXPECT_TRUE(fields.ok()) << log.text();
      map.fields = std::move(fields).value();
      maps.push_back(std::move(map));
    }
  }

  bool map(std::string_view name, std::int32_t& fd) const override {
    fd = name == "box" ? 0 : 1;
    return true;
  }
  TypeId type(std::string_view name) const { return own->find(name, btf::Kind::kStruct); }

  std::shared_ptr<const btf::Btf> own;
  std::vector<model::MapFacts> maps;

 private:
  struct Function {
    std::string name;
    std::uint32_t flags;
  };

  void make_host() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4), nothing = b.add_ptr(0);
    const TypeId boolean = b.add_int("bool", 1, 4);
    const TypeId obj = b.add_struct("host_obj", 16, {{"a", u32, 0}, {"next", b.next_id() + 1, 64}});
    const TypeId obj_ptr = b.add_ptr(obj);
    const TypeId frail = b.add_struct("frail", 8, {{"a", obj_ptr, 0}});
    const TypeId frail_ptr = b.add_ptr(frail);
    const auto pointer_to = [&](std::string_view name, std::uint32_t bytes) {
      return b.add_ptr(b.add_struct(name, bytes, {{"opaque", u64, 0}}));
    };
    const TypeId head = pointer_to("bpf_list_head", 16), node = pointer_to("bpf_list_node", 24);
    const TypeId root = pointer_to("bpf_rb_root", 16), rb = pointer_to("bpf_rb_node", 32);
    const TypeId less = b.add_ptr(b.add_proto(boolean, {{"a", rb}, {"b", rb}}));
    std::vector<Function> functions;
    const auto add = [&](std::string_view name, std::uint32_t flags, TypeId ret, std::initializer_list<Builder::NewParam> params) {
      b.add_func(name, b.add_proto(ret, params), btf::Linkage::kStatic);
      functions.push_back({std::string(name), flags});
    };
    constexpr std::uint32_t kGet = model::kKfuncAcquire | model::kKfuncRetNull;
    add("bpf_obj_new_impl", kGet, nothing, {{"local_type_id__k", u64}, {"meta__ign", nothing}});
    add("bpf_obj_drop_impl", model::kKfuncRelease, 0, {{"p__alloc", nothing}, {"meta__ign", nothing}});
    add("bpf_refcount_acquire_impl", kGet | model::kKfuncRcu, nothing, {{"p__refcounted_kptr", nothing}, {"meta__ign", nothing}});
    add("bpf_list_push_front_impl", 0, u32, {{"head", head}, {"node", node}, {"meta__ign", nothing}, {"off", u64}});
    add("bpf_list_pop_front", kGet, node, {{"head", head}});
    add("bpf_rbtree_add_impl", 0, u32, {{"root", root}, {"node", rb}, {"less", less}, {"meta__ign", nothing}, {"off", u64}});
    add("bpf_rbtree_first", model::kKfuncRetNull, rb, {{"root", root}});
    add("bpf_rbtree_remove", kGet, rb, {{"root", root}, {"node", rb}});
    add("bpf_rcu_read_lock", 0, 0, {});
    add("bpf_rcu_read_unlock", 0, 0, {});
    add("obj_get", kGet, obj_ptr, {});
    add("obj_put", model::kKfuncRelease, 0, {{"obj", obj_ptr}});
    add("obj_look", model::kKfuncRcu, 0, {{"obj", obj_ptr}});
    add("frail_look", model::kKfuncRcu, 0, {{"obj", frail_ptr}});
    facts.host_btf = parsed(b);
    for (const Function& f : functions)
      facts.kfuncs.push_back({.name = f.name, .btf = facts.host_btf, .func = facts.host_btf->find(f.name, btf::Kind::kFunc),
                              .flags = f.flags});
    model::KptrType kept{.name = "host_obj", .btf = facts.host_btf, .type = facts.host_btf->find("host_obj", btf::Kind::kStruct)};
    kept.rcu_safe = true;
    facts.kptr_types.push_back(kept);
  }

  void make_own() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4);
    const TypeId list = b.add_struct("bpf_list_node", 24, {{"opaque", u64, 0}});
    const TypeId rb = b.add_struct("bpf_rb_node", 32, {{"opaque", u64, 0}});
    const TypeId count = b.add_struct("bpf_refcount", 4, {{"opaque", u32, 0}});
    const TypeId lock = b.add_struct("bpf_spin_lock", 4, {{"val", u32, 0}});
    const TypeId head = b.add_struct("bpf_list_head", 16, {{"opaque", u64, 0}});
    const TypeId root = b.add_struct("bpf_rb_root", 16, {{"opaque", u64, 0}});
    const TypeId obj = b.add_struct("host_obj", 8, {{"mine", u64, 0}});
    const TypeId frail = b.add_struct("frail", 8, {{"mine", u64, 0}});
    b.add_struct("plain", 8, {{"a", u64, 0}});
    b.add_struct("pair", 16, {{"a", u64, 0}, {"b", u64, 64}});
    b.add_struct("flex", 8, {{"n", u64, 0}, {"tail", b.add_array(u64, u32, 0), 64}});
    const auto kptr = [&](TypeId to, std::string_view tag) { return b.add_ptr(b.add_type_tag(tag, to)); };
    const TypeId obj_kptr = kptr(obj, "kptr"), obj_untrusted = kptr(obj, "kptr_untrusted"), frail_kptr = kptr(frail, "kptr");
    const TypeId elem = b.add_struct("elem", 80, {{"key", u64, 0}, {"list", list, 64}, {"rb", rb, 256}, {"count", count, 512},
                                                  {"held", obj_kptr, 576}});
    const TypeId elem_kptr = kptr(elem, "kptr");
    const TypeId value = b.add_struct("value", 72, {{"lock", lock, 0}, {"head", head, 64}, {"root", root, 192},
                                                    {"obj", obj_kptr, 320}, {"elem", elem_kptr, 384},
                                                    {"seen", obj_untrusted, 448}, {"frail", frail_kptr, 512}});
    b.add_decl_tag("contains:elem:list", value, 1);
    b.add_decl_tag("contains:elem:rb", value, 2);
    own = parsed(b);
  }
};

class ObjectsTest : public ::testing::Test {
 protected:
  /// The log of verifying `body`, run with r6 = the value of `box`; "accepted" when it passes. `out` returns 0.
  /// functions: behind it; subprog[+0] is their first.
  std::string judge(const std::string& body, const std::string& functions = "") {
    std::string text = "r6 = map[name:box][0]+0\n" + body + "out:\nr0 = 0\nexit\n";
    for (std::size_t at; (at = text.find('$')) != std::string::npos;) {  // $elem: the id of the struct
      std::size_t end = at + 1;
      while (end < text.size() && (std::isalpha(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) ++end;
      text.replace(at, end - at, std::to_string(world_.type(text.substr(at + 1, end - at - 1))));
    }
    TestProgram program(text, &world_, functions);
    ProgramInput& in = program.input;
    if (sleepable_) in.prog_type = uapi::BPF_PROG_TYPE_SYSCALL, in.flags = uapi::BPF_F_SLEEPABLE;
    in.maps = world_.maps;
    in.btf = world_.own;
    return program.judge(world_.facts, &verified_);
  }

  void accepts(const std::string& body, const std::string& functions = "") {
    EXPECT_EQ(judge(body, functions), "accepted") << body;
  }
  void refuses(const std::string& body, const std::string& words, const std::string& functions = "") {
    const std::string log = judge(body, functions);
    EXPECT_NE(log.find(words), std::string::npos) << "lacks: " << words << "\n" << log;
  }

  World world_;
  bool sleepable_ = false;
  VerifiedProgram verified_;
};

/// r7 = a new elem, owned.
const std::string kNew = "r1 = $elem ll\nr2 = 0\ncall bpf_obj_new_impl\nif r0 == 0 goto out\nr7 = r0\n";
const std::string kLock = "r1 = r6\ncall bpf_spin_lock\n";
const std::string kUnlock = "r1 = r6\ncall bpf_spin_unlock\n";
const std::string kDrop7 = "r1 = r7\nr2 = 0\ncall bpf_obj_drop_impl\n";
const std::string kPush7 = "r1 = r6\nr1 += 8\nr2 = r7\nr2 += 8\nr3 = 0\nr4 = 0\ncall bpf_list_push_front_impl\n";
const std::string kAdd7 = "r1 = r6\nr1 += 24\nr2 = r7\nr2 += 32\nr3 = subprog[+0]\nr4 = 0\nr5 = 0\ncall bpf_rbtree_add_impl\n";
const std::string kLess = "less:\nr1 = *(u64 *)(r1 -32)\nr2 = *(u64 *)(r2 -32)\nr0 = 1\nif r1 < r2 goto yes\nr0 = 0\nyes:\nexit\n";
std::string exchange(int off, const std::string& value) {
  return "r1 = r6\nr1 += " + std::to_string(off) + "\nr2 = " + value + "\ncall bpf_kptr_xchg\n";
}
const std::string kGet = "call obj_get\nif r0 == 0 goto out\nr7 = r0\n";
const std::string kPut7 = "r1 = r7\ncall obj_put\n";

TEST_F(ObjectsTest, StoredPointersAreLoadedByTheSectionAndTheType) {
  accepts("r1 = *(u64 *)(r6 +40)\nif r1 == 0 goto out\ncall obj_look\n");
  refuses("r1 = *(u64 *)(r6 +40)\ncall obj_look\n", "Possibly NULL pointer passed to trusted arg0");
  refuses("r1 = *(u64 *)(r6 +64)\nif r1 == 0 goto out\ncall frail_look\n", "R1 must be a rcu pointer");
  refuses("r1 = *(u64 *)(r6 +56)\nr0 = *(u32 *)(r1 +0)\n", "R1 invalid mem access 'untrusted_ptr_or_null_'");
  accepts("r1 = *(u64 *)(r6 +56)\nif r1 == 0 goto out\nr0 = *(u32 *)(r1 +0)\n");
  refuses("r1 = *(u64 *)(r6 +56)\nif r1 == 0 goto out\ncall obj_look\n", "R1 must be a rcu pointer");
}

TEST_F(ObjectsTest, StoredPointersAreAccessedWhole) {
  refuses("r1 = *(u32 *)(r6 +40)\n", "kptr access size must be BPF_DW");
  refuses("r1 = *(u64 *)(r6 +41)\n", "kptr access misaligned expected=40 off=41");
  refuses("r7 = 1\nlock *(u64 *)(r6 +40) += r7\n", "kptr in map can only be accessed using BPF_MEM instruction mode");
  refuses("call bpf_get_prandom_u32\nr0 &= 8\nr6 += r0\nr1 = *(u64 *)(r6 +40)\n", "kptr access cannot have variable offset");
  refuses("r1 = *(u32 *)(r6 +0)\n", "bpf_spin_lock cannot be accessed directly by load/store");
  refuses("r1 = r6\nr1 += 40\nr2 = 8\nr3 = 0\ncall bpf_probe_read_kernel\n", "kptr cannot be accessed indirectly by helper");
}

TEST_F(ObjectsTest, StoresFollowTheFieldsKind) {
  refuses("r1 = 0\n*(u64 *)(r6 +40) = r1\n", "store to referenced kptr disallowed");
  accepts("*(u64 *)(r6 +56) = 0\n");
  refuses("*(u64 *)(r6 +56) = 1\n", "BPF_ST imm must be 0 when storing to kptr at off=56");
  accepts("r1 = *(u64 *)(r6 +40)\n*(u64 *)(r6 +56) = r1\n");
  refuses("r1 = *(u64 *)(r6 +64)\n*(u64 *)(r6 +56) = r1\n",
          "invalid kptr access, R1 type=untrusted_ptr_or_null_frail expected=ptr_host_obj or untrusted_ptr_host_obj");
}

TEST_F(ObjectsTest, ExchangeTakesWhatIsOwnedAndGivesWhatWasStored) {
  refuses(exchange(40, "0"), "Unreleased reference");
  accepts(exchange(40, "0") + "if r0 == 0 goto out\nr7 = r0\n" + kPut7);
  accepts(kGet + exchange(40, "r7") + "if r0 == 0 goto out\nr7 = r0\n" + kPut7);
  refuses(kGet + exchange(40, "r7") + "r0 = *(u32 *)(r7 +0)\n", "R7 invalid mem access 'scalar'");
  refuses("r7 = *(u64 *)(r6 +40)\nif r7 == 0 goto out\n" + exchange(40, "r7"), "R2 must be referenced when passed to release function");
  refuses("call obj_get\nr7 = r0\n" + exchange(40, "r7"), "Possibly NULL pointer passed to helper arg2");
  refuses(kGet + exchange(48, "r7"), "invalid kptr access, R2 type=ptr_host_obj expected=ptr_elem");
  refuses(kGet + "r7 += 8\n" + exchange(40, "r7"), "invalid kptr access, R2 type=ptr_host_obj expected=ptr_host_obj");
}

TEST_F(ObjectsTest, ExchangeNamesAnOwnedField) {
  refuses(exchange(56, "0"), "off=56 kptr isn't referenced kptr");
  refuses(exchange(8, "0"), "off=8 doesn't point to kptr");
  refuses("call bpf_get_prandom_u32\nr0 &= 8\nr6 += r0\n" + exchange(40, "0"),
          "R1 doesn't have constant offset. kptr has to be at the constant offset");
  world_.maps[0].btf = nullptr;
  refuses(exchange(40, "0"), "map 'box' has to have BTF in order to use bpf_kptr_xchg");
}

TEST_F(ObjectsTest, AnArrayWithoutALengthHasNone) {
  const std::string make = "r1 = $flex ll\nr2 = 0\ncall bpf_obj_new_impl\nif r0 == 0 goto out\nr7 = r0\n";
  accepts(make + "*(u64 *)(r7 +0) = 1\n" + kDrop7);
  refuses(make + "*(u64 *)(r7 +8) = 1\n" + kDrop7, "access beyond struct flex at off 8 size 8");
  refuses(make + "r1 = *(u64 *)(r7 +4096)\n" + kDrop7, "access beyond struct flex at off 4096 size 8");
}

TEST_F(ObjectsTest, ObjectsAreOwnedTestedAndDropped) {
  accepts(kNew + "r1 = 5\n*(u64 *)(r7 +0) = r1\nr1 = *(u64 *)(r7 +0)\n" + kDrop7);
  EXPECT_EQ(verified_.objects.size(), 1u);
  EXPECT_EQ(verified_.objects[0].bytes, 80u);
  EXPECT_TRUE(verified_.objects[0].fields.has(model::FieldKind::kRefcount));
  refuses(kNew, "Unreleased reference");
  refuses("r1 = $elem ll\nr2 = 0\ncall bpf_obj_new_impl\nr0 = *(u64 *)(r0 +0)\n", "R0 invalid mem access 'ptr_or_null_'");
  refuses(kNew + kDrop7 + "r0 = *(u64 *)(r7 +0)\n", "R7 invalid mem access 'scalar'");
  refuses(kNew + "r7 += 8\n" + kDrop7, "R1 must have zero offset when passed to release func");
  refuses(kNew + "r0 = *(u64 *)(r7 +8)\n", "direct access to bpf_list_node is disallowed");
  refuses(kNew + "r0 = *(u64 *)(r7 +80)\n", "access beyond struct elem at off 80 size 8");
  refuses("r1 = 1 ll\nr2 = 0\ncall bpf_obj_new_impl\n", "type ID argument must be of a struct");
  refuses("call bpf_get_prandom_u32\nr1 = r0\nr2 = 0\ncall bpf_obj_new_impl\n", "R1 must be a known constant");
}

TEST_F(ObjectsTest, APointerInsideAnObjectIsANumber) {
  accepts(kNew + "*(u64 *)(r7 +0) = r6\n" + kDrop7);
  refuses(kNew + "*(u64 *)(r7 +0) = r6\nr1 = *(u64 *)(r7 +0)\nr0 = *(u64 *)(r1 +0)\n", "R1 invalid mem access 'scalar'");
  refuses(kNew + "r0 = *(u64 *)(r7 +72)\n", "direct access to kptr is disallowed");
  // Its pointer fields are exchanged while the object is owned.
  accepts(kNew + "r1 = r7\nr1 += 72\nr2 = 0\ncall bpf_kptr_xchg\nr8 = r0\n" + kDrop7 +
          "if r8 == 0 goto out\nr7 = r8\n" + kPut7);
}

TEST_F(ObjectsTest, AProgramsStructIsNotTheHostsOfTheSameName) {
  refuses("r1 = $host_obj ll\nr2 = 0\ncall bpf_obj_new_impl\nif r0 == 0 goto out\nr1 = r0\ncall obj_put\n",
          "expected pointer to STRUCT host_obj but R1 has a pointer to STRUCT host_obj");
  refuses("r1 = $host_obj ll\nr2 = 0\ncall bpf_obj_new_impl\nif r0 == 0 goto out\nr7 = r0\n" + exchange(40, "r7"),
          "invalid kptr access, R2 type=ptr_host_obj expected=ptr_host_obj");
  refuses(kGet + kDrop7, "arg#0 expected pointer to allocated object");
}

TEST_F(ObjectsTest, OneDropEndsObjectsOfSeveralTypes) {
  const auto either = [](const std::string& a, const std::string& b) {
    return "call bpf_get_prandom_u32\nr1 = " + a + " ll\nr2 = 0\nif r0 > 7 goto other\ncall bpf_obj_new_impl\ngoto made\n"
           "other:\nr1 = " + b + " ll\ncall bpf_obj_new_impl\nmade:\nif r0 == 0 goto out\nr7 = r0\n" + kDrop7;
  };
  const auto noted = [&]() -> const ObjectType& {
    for (std::size_t idx = verified_.insns.size(); idx-- != 0;)
      if (verified_.insns[idx].object != UINT32_MAX) return verified_.objects[verified_.insns[idx].object];
    return verified_.objects.at(0);
  };
  for (const char* const other : {"$pair", "$elem"}) {
    accepts(either("$plain", other));
    EXPECT_EQ(noted().any_of.size(), 2u) << "an object knows which it is";
  }
  // In whatever order the walk meets them.
  const auto one_of_three = [](const std::string& a, const std::string& b, const std::string& c) {
    return "call bpf_get_prandom_u32\nr1 = " + a + " ll\nr2 = 0\nif r0 > 7 goto second\ncall bpf_obj_new_impl\ngoto made\n"
           "second:\nr1 = " + b + " ll\nif r0 > 70 goto third\ncall bpf_obj_new_impl\ngoto made\n"
           "third:\nr1 = " + c + " ll\ncall bpf_obj_new_impl\nmade:\nif r0 == 0 goto out\nr7 = r0\n" + kDrop7;
  };
  accepts(one_of_three("$plain", "$pair", "$elem"));
  EXPECT_EQ(noted().any_of.size(), 3u);
  accepts(one_of_three("$elem", "$plain", "$pair"));
  EXPECT_EQ(noted().any_of.size(), 3u);
  // One list takes elements of one type.
  refuses(either("$plain", "$elem") + "r1 = r7\nr0 = *(u64 *)(r7 +0)\n", "R7 invalid mem access 'scalar'");
}

TEST_F(ObjectsTest, CountedObjectsHaveSeveralOwners) {
  const std::string again = "r1 = r7\nr2 = 0\ncall bpf_refcount_acquire_impl\n";
  accepts(kNew + again + "r8 = r0\n" + kDrop7 + "r0 = *(u64 *)(r8 +0)\nr7 = r8\n" + kDrop7);
  refuses(kNew + again + kDrop7, "Unreleased reference");
  // Out of a field the object may be dying: the result may be null.
  const std::string seen = "r7 = *(u64 *)(r6 +48)\nif r7 == 0 goto out\n" + again;
  refuses(seen + "r0 = *(u64 *)(r0 +0)\n", "R0 invalid mem access 'ptr_or_null_'");
  accepts(seen + "if r0 == 0 goto out\nr7 = r0\n" + kDrop7);
  refuses("r1 = $plain ll\nr2 = 0\ncall bpf_obj_new_impl\nif r0 == 0 goto out\nr7 = r0\n" + again,
          "arg#0 doesn't point to a type with bpf_refcount field");
}

TEST_F(ObjectsTest, ListsAreUsedUnderTheirLock) {
  accepts(kNew + kLock + kPush7 + kUnlock);
  EXPECT_EQ(verified_.objects.size(), 1u);
  refuses(kNew + kPush7, "bpf_spin_lock at off=0 must be held for bpf_list_head");
  refuses(kNew + kLock + kPush7, "bpf_spin_unlock is missing");
  refuses(kLock + kLock, "function calls are not allowed while holding a lock");
  refuses(kUnlock, "bpf_spin_unlock without taking a lock");
  refuses(kLock + "call obj_get\n", "function calls are not allowed while holding a lock");
  refuses(kLock + "r1 = r6\nr1 += 8\ncall bpf_list_pop_front\nr7 = r0\n" + kUnlock, "Unreleased reference");
  accepts(kLock + "r1 = r6\nr1 += 8\ncall bpf_list_pop_front\nr7 = r0\n" + kUnlock + "if r7 == 0 goto out\nr7 += -8\n" + kDrop7);
  refuses(kLock + "r1 = r6\nr1 += 9\ncall bpf_list_pop_front\n", "bpf_list_head not found at offset=9");
}

TEST_F(ObjectsTest, TheLockIsTheOneBesideTheRoot) {
  const std::string find = "*(u32 *)(r10 -4) = 0\nr1 = map[name:hash]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n";
  const std::string lock8 = "r1 = r8\ncall bpf_spin_lock\n", pop = "r1 += 8\ncall bpf_list_pop_front\n";
  refuses(find + "r8 = r0\n" + lock8 + "r1 = r6\n" + pop, "held lock and object are not in the same allocation");
  refuses(find + "r8 = r0\n" + find + "r9 = r0\n" + lock8 + "r1 = r9\n" + pop, "held lock and object are not in the same allocation");
  refuses(find + "r8 = r0\n" + lock8 + kUnlock, "bpf_spin_unlock of different lock");
  refuses("r1 = map[name:box]\nr2 = subprog[+0]\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\n", "bpf_spin_unlock of different lock",
          "less:\nr6 = r3\nr1 = map[name:box][0]+0\ncall bpf_spin_lock\nr1 = r6\ncall bpf_spin_unlock\nr0 = 0\nexit\n");
}

TEST_F(ObjectsTest, AddingLeavesAPointerUntilTheLockIsGivenBack) {
  accepts(kNew + kLock + kPush7 + "r1 = 3\n*(u64 *)(r7 +0) = r1\n" + kUnlock);
  refuses(kNew + kLock + kPush7 + kUnlock + "r0 = *(u64 *)(r7 +0)\n", "R7 invalid mem access 'scalar'");
  refuses(kNew + kLock + kPush7 + kPush7, "arg#1 expected pointer to allocated object");
  refuses(kNew + kLock + kPush7 + kUnlock + kDrop7, "R1 must be referenced or trusted");
  refuses(kNew + kLock + "r1 = r6\nr1 += 8\nr2 = r7\nr3 = 0\nr4 = 0\ncall bpf_list_push_front_impl\n", "bpf_list_node not found at offset=0");
}

TEST_F(ObjectsTest, TreesCompareWithACallback) {
  const std::string first = "r1 = r6\nr1 += 24\ncall bpf_rbtree_first\n";
  const std::string remove = "r1 = r6\nr1 += 24\nr2 = r0\ncall bpf_rbtree_remove\n";
  accepts(kNew + kLock + kAdd7 + kUnlock, kLess);
  refuses(kNew + kAdd7, "bpf_spin_lock at off=0 must be held for bpf_rb_root", kLess);
  accepts(kLock + first + "if r0 == 0 goto none\n" + remove + "r7 = r0\n" + kUnlock +
          "if r7 == 0 goto out\nr7 += -32\n" + kDrop7 + "goto out\nnone:\n" + kUnlock);
  refuses(kNew + kLock + "r1 = r6\nr1 += 24\nr2 = r7\nr2 += 32\ncall bpf_rbtree_remove\n", "rbtree_remove node input must be non-owning ref");
  refuses(kLock + first + "r7 = r0\n" + kUnlock + "if r7 == 0 goto out\nr0 = *(u64 *)(r7 -32)\n", "R7 invalid mem access 'scalar'");
}

TEST_F(ObjectsTest, AComparisonLeavesTheTreeAlone) {
  refuses(kNew + kLock + kAdd7 + kUnlock, "can't spin_{lock,unlock} in rbtree cb",
          "less:\nr1 = map[name:box][0]+0\ncall bpf_spin_unlock\nr0 = 0\nexit\n");
  refuses(kNew + kLock + kAdd7 + kUnlock, "rbtree_remove not allowed in rbtree cb",
          "less:\nr2 = r1\nr1 = map[name:box][0]+24\ncall bpf_rbtree_remove\nr0 = 0\nexit\n");
  refuses(kNew + kLock + kAdd7 + kUnlock, "rbtree_add not allowed in rbtree cb",
          "less:\nr1 = map[name:box][0]+48\nr2 = 0\ncall bpf_kptr_xchg\nif r0 == 0 goto no\nr2 = r0\nr2 += 32\n"
          "r1 = map[name:box][0]+24\nr3 = subprog[+0]\nr4 = 0\nr5 = 0\ncall bpf_rbtree_add_impl\nno:\nr0 = 0\nexit\n");
  refuses(kNew + kLock + kAdd7 + kUnlock, "At callback return the register R0", "less:\nr0 = 2\nexit\n");
}

TEST_F(ObjectsTest, SleepingProgramsNeedAReadSection) {
  sleepable_ = true;
  const std::string load = "r7 = *(u64 *)(r6 +40)\nif r7 == 0 goto ", look = "r1 = r7\ncall obj_look\n";
  refuses(load + "out\n" + look, "R1 must be a rcu pointer");
  accepts("call bpf_rcu_read_lock\n" + load + "none\n" + look + "none:\ncall bpf_rcu_read_unlock\n");
  refuses("call bpf_rcu_read_lock\n" + load + "none\nnone:\ncall bpf_rcu_read_unlock\nif r7 == 0 goto out\n" + look, "R1 must be a rcu pointer");
  refuses("call bpf_rcu_read_lock\ncall bpf_rcu_read_lock\n", "nested rcu read lock");
  refuses("call bpf_rcu_read_unlock\n", "unmatched rcu read unlock");
  refuses("call bpf_rcu_read_lock\n", "bpf_rcu_read_unlock is missing");
  // A lock is a read section, as long as it is held.
  accepts(kLock + "r7 = *(u64 *)(r6 +48)\nif r7 == 0 goto none\nr0 = *(u64 *)(r7 +0)\nnone:\n" + kUnlock);
  refuses(kLock + "r7 = *(u64 *)(r6 +40)\n" + kUnlock + "if r7 == 0 goto out\n" + look, "R1 must be a rcu pointer");
}

}  // namespace
}  // namespace ring3::verifier
