// Chains of XDP programs at a host's device, composed without a dispatcher of the client's (behaviour.md D.6, D.9.6): objects compiled by
// clang, loaded by libbpf, held by links.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <vector>

#include "ring3/hook.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::uint32_t kDevice = 7;
constexpr std::uint32_t kAborted = 0, kDrop = 1, kPass = 2, kSendBack = 3;
enum Mark : std::uint32_t { kEarly = 1, kLate, kMiddle, kMiddleLong, kLastWord, kSilent, kAlways };

/// struct seen of chain.bpf.c.
struct Seen {
  std::uint32_t count = 0;
  std::uint32_t marks[15] = {};
  std::uint32_t answers[16];
};

class FrameChain : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    door_ = std::make_unique<LibbpfDoor>(*runtime_, test_host_btf);
    object_ = std::make_unique<ObjectFile>(RING3_MODULE_DIR "/chain.bpf.o");
    ASSERT_EQ(object_->load(), 0) << door_->take_text();
    std::fill(std::begin(answers_), std::end(answers_), kPass);
  }
  void TearDown() override {
    object_.reset();
    door_.reset();
    World::TearDown();
  }

  long link(const char* program, std::uint32_t device = kDevice) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(object_->program(program));
    attr.link_create.target_ifindex = device;
    attr.link_create.attach_type = uapi::BPF_XDP;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  long update(long link, const char* program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_update.link_fd = static_cast<std::uint32_t>(link);
    attr.link_update.new_prog_fd = static_cast<std::uint32_t>(object_->program(program));
    return bpf().bpf(uapi::BPF_LINK_UPDATE, attr);
  }

  struct Ran {
    std::uint32_t answer;
    std::vector<std::uint32_t> marks;
    bool operator==(const Ran&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Ran& ran) {
      out << "answer " << ran.answer << " after";
      for (const std::uint32_t mark : ran.marks) out << ' ' << mark;
      return out;
    }
  };
  /// What a frame meets, in order.
  Ran run() {
    Seen seen;
    std::copy(std::begin(answers_), std::end(answers_), std::begin(seen.answers));
    EXPECT_EQ(bpf().update(object_->bss(), &seen), 0);
    const std::uint32_t answer = hook_.run(std::array<std::byte, 64>{}).value();
    EXPECT_EQ(bpf().lookup(object_->bss(), &seen), 0);
    return {answer, {seen.marks, seen.marks + seen.count}};
  }

  Hook hook_ = Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kDevice, .name = "wire", .chain = true}).value();
  std::unique_ptr<LibbpfDoor> door_;
  std::unique_ptr<ObjectFile> object_;
  std::uint32_t answers_[16];
};

TEST_F(FrameChain, ProgramsRunByPriorityAndName) {
  EXPECT_EQ(run(), (Ran{kHookNext, {}}));
  for (const char* program : {"late", "silent", "early", "middle_of_a_long_name"}) ASSERT_GT(link(program), 0) << program;
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddleLong, kSilent, kLate}}));
  const long middle = link("middle");
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddle, kMiddleLong, kSilent, kLate}})) << "by the function's whole name where priorities are the same";
  EXPECT_EQ(hook_.size(), 5u);
  EXPECT_EQ(link("middle"), -EEXIST);
  bpf().close(middle);
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddleLong, kSilent, kLate}}));
}

TEST_F(FrameChain, TheNextOneRunsAfterTheAnswersAProgramNames) {
  for (const char* program : {"early", "middle", "last_word", "late"}) ASSERT_GT(link(program), 0) << program;
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddle, kLastWord}})) << "XDP_PASS of last_word decides";
  answers_[kEarly] = kDrop;
  EXPECT_EQ(run(), (Ran{kPass, {kEarly, kMiddle, kLastWord}})) << "early chains on XDP_DROP, and on XDP_PASS as all do that do not say otherwise";
  answers_[kEarly] = kSendBack;
  EXPECT_EQ(run(), (Ran{kSendBack, {kEarly}}));
  answers_[kEarly] = kPass;
  answers_[kMiddle] = kDrop;
  EXPECT_EQ(run(), (Ran{kDrop, {kEarly, kMiddle}}));
  answers_[kMiddle] = kAborted;
  EXPECT_EQ(run(), (Ran{kAborted, {kEarly, kMiddle}}));
}

TEST_F(FrameChain, WhoseProgramsAllPassOnAnswersPass) {
  ASSERT_GT(link("always"), 0);
  for (const std::uint32_t answer : {kAborted, kDrop, kPass, kSendBack, std::uint32_t{4}}) {
    answers_[kAlways] = answer;
    EXPECT_EQ(run(), (Ran{kPass, {kAlways}})) << answer;
  }
  answers_[kAlways] = 33;  // no bit stands for it
  EXPECT_EQ(run(), (Ran{33, {kAlways}}));
  answers_[kAlways] = kHookNext;
  EXPECT_EQ(run(), (Ran{kPass, {kAlways}}));
}

TEST_F(FrameChain, AnUpdatedLinkKeepsItsPlace) {
  const long first = link("early");
  ASSERT_GT(first, 0);
  ASSERT_GT(link("middle"), 0);
  EXPECT_EQ(update(first, "last_word"), 0);
  EXPECT_EQ(run(), (Ran{kPass, {kLastWord}})) << "it chains on nothing, where early stood";
  answers_[kLastWord] = kDrop;
  EXPECT_EQ(run(), (Ran{kDrop, {kLastWord}}));
  EXPECT_EQ(update(first, "silent"), 0);
  ASSERT_GT(link("always"), 0);
  EXPECT_EQ(run(), (Ran{kPass, {kAlways, kSilent, kMiddle}}));
  log_.take();
  EXPECT_EQ(update(first, "not_a_definition"), -EINVAL);
  EXPECT_NE(log_.take().find("priority is not written as __uint(name, number)"), std::string::npos);
  EXPECT_EQ(update(first, "middle"), -EEXIST);
  EXPECT_EQ(run(), (Ran{kPass, {kAlways, kSilent, kMiddle}})) << "nothing has changed";
}

TEST_F(FrameChain, TheOrderCanBeAskedFor) {
  const long late = link("late"), early = link("early");
  std::array<std::uint32_t, 4> programs{}, links{};
  uapi::bpf_attr attr = BpfClient::zero();
  attr.query.target_ifindex = kDevice;
  attr.query.attach_type = uapi::BPF_XDP;
  attr.query.count = 4;
  attr.query.prog_ids = reinterpret_cast<std::uintptr_t>(programs.data());
  attr.query.link_ids = reinterpret_cast<std::uintptr_t>(links.data());
  ASSERT_EQ(bpf().bpf(uapi::BPF_PROG_QUERY, attr), 0);
  EXPECT_EQ(attr.query.count, 2u);
  EXPECT_EQ(programs[0], bpf().prog_info(object_->program("early")).id);
  EXPECT_EQ(programs[1], bpf().prog_info(object_->program("late")).id);
  EXPECT_EQ(links[0], bpf().link_info(early).id);
  EXPECT_EQ(links[1], bpf().link_info(late).id);
  attr.query.target_ifindex = kDevice + 1;
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_QUERY, attr), -EINVAL) << "as at any other device";
  uapi::bpf_attr attach = BpfClient::zero();
  attach.target_ifindex = kDevice;
  attach.attach_type = uapi::BPF_XDP;
  attach.attach_bpf_fd = static_cast<std::uint32_t>(object_->program("middle"));
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_ATTACH, attach), -EINVAL) << "links alone hold them";
}

TEST_F(FrameChain, WhatIsSaidWronglyIsRefusedInWords) {
  const auto refused = [&](const char* program, long error, const char* words) {
    log_.take();
    EXPECT_EQ(link(program), error) << program;
    const std::string text = log_.take();
    EXPECT_NE(text.find(words), std::string::npos) << program << ": " << text;
  };
  refused("of_another_word", -EOPNOTSUPP, ".xdp_run_config of of_another_word: XDP_MAYBE is neither priority nor an answer of XDP programs");
  refused("not_a_definition", -EINVAL, "priority is not written as __uint(name, number)");
  refused("no_struct", -EINVAL, "no struct");
  EXPECT_EQ(hook_.size(), 0u);
  EXPECT_FALSE(Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = kDevice, .chain = true}).ok());
  // Where one program is alone nobody asks what it says.
  const Hook alone = Hook::add(*runtime_, {.kind = HookKind::kXdp, .device = kDevice + 1}).value();
  EXPECT_GT(link("of_another_word", kDevice + 1), 0);
  EXPECT_EQ(link("early", kDevice + 1), -EBUSY);
}

TEST_F(FrameChain, HasRoomForSixtyFour) {
  std::vector<long> links;
  for (int i = 0; i < 64; ++i) {
    const long program = bpf().load({.text = "r0 = 2\nexit", .prog_type = uapi::BPF_PROG_TYPE_XDP});
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_ifindex = kDevice;
    attr.link_create.attach_type = uapi::BPF_XDP;
    ASSERT_GT(bpf().create_with(uapi::BPF_LINK_CREATE, attr), 0) << i;
  }
  EXPECT_EQ(link("early"), -ERANGE);
  EXPECT_EQ(run().answer, kPass);
}

TEST_F(FrameChain, WhatIsTakenAwayLeavesItsLinksDetached) {
  const long held = link("early");
  ASSERT_GT(link("late"), 0);
  ASSERT_TRUE(hook_.remove().ok());
  EXPECT_EQ(update(held, "middle"), -ENOLINK);
  EXPECT_EQ(link("middle"), -ENODEV);
}

}  // namespace
}  // namespace ring3::test
