// behaviour.md A.1: types a host registers, and what it is told about wrong ones.
#include <gtest/gtest.h>

#include "exec/thunk.h"
#include "runtime/runtime_impl.h"
#include "struct_ops/ops_map.h"
#include "tests/integration/world.h"
#include "tests/support/ops_btf.h"

namespace ring3::test {
namespace {

/// The answer of a runtime of its own whose BTF has the types built by hand.
class Registration {
 public:
  explicit Registration(OpsBtf& btf) : blob_(btf.b.finish()) {
    auto made = Runtime::create({.name = "types", .btf = {blob_.data(), blob_.size()}, .log = &log_});
    EXPECT_TRUE(made.ok()) << log_.take();
    if (made.ok()) runtime_ = std::move(made).value();
  }
  Errno add(StructOpsDef def) {
    def.host = &host_;
    Result<void> added = runtime_->struct_ops(def);
    said_ = log_.take();
    return added.ok() ? Errno{} : added.error();
  }
  bool said(std::string_view text) const { return said_.find(text) != std::string::npos; }
  const std::string& text() const { return said_; }
  Runtime& runtime() { return *runtime_; }

 private:
  std::vector<std::byte> blob_;
  LogLines log_;
  OtherHost host_;
  std::unique_ptr<Runtime> runtime_;
  std::string said_;
};

TEST(StructOpsType, A_29_TypesThatCannotBeRegistered) {
  OpsBtf btf;
  std::vector<std::string> names;
  std::vector<btf::Builder::NewMember> members;
  for (std::uint32_t i = 0; i < 65; ++i) names.push_back("m" + std::to_string(i));
  for (std::uint32_t i = 0; i < 65; ++i) members.push_back({names[i], btf.u64_, i * 64});
  btf.ops("many", 65 * 8, members);
  members.pop_back();
  btf.ops("enough", 64 * 8, members);
  btf.ops("bits", 8, {{"low", btf.u32_, 0, 3}, {"high", btf.u32_, 32}});
  const auto pair = btf.b.add_struct("pair", 16, {{"a", btf.u64_, 0}, {"b", btf.u64_, 64}});
  btf.ops("wide", 8, {{"get", btf.fn(pair, {}), 0}});
  const auto plain = btf.b.add_struct("plain", 8, {{"f", btf.fn(0, {}), 0}});
  btf.b.add_struct("bpf_struct_ops_plain", 136,
                   {{"common", btf.common_, 0}, {"data", plain, 512}, {"more", btf.u64_, 1024}});

  Registration at(btf);
  EXPECT_EQ(at.add({.name = "many"}), Errno::kInval);
  EXPECT_TRUE(at.said("the limit is 64")) << at.text();
  EXPECT_EQ(at.add({.name = "bits"}), Errno::kOpNotSupp);
  EXPECT_TRUE(at.said("bit field member low")) << at.text();
  EXPECT_EQ(at.add({.name = "wide"}), Errno::kOpNotSupp);
  EXPECT_TRUE(at.said("func ptr get")) << at.text();
  EXPECT_EQ(at.add({.name = "plain"}), Errno::kInval);
  EXPECT_TRUE(at.said("must have two members")) << at.text();
  EXPECT_EQ(at.add({.name = "absent"}), Errno::kInval);
  EXPECT_TRUE(at.said("Cannot find struct absent")) << at.text();
  EXPECT_EQ(at.add({.name = std::string(128, 'n')}), Errno::kInval);
  EXPECT_EQ(at.add({.name = "enough"}), Errno{}) << at.text();
  EXPECT_EQ(at.add({.name = "enough"}), Errno::kExist);
}

TEST(StructOpsType, A_30_MoreMembersThanOnePageOfThunksHolds) {
  constexpr std::uint32_t kMembers = 64, kArguments = 6;
  OpsBtf btf;
  std::vector<std::string> names;
  std::vector<btf::Builder::NewMember> members;
  for (std::uint32_t i = 0; i < kMembers; ++i) names.push_back("m" + std::to_string(i));
  const auto member = btf.fn(btf.s64_, std::vector<btf::TypeId>(kArguments, btf.int_));
  for (std::uint32_t i = 0; i < kMembers; ++i) members.push_back({names[i], member, i * 64});
  btf.ops("crowd", kMembers * 8, members);
  const auto host_btf = btf.finish();
  Registration at(btf);
  ASSERT_EQ(at.add({.name = "crowd"}), Errno{}) << at.text();

  BpfClient client(at.runtime(), *host_btf);
  struct alignas(64) Value {
    std::uint64_t header[8] = {}, member[kMembers] = {};
  } value;
  for (std::uint32_t i = 0; i < kMembers; ++i) {
    const std::string text = "r1 = *(u64 *)(r1 +40)\nr0 = " + std::to_string(1000 * i) + "\nr0 += r1\nexit";
    const long program = client.load({.text = text, .member = i, .type = "crowd"});
    ASSERT_GT(program, 0) << client.log();
    value.member[i] = static_cast<std::uint64_t>(program);
  }
  const long map = client.ops_map("crowd", uapi::BPF_F_LINK);
  ASSERT_EQ(client.update(map, &value), 0);
  auto object = at.runtime().impl().objects().find(ObjectKind::kMap, client.map_info(map).id);
  ASSERT_TRUE(object.ok());
  const struct_ops::OpsMap* ops = struct_ops::as_ops_map(object->get());
  EXPECT_GT(ops->memory_bytes(), exec::ThunkSet::kPageBytes * 2);
  using Function = long long (*)(int, int, int, int, int, int);
  ReadSection readers;
  for (std::uint32_t i = 0; i < kMembers; ++i)
    EXPECT_EQ(static_cast<const Function*>(ops->ops())[i](0, 0, 0, 0, 0, -7), 1000LL * i - 7);
}

TEST(StructOpsType, A_30_EightPagesAreTheLimit) {
  exec::CodeMemory memory;
  exec::ThunkSet thunks(memory);
  exec::ThunkShape shape;
  shape.args.assign(exec::kMaxThunkSlots, exec::ThunkArg{2, true});
  const auto nothing = [](void*, std::uint64_t*) -> std::uint64_t { return 0; };
  Result<void*> thunk = thunks.add(shape, nothing, nullptr);
  while (thunk.ok()) thunk = thunks.add(shape, nothing, nullptr);
  EXPECT_EQ(thunk.error(), Errno::kTooBig);
  EXPECT_EQ(thunks.memory_bytes(), 8 * 4096u);
}

}  // namespace
}  // namespace ring3::test
