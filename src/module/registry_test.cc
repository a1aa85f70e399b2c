#include "module/registry.h"

#include <gtest/gtest.h>

#include "base/json_writer.h"
#include "tests/support/module_world.h"

namespace ring3::module {
namespace {

class RegistryTest : public test::ModuleWorld {
 protected:
  bool why_says(std::string_view text) const { return why_.find(text) != std::string::npos; }
};

TEST_F(RegistryTest, LoadIsInvisibleUntilItIsCommitted) {
  auto session = load();
  EXPECT_FALSE(any_published());
  EXPECT_EQ(call_add(1, 2), 0);
  EXPECT_EQ(names(), "");
  EXPECT_EQ(commit(*session, request("calc")), Errno{});
  EXPECT_TRUE(any_published());
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(names(), "calc live");
}

TEST_F(RegistryTest, DroppedLoadLeavesNothing) {
  load().reset();
  client_goes();
  rcu::drain();
  EXPECT_EQ(table_.live_count(), 0u);
  EXPECT_EQ(calc_host_.registered, 0);
}

TEST_F(RegistryTest, ModuleOutlivesItsLoader) {
  EXPECT_EQ(insert(request("calc")), Errno{});
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 3);
}

TEST_F(RegistryTest, ListingTellsEverything) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  call_add(1, 2);
  const ModuleInfo info = modules_.find("calc").value();
  EXPECT_EQ(info.id, 1u);
  EXPECT_EQ(info.state, "live");
  EXPECT_EQ(info.uid, 500u);
  EXPECT_EQ(info.pid, 42);
  EXPECT_EQ(info.source, "policy.bpf.o");
  EXPECT_EQ(info.runs, 1u);
  EXPECT_EQ(info.used_by, 0u);
  EXPECT_GT(info.memory_bytes, 0u);
  ASSERT_EQ(info.programs.size(), 2u);
  EXPECT_EQ(info.programs[0].name, "p");
  EXPECT_EQ(info.programs[0].tag.size(), 16u);
  ASSERT_EQ(info.maps.size(), 1u);
  ASSERT_EQ(info.ops.size(), 1u);
  EXPECT_EQ(info.ops[0].type, "calc_ops");
  EXPECT_EQ(info.ops[0].map_id, info.maps[0].id);
  EXPECT_NE(info.ops[0].link_id, 0u);
  JsonWriter json;
  write_json(json, info);
  const std::string text = json.take();
  EXPECT_NE(text.find(R"("id":1,"name":"calc","state":"live","lifetime":"resident","uid":500,"pid":42)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("type":"calc_ops")"), std::string::npos) << text;
}

TEST_F(RegistryTest, NamesAreChecked) {
  for (const char* name : {"", "a b", "a/b", "a.b", "abcdefghijklmnopqrstuvwxyz012345"}) {
    EXPECT_EQ(insert(request(name)), Errno::kInval) << name;
    EXPECT_TRUE(why_says("no module name")) << why_;
  }
  EXPECT_EQ(insert(request("a-b_9")), Errno{});
  EXPECT_EQ(insert(request("a-b_9")), Errno::kExist);
  EXPECT_EQ(insert(request("next", "nobody")), Errno::kNoEnt);
  EXPECT_TRUE(why_says("nobody")) << why_;
}

TEST_F(RegistryTest, EmptyOrEndedLoadIsNoModule) {
  syscall::LoadSession empty(*kernel_);
  EXPECT_EQ(commit(empty, request("calc")), Errno::kInval);
  auto session = load();
  session->rollback();
  EXPECT_NE(commit(*session, request("calc")), Errno{});
  EXPECT_EQ(names(), "");
}

TEST_F(RegistryTest, WhatTheClientClosedAgainIsNoMember) {
  auto session = load();
  ASSERT_TRUE(session->add(make_program(kAdd)).ok());  // a feature probe: made, and gone
  EXPECT_EQ(session->objects().size(), 5u);
  EXPECT_EQ(commit(*session, request("calc")), Errno{});
  EXPECT_EQ(modules_.find("calc")->programs.size(), 2u);
  session.reset();
  rcu::drain();
  EXPECT_EQ(table_.live_count(), 4u);
}

TEST_F(RegistryTest, RefusedAttachLeavesNothing) {
  ASSERT_EQ(insert(request("first")), Errno{});
  // The host takes one instance only.
  EXPECT_EQ(insert(request("second")), Errno::kExist);
  EXPECT_TRUE(why_says("second")) << why_;
  rcu::drain();
  EXPECT_EQ(names(), "first live");
  EXPECT_EQ(table_.live_count(), 4u);  // two programs, a map, a link
}

TEST_F(RegistryTest, ReplacementTakesTheLinkOver) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  const std::uint32_t link = modules_.find("calc")->ops[0].link_id;
  ASSERT_EQ(insert(request("calc2", "calc"), kAddTen), Errno{});
  EXPECT_EQ(call_add(1, 2), 13);
  EXPECT_EQ(calc_host_.registered, 1);
  EXPECT_EQ(calc_host_.updated, 1);
  EXPECT_EQ(calc_host_.unregistered, 0);
  rcu::drain();
  EXPECT_EQ(names(), "calc2 live");
  EXPECT_EQ(modules_.find("calc2")->ops[0].link_id, link);
  EXPECT_EQ(modules_.find("calc2")->replaced, "calc");
  EXPECT_EQ(table_.live_count(), 4u);
}

TEST_F(RegistryTest, ReplacementMayKeepTheName) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  ASSERT_EQ(insert(request("calc", "calc"), kAddTen), Errno{});
  EXPECT_EQ(call_add(1, 2), 13);
  rcu::drain();
  EXPECT_EQ(names(), "calc live");
  EXPECT_EQ(modules_.find("calc")->id, 2u);
}

TEST_F(RegistryTest, RefusedReplacementLeavesTheOldOne) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  calc_host_.update_answer = Errno::kNoSpc;
  EXPECT_EQ(insert(request("calc2", "calc"), kAddTen), Errno::kNoSpc);
  EXPECT_TRUE(why_says("could not be switched over")) << why_;
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(names(), "calc live");
  EXPECT_EQ(table_.live_count(), 4u);
}

TEST_F(RegistryTest, ReplacementIsUndoneWhenALaterStepFails) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  auto session = load(kAddTen);
  // The new module also brings a table of another type, which has nothing to take over, and its host declines.
  ASSERT_TRUE(add_other(*session).ok());
  other_host_.current = calc_host_.current;
  EXPECT_EQ(commit(*session, request("calc2", "calc")), Errno::kExist);
  EXPECT_EQ(calc_host_.updated, 2);  // there and back
  session.reset();
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(names(), "calc live");
  EXPECT_EQ(table_.live_count(), 4u);
}

TEST_F(RegistryTest, ReplacementMayBringMoreThanTheOldOneHad) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  auto session = load(kAddTen);
  ASSERT_TRUE(add_other(*session).ok());
  ASSERT_EQ(commit(*session, request("calc2", "calc")), Errno{});
  EXPECT_EQ(other_host_.registered, 1);
  EXPECT_EQ(modules_.find("calc2")->ops.size(), 2u);
  // And the other way round: what the new one lacks is taken out.
  ASSERT_EQ(insert(request("calc3", "calc2")), Errno{});
  EXPECT_EQ(other_host_.unregistered, 1);
  EXPECT_EQ(call_add(1, 2), 3);
}

/// Each table of a type succeeds another one of it, by its name where there is one.
TEST_F(RegistryTest, ReplacementOfTablesOfOneTypeTakesEachLinkOverOnce) {
  calc_host_.several = true;
  const auto load_two = [&](const char* first, std::string_view first_add, const char* second, std::string_view second_add) {
    auto session = std::make_unique<syscall::LoadSession>(*kernel_);
    EXPECT_TRUE(fill(*session, make_program(first_add, 0), make_program(kSub, 1), first).ok());
    EXPECT_TRUE(fill(*session, make_program(second_add, 0), make_program(kSub, 1), second).ok());
    fds_.clear();
    return session;
  };
  const auto link_of = [&](std::string_view module, std::string_view table) {
    const ModuleInfo info = modules_.find(module).value();
    for (const OpsRow& row : info.ops)
      if (row.name == table) return row.link_id;
    return 0u;
  };
  ASSERT_EQ(commit(*load_two("a", kAdd, "b", kAddTen), request("old")), Errno{});
  const std::uint32_t a = link_of("old", "a"), b = link_of("old", "b");
  ASSERT_NE(a, 0u);
  ASSERT_NE(b, 0u);
  ASSERT_EQ(commit(*load_two("c", kAddTen, "a", kAdd), request("next", "old")), Errno{});
  EXPECT_EQ(calc_host_.updated, 2);
  EXPECT_EQ(calc_host_.in_charge(), 2u);
  EXPECT_EQ(link_of("next", "a"), a);
  EXPECT_EQ(link_of("next", "c"), b);
  // One that has no predecessor left is attached beside the others, one without a successor goes.
  ASSERT_EQ(insert(request("one", "next")), Errno{});
  EXPECT_EQ(calc_host_.in_charge(), 1u);
  ASSERT_EQ(commit(*load_two("a", kAdd, "b", kAddTen), request("two", "one")), Errno{});
  EXPECT_EQ(calc_host_.in_charge(), 2u);
  EXPECT_NE(link_of("two", "a"), 0u);
  EXPECT_NE(link_of("two", "b"), 0u);
  // A host that takes one only refuses as it would without a predecessor, and everything is as it was.
  EXPECT_EQ(remove("two"), Errno{});
  ASSERT_EQ(insert(request("one")), Errno{});
  calc_host_.several = false;
  EXPECT_EQ(commit(*load_two("a", kAddTen, "b", kAddTen), request("two", "one")), Errno::kExist);
  EXPECT_EQ(names().find("two live"), std::string::npos);
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(calc_host_.in_charge(), 1u);
}

/// A kind of link that clients do not detach, as those of replacements are.
class HeldLink final : public attach::Link {
 public:
  explicit HeldLink(ObjectTable& table) : Link(kOps, 0, nullptr, table, {}) {}
  static inline int attached = 0;

 private:
  static constexpr attach::LinkOps kOps = {
      .type = uapi::BPF_LINK_TYPE_TRACING,
      .name = "held",
      .attach =
          [](attach::Link&) {
            ++attached;
            return Result<void>();
          },
      .release = [](attach::Link&) noexcept { --attached; },
  };
};

/// Also while the client, which has its descriptor still, holds the link.
TEST_F(RegistryTest, FailedLoadTakesBackWhatItAttached) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  auto held = Ref<HeldLink>::adopt(new HeldLink(table_));
  auto session = std::make_unique<syscall::LoadSession>(*kernel_);
  ASSERT_TRUE(give(*session, held).ok());
  ASSERT_TRUE(fill(*session, make_program(kAddTen, 0), make_program(kSub, 1)).ok());
  fds_.clear();
  StringSink why;
  EXPECT_EQ(modules_.commit(*session, request("next"), why).error(), Errno::kExist);
  EXPECT_EQ(HeldLink::attached, 0);
  EXPECT_EQ(held->state(), attach::LinkState::kDetached);
  client_goes();
  held = nullptr;
  EXPECT_EQ(HeldLink::attached, 0);
}

TEST_F(RegistryTest, RemovalGivesTheHostBack) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  EXPECT_EQ(remove("other"), Errno::kNoEnt);
  EXPECT_EQ(remove("calc"), Errno{});
  EXPECT_EQ(call_add(1, 2), 0);
  EXPECT_EQ(calc_host_.unregistered, 1);
  rcu::drain();
  EXPECT_EQ(names(), "");
  EXPECT_EQ(table_.live_count(), 0u);
}

TEST_F(RegistryTest, RemovedModuleIsListedUntilItsCallersHaveLeft) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  {
    rcu::ReadSection inside;
    const test::CalcOps* ops = calc_host_.table.load();
    EXPECT_EQ(remove("calc"), Errno{});
    EXPECT_EQ(names(), "calc unloading");
    EXPECT_EQ(ops->add(1, 2), 3);
    // The name is free already.
    EXPECT_FALSE(modules_.find("calc").ok());
    ASSERT_EQ(insert(request("calc"), kAddTen), Errno{});
    EXPECT_EQ(names(), "calc unloading, calc live");
  }
  rcu::drain();
  EXPECT_EQ(names(), "calc live");
}

TEST_F(RegistryTest, ModuleTheHostHoldsIsBusy) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  StructOpsInstance* instance = calc_host_.current;
  ASSERT_TRUE(instance->hold());
  EXPECT_EQ(modules_.find("calc")->used_by, 1u);
  EXPECT_EQ(remove("calc"), Errno::kBusy);
  EXPECT_TRUE(why_says("in use by the host")) << why_;
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(remove("calc", true), Errno{});
  rcu::drain();
  EXPECT_EQ(names(), "calc unloading");
  instance->release();
  rcu::drain();
  EXPECT_EQ(names(), "");
}

TEST_F(RegistryTest, OthersMayNotTouchAModule) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  EXPECT_EQ(remove("calc", false, 501), Errno::kPerm);
  EXPECT_TRUE(why_says("uid 500")) << why_;
  CommitRequest theirs = request("calc2", "calc");
  theirs.who.birth.uid = 501;
  EXPECT_EQ(insert(theirs), Errno::kPerm);
  EXPECT_EQ(remove("calc", true, 501), Errno::kPerm);
  EXPECT_EQ(remove("calc", false, 0, true), Errno{});
}

TEST_F(RegistryTest, SessionModuleGoesWithItsSession) {
  CommitRequest r = request("calc");
  r.lifetime = Lifetime::kSession;
  r.session = 9;
  ASSERT_EQ(insert(r), Errno{});
  modules_.session_ended(8);
  EXPECT_EQ(names(), "calc live");
  modules_.session_ended(9);
  EXPECT_EQ(call_add(1, 2), 0);
  rcu::drain();
  EXPECT_EQ(names(), "");
}

TEST_F(RegistryTest, PinnedModuleGoesWithItsLastPin) {
  CommitRequest r = request("calc");
  r.lifetime = Lifetime::kPinned;
  const syscall::PinIdentity root{0, 0, {}, true};
  {
    auto session = load();
    ASSERT_TRUE(session->add_pin("/sys/fs/bpf/calc", root, session->links()[0], 0).ok());
    ASSERT_EQ(commit(*session, r), Errno{});
  }
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 3);
  EXPECT_EQ(names(), "calc live");
  EXPECT_EQ(modules_.find("calc")->programs.size(), 2u);
  ASSERT_TRUE(kernel_->pins().unlink("/sys/fs/bpf/calc", root).ok());
  rcu::drain();
  EXPECT_EQ(call_add(1, 2), 0);
  EXPECT_EQ(names(), "");
}

TEST_F(RegistryTest, EjectedModuleSaysSo) {
  ASSERT_EQ(insert(request("calc")), Errno{});
  ASSERT_TRUE(calc_host_.attachment->eject());
  EXPECT_EQ(names(), "calc detached");
  EXPECT_EQ(remove("calc"), Errno{});
}

}  // namespace
}  // namespace ring3::module
