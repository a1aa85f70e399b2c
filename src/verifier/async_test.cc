// Timers and work items through verify(): which field of which map, and what their callbacks may do.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using btf::Builder;
using btf::TypeId;
using testing::parsed;
using testing::slots_of;
using testing::TestProgram;

/// Maps `box` and `other`: arrays with values { u64 n; bpf_timer @8; bpf_wq @24 }, `bare`: one without fields, `outer`: an array
/// of maps like `box`. The host may sleep in doze().
class World final : public testing::HostNames {
 public:
  World() {
    make_host();
    make_own();
    for (const char* name : kMaps) {
      model::MapFacts map;
      map.id = static_cast<std::uint32_t>(maps.size()) + 1;
      map.type = uapi::BPF_MAP_TYPE_ARRAY;
      map.key_size = 4;
      map.value_size = 40;
      map.max_entries = 2;
      map.name = name;
      map.btf = own;
      map.value_type = own->find(name == std::string_view("bare") ? "bare" : "value", btf::Kind::kStruct);
      StringSink log;
      auto fields = model::parse_fields(own, map.value_type, {}, model::kMapValueFields, log);
      EXPECT_TRUE(fields.ok()) << log.text();
      map.fields = std::move(fields).value();
      if (name == std::string_view("outer")) {
        auto inner = std::make_shared<model::MapFacts>(map);
        inner->name = "inner";
        map.type = uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS;
        map.value_size = 4;
        map.fields = {};
        map.btf = nullptr;
        map.inner = std::move(inner);
      }
      maps.push_back(std::move(map));
    }
  }

  bool map(std::string_view name, std::int32_t& fd) const override {
    for (fd = 0; fd < 4; ++fd)
      if (name == kMaps[fd]) return true;
    return false;
  }

  std::vector<model::MapFacts> maps;

 private:
  static constexpr const char* kMaps[4] = {"box", "other", "bare", "outer"};

  void make_host() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4), nothing = b.add_ptr(0);
    const TypeId work = b.add_ptr(b.add_struct("bpf_wq", 16, {{"opaque", u64, 0}}));
    const TypeId callback = b.add_ptr(b.add_proto(u32, {{"map", nothing}, {"key", nothing}, {"value", nothing}}));
    std::vector<std::string> names;
    const auto add = [&](std::string_view name, std::initializer_list<Builder::NewParam> params) {
      b.add_func(name, b.add_proto(u32, params), btf::Linkage::kStatic);
      names.emplace_back(name);
    };
    add("bpf_wq_init", {{"wq", work}, {"p__map", nothing}, {"flags", u32}});
    add("bpf_wq_set_callback_impl", {{"wq", work}, {"callback_fn", callback}, {"flags", u32}, {"aux__ign", nothing}});
    add("bpf_wq_start", {{"wq", work}, {"flags", u32}});
    add("doze", {});
    facts.host_btf = parsed(b);
    for (const std::string& name : names)
      facts.kfuncs.push_back({.name = name, .btf = facts.host_btf, .func = facts.host_btf->find(name, btf::Kind::kFunc),
                              .flags = name == "doze" ? std::uint32_t{model::kKfuncSleepable} : 0u});
  }

  void make_own() {
    Builder b;
    const TypeId u64 = b.add_int("u64", 8);
    const TypeId timer = b.add_struct("bpf_timer", 16, {{"opaque", u64, 0}});
    const TypeId work = b.add_struct("bpf_wq", 16, {{"opaque", u64, 0}});
    b.add_struct("value", 40, {{"n", u64, 0}, {"timer", timer, 64}, {"work", work, 192}});
    b.add_struct("bare", 40, {{"n", u64, 0}});
    own = parsed(b);
  }

  std::shared_ptr<const btf::Btf> own;
};

class AsyncTest : public ::testing::Test {
 protected:
  /// The log of verifying `body`, run with r6 = the value of `box`, r7 = `box`; "accepted" when it passes. `out` returns 0.
  /// callback: a function behind it, which subprog[+0] names.
  std::string judge(const std::string& body, const std::string& callback) {
    const std::string head = "r6 = map[name:box][0]+0\nr7 = map[name:box]\n" + body + "out:\nr0 = 0\nexit\n";
    TestProgram program(head, &world_, callback + global_);
    ProgramInput& in = program.input;
    if (sleepable_) in.prog_type = uapi::BPF_PROG_TYPE_SYSCALL, in.flags = uapi::BPF_F_SLEEPABLE;
    in.maps = world_.maps;
    std::vector<FuncInfo> functions;
    if (!global_.empty()) {
      Builder b;
      const TypeId proto = b.add_proto(b.add_int("int", 4, true), {});
      const std::size_t at[] = {0, program.main_slots, in.raw.size() - slots_of(global_, &world_)};
      for (const std::size_t start : at)
        functions.push_back({static_cast<std::uint32_t>(start), b.add_func("f" + std::to_string(start), proto,
                                                                           start == at[2] ? btf::Linkage::kGlobal : btf::Linkage::kStatic)});
      in.btf = parsed(b);
      in.func_info = functions;
    }
    return program.judge(world_.facts, &verified_);
  }

  void accepts(const std::string& body, const std::string& callback = "") {
    EXPECT_EQ(judge(body, callback), "accepted") << body << callback;
  }
  void refuses(const std::string& body, const std::string& words, const std::string& callback = "") {
    const std::string log = judge(body, callback);
    EXPECT_NE(log.find(words), std::string::npos) << "lacks: " << words << "\n" << log;
  }

  World world_;
  bool sleepable_ = false;
  std::string global_;  // code of a global function `far`, behind the callback
  VerifiedProgram verified_;
};

const std::string kTimer = "r1 = r6\nr1 += 8\n", kWork = "r1 = r6\nr1 += 24\n";
const std::string kInit = "r2 = r7\nr3 = 1\ncall bpf_timer_init\n", kWorkInit = "r2 = r7\nr3 = 0\ncall bpf_wq_init\n";
const std::string kSet = kTimer + "r2 = subprog[+0]\ncall bpf_timer_set_callback\n";
const std::string kSetWork = kWork + "r2 = subprog[+0]\nr3 = 0\nr4 = 0\ncall bpf_wq_set_callback_impl\n";
const std::string kNothing = "cb:\nr0 = 0\nexit\n";
/// r8 = a map in `outer`, r6 = its first value.
const std::string kInner =
    "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[name:outer]\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr8 = r0\n";
const std::string kInnerValue = "r1 = r8\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr6 = r0\n";

TEST_F(AsyncTest, AFieldGoesWithTheMapItIsIn) {
  accepts(kTimer + kInit + kWork + kWorkInit);
  refuses(kTimer + "r7 = map[name:other]\n" + kInit, "timer pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0");
  refuses(kWork + "r7 = map[name:other]\n" + kWorkInit,
          "workqueue pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0");
  refuses(kWork + "r7 = r6\n" + kWorkInit, "pointer in R2 isn't map pointer");
  refuses("r1 = r10\nr1 += -16\n" + kWorkInit, "arg#0 doesn't point to a map value");
  refuses("r1 = r10\nr1 += -16\n" + kInit, "R1 type=fp expected=map_value");
}

TEST_F(AsyncTest, AFieldIsAtItsPlace) {
  refuses(kTimer + "r1 += 1\n" + kInit, "off 9 doesn't point to 'struct bpf_timer' that is at 8");
  refuses(kTimer + kWorkInit, "off 8 doesn't point to 'struct bpf_wq' that is at 24");
  refuses("r1 = map[name:bare][0]+0\n" + kInit, "map 'bare' has no valid bpf_timer");
  refuses(kTimer + "r2 = *(u64 *)(r6 +0)\nr2 &= 1\nr1 += r2\n" + kInit,
          "R1 doesn't have constant offset. bpf_timer has to be at the constant offset");
  refuses(kWork + "r2 = *(u64 *)(r6 +0)\nr2 &= 1\nr1 += r2\n" + kWorkInit,
          "R1 doesn't have constant offset. bpf_wq has to be at the constant offset");
  refuses("r0 = *(u64 *)(r6 +8)\n", "bpf_timer cannot be accessed directly by load/store");
}

TEST_F(AsyncTest, FieldsOfInnerMapsGoWithTheLookupThatFoundThem) {
  accepts(kInner + kInnerValue + kTimer + "r2 = r8\nr3 = 1\ncall bpf_timer_init\n");
  refuses(kInner + kInnerValue + "r9 = r6\n" + kInner + "r6 = r9\n" + kTimer + "r2 = r8\nr3 = 1\ncall bpf_timer_init\n",
          "doesn't match map pointer in R2");
  // A callback for each element of one map, with another one's pointer as its context.
  const std::string each = "cb:\nr6 = r3\nr2 = *(u64 *)(r4 +0)\nr1 = r6\nr1 += 8\nr3 = 1\ncall bpf_timer_init\nr0 = 0\nexit\n";
  refuses(kInner + "*(u64 *)(r10 -16) = r8\n" + kInner +
              "r1 = r8\nr2 = subprog[+0]\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_for_each_map_elem\n",
          "doesn't match map pointer in R2", each);
}

TEST_F(AsyncTest, ACallbackGetsMapKeyAndValueAndReturnsZero) {
  accepts(kTimer + kInit + kSet, "cb:\nr0 = *(u32 *)(r2 +0)\nr0 = *(u64 *)(r3 +0)\nr0 = 0\nexit\n");
  refuses(kSet, "invalid access to map value, value_size=40 off=40", "cb:\nr0 = *(u64 *)(r3 +40)\nr0 = 0\nexit\n");
  refuses(kSet, "R4 !read_ok", "cb:\nr0 = r4\nr0 = 0\nexit\n");
  refuses(kSet, "At async callback return the register R0 has smin=1 smax=1 should have been in [0, 0]", "cb:\nr0 = 1\nexit\n");
  refuses(kSet, "At async callback return the register R0 is not a known value (map_value)", "cb:\nr0 = r3\nexit\n");
  refuses(kSetWork, "should have been in [0, 0]", "cb:\nr0 = *(u64 *)(r3 +0)\nexit\n");
  accepts(kWork + kWorkInit + kSetWork + kWork + "r2 = 0\ncall bpf_wq_start\n", kNothing);
}

TEST_F(AsyncTest, ACallbackMaySetItselfAgain) {
  accepts(kSet, "cb:\nr6 = r3\nr7 = r1\n" + kTimer + kInit + kTimer + "r2 = 5\nr3 = 0\ncall bpf_timer_start\n" + kTimer +
                    "r2 = subprog[+0]\ncall bpf_timer_set_callback\nr0 = 0\nexit\n");
}

TEST_F(AsyncTest, OnlyWorkMaySleep) {
  const std::string dozes = "cb:\ncall doze\nr0 = 0\nexit\n";
  accepts(kSetWork, dozes);
  EXPECT_TRUE(verified_.may_sleep);
  refuses(kSet, "program must be sleepable to call sleepable kfunc doze", dozes);
  sleepable_ = true;
  accepts(kSetWork, dozes);
  refuses(kSet, "program must be sleepable to call sleepable kfunc doze", dozes);
}

// A global function is judged for each way it is entered, not for what the program may do.
TEST_F(AsyncTest, AGlobalFunctionSleepsOnlyWhereAllItsCallersMay) {
  const std::string calls = "cb:\ncall far\nr0 = 0\nexit\n";
  global_ = "far:\ncall doze\nr0 = 0\nexit\n";
  const std::string refusal = "program must be sleepable to call sleepable kfunc doze";
  accepts(kSetWork, calls);
  refuses(kSet, refusal, calls);
  refuses(kSetWork + "call far\n", refusal, calls);
  sleepable_ = true;
  accepts(kSetWork + "call far\n", calls);
  refuses(kSet, refusal, calls);
  refuses(kSet + "call far\n", refusal, calls);
}

TEST_F(AsyncTest, StackOfACallbackIsItsOwn) {
  const std::string big = "*(u64 *)(r10 -512) = 0\n";
  accepts(big + kSet, "cb:\n" + big + "r0 = 0\nexit\n");
  // Called at once it stands on its caller's.
  refuses(big + kSet + "call cb\n", "combined stack size of 2 calls is 1024. Too large", "cb:\n" + big + "r0 = 0\nexit\n");
  refuses(kSet, "combined stack size of 2 calls is 1024. Too large",
          "cb:\n" + big + "call deeper\nr0 = 0\nexit\ndeeper:\n" + big + "r0 = 0\nexit\n");
  // Run by a helper too.
  refuses(big + kSet + "r1 = 1\nr2 = subprog[+0]\nr3 = 0\nr4 = 0\ncall bpf_loop\n", "combined stack size of 2 calls is 1024",
          "cb:\n" + big + "r0 = 0\nexit\n");
}

}  // namespace
}  // namespace ring3::verifier
