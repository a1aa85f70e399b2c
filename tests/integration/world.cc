#include "tests/integration/world.h"

#include "object/tsan.h"
#include "test_host_btf.h"
#include "tests/integration/kptr_world.h"

using ring3::test::HostFunctions;
using ring3::test::LiveThing;

extern "C" {

// Between the two the pointer goes from program to program through a slot; ThreadSanitizer does not see compiled programs load it.
struct counted_thing* counted_thing_get(struct counted_thing* thing) {
  ring3::tsan_acquire(thing);
  return static_cast<LiveThing*>(thing)->acquire() ? thing : nullptr;
}
struct counted_thing* counted_thing_find(__u64) {
  LiveThing* const found = LiveThing::found;
  if (found == nullptr || !found->acquire()) return nullptr;
  ring3::tsan_release(static_cast<counted_thing*>(found));
  return found;
}
void counted_thing_put(struct counted_thing* thing) { static_cast<LiveThing*>(thing)->release(); }

struct thing* thing_get(__u64 id) {
  if (id == 0 || id > 4) return nullptr;
  ++HostFunctions::gets;
  return &HostFunctions::things[id - 1];
}
void thing_put(struct thing*) { ++HostFunctions::puts; }
__u64 thing_color(struct thing* t) { return t->color; }
struct box* box_get() {
  static struct box one = {7};
  return &one;
}
struct test_limits test_limits = {9, 4};
__u32 test_level = 3;
__u32 test_unregistered = 0;
__u32 host_length(const char* text) { return static_cast<__u32>(std::strlen(text)); }

int host_swap() { return HostFunctions::swap != nullptr ? HostFunctions::swap() : -1; }

}  // extern "C"

namespace ring3::test {
namespace {

int zero_binary(int, int) { return 0; }
int zero_unary(int) { return 0; }
__u64 zero_thing(thing*) { return 0; }
void no_paint(thing*, __u32) {}

const calc_ops kStubs = {
    .add = zero_binary,
    .sub = zero_binary,
    .nap = zero_unary,
    .missing = nullptr,
    .maybe = zero_thing,
    .paint = no_paint,
};
__u64 native_choose(__u64 seed) { return seed; }
const policy_ops kNative = {.choose = native_choose, .optional = nullptr, .name = "native"};

}  // namespace

Result<bool> CalcHost::init_member(std::uint32_t member, const void* src, void* dst) {
  const auto* from = static_cast<const calc_ops*>(src);
  auto* to = static_cast<calc_ops*>(dst);
  switch (member) {
    case kScale:
      if (from->scale > 100) return refuse(Errno::kInval, "scale is above 100");
      to->scale = from->scale;
      return true;
    case kName: std::memcpy(to->name, from->name, sizeof(to->name)); return true;
    default: return false;
  }
}

Result<void> CalcHost::validate(const void*) {
  return validate_answer == Errno{} ? Result<void>() : Result<void>(refuse(validate_answer, "validate says no"));
}

Result<void> CalcHost::reg(StructOpsInstance& i, StructOpsAttachment& via) {
  if (instance.load() != nullptr) return refuse(Errno::kExist, "name is taken");
  instance = &i;
  attachment = &via;
  table = i.as<calc_ops>();
  ++registered;
  return {};
}

void CalcHost::unreg(StructOpsInstance&, StructOpsAttachment&) noexcept {
  table = nullptr;
  instance = nullptr;
  attachment = nullptr;
  ++unregistered;
}

Result<void> CalcHost::update(StructOpsInstance& next, StructOpsInstance&, StructOpsAttachment&) {
  instance = &next;
  table = next.as<calc_ops>();
  ++updated;
  return {};
}

BtfBlob test_host_btf_blob() { return test_host_btf; }

World::World(bool lenient_fields) {
  runtime_ = Runtime::create({.name = "test", .btf = test_host_btf, .log = &log_, .lenient_fields = lenient_fields}).value();
  StringSink text;
  host_btf_ = btf::Btf::parse({static_cast<const std::byte*>(test_host_btf.data), test_host_btf.size}, nullptr, text,
                              btf::Origin::kHost)
                  .value();
  StructOpsDef calc;
  calc.name = "calc_ops";
  calc.size_bytes = sizeof(calc_ops);
  calc.stubs = &kStubs;
  calc.sleepable = {offsetof(calc_ops, nap)};
  calc.annotated = {offsetof(calc_ops, maybe)};
  calc.writable = {writable(&thing::note)};
  calc.host = &calc_;
  EXPECT_TRUE(runtime_->struct_ops(calc).ok()) << log_.take();
  StructOpsDef other;
  other.name = "other_ops";
  other.host = &other_;
  EXPECT_TRUE(runtime_->struct_ops(other).ok()) << log_.take();
  StructOpsDef owner;
  owner.name = "owner_ops";
  owner.annotated = {offsetof(owner_ops, take)};
  owner.host = &owner_;
  EXPECT_TRUE(runtime_->struct_ops(owner).ok()) << log_.take();
  auto policy = runtime_->struct_ops<policy_ops>({.required = {&policy_ops::choose}, .fallback = &kNative});
  EXPECT_TRUE(policy.ok()) << log_.take();
  policy_ = *policy;
  EXPECT_TRUE((runtime_->kfunc<&thing_get>({.flags = kfunc::kAcquire | kfunc::kRetNull}).ok())) << log_.take();
  EXPECT_TRUE((runtime_->kfunc<&thing_put>({.flags = kfunc::kRelease}).ok())) << log_.take();
  EXPECT_TRUE((runtime_->kfunc<&thing_color>({.flags = kfunc::kTrustedArgs}).ok())) << log_.take();
  EXPECT_TRUE((runtime_->kfunc<&host_swap>().ok())) << log_.take();
  EXPECT_TRUE((runtime_->kfunc<&box_get>({.flags = kfunc::kAcquire | kfunc::kRetNull}).ok())) << log_.take();
  EXPECT_TRUE((runtime_->kfunc<&host_length>().ok())) << log_.take();
  EXPECT_TRUE((runtime_->kptr<&thing_put>().ok())) << log_.take();
  client_ = std::make_unique<BpfClient>(*runtime_, *host_btf_);
}

World::~World() {
  client_ = nullptr;
  runtime_ = nullptr;
  const std::string lines = log_.take();
  EXPECT_EQ(lines.find("still alive"), std::string::npos) << lines;
}

CalcValue World::both() {
  CalcValue v;
  const long add = bpf().load({.text = kAddText, .member = kAdd});
  EXPECT_GT(add, 0) << bpf().log();
  const long sub = bpf().load({.text = kSubText, .member = kSub});
  EXPECT_GT(sub, 0) << bpf().log();
  v.add = static_cast<std::uint64_t>(add);
  v.sub = static_cast<std::uint64_t>(sub);
  return v;
}

long World::ready_map(const CalcValue& value) {
  const long map = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
  EXPECT_GT(map, 0);
  EXPECT_EQ(bpf().update(map, &value), 0) << log_.take();
  return map;
}

long World::other_ready_map() {
  struct alignas(64) {
    std::uint64_t header[8] = {}, add = 0, sub = 0, tail[6] = {};
  } value;
  value.add = static_cast<std::uint64_t>(bpf().load({.text = kAddText, .type = "other_ops"}));
  const long map = bpf().ops_map("other_ops", uapi::BPF_F_LINK);
  EXPECT_EQ(bpf().update(map, &value), 0) << log_.take();
  return map;
}

void World::expect_zero(long map) {
  CalcValue seen, zero;
  std::memset(static_cast<void*>(&seen), 0xff, sizeof(seen));
  std::memset(static_cast<void*>(&zero), 0, sizeof(zero));
  EXPECT_EQ(bpf().lookup(map, &seen), 0);
  EXPECT_EQ(std::memcmp(&seen, &zero, sizeof(zero)), 0);
}

int World::call_add(int a, int b) {
  ReadSection readers;
  return calc_.table.load()->add(a, b);
}
int World::call_sub(int a, int b) {
  ReadSection readers;
  return calc_.table.load()->sub(a, b);
}

}  // namespace ring3::test
