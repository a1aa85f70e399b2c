// The world of the struct_ops tests with a module registry: loads are made in sessions as commands make them,
// without commands.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "base/try.h"
#include "maps/map_kinds.h"
#include "module/registry.h"
#include "syscall/kernel.h"
#include "tests/support/ops_world.h"

namespace ring3::test {

class ModuleWorld : public OpsWorld, public syscall::KernelServices {
 protected:
  ModuleWorld() : kernel_(syscall::Kernel::create(*this, {"/sys/fs/bpf"}).value()) {}
  ~ModuleWorld() override {
    client_goes();
    modules_.remove_all();
    kernel_.reset();
  }

  // syscall::KernelServices
  ObjectTable& objects() override { return table_; }
  maps::MapHost& map_host() override { return *this; }
  const maps::MapKinds& map_kinds() override { return kinds_; }
  prog::ProgramHost& program_host() override { std::abort(); }  // programs are made by hand here
  const struct_ops::Registry& struct_ops() override { return registry_; }
  std::uint64_t now_ns() override { return 77; }
  void log(Severity, std::string_view) override {}

  /// Makes it the session's and gives the client a descriptor, so to speak.
  Result<void> give(syscall::LoadSession& session, Ref<Object> object) {
    RING3_TRY(session.add(object));
    client_.push_back(UserRef<Object>(std::move(object)));
    return {};
  }
  void client_goes() { client_.clear(); }

  /// A load with two programs, a filled ops table of calc_ops and a pending link for it.
  std::unique_ptr<syscall::LoadSession> load(std::string_view add_text = kAdd) {
    auto session = std::make_unique<syscall::LoadSession>(*kernel_);
    EXPECT_TRUE(fill(*session, make_program(add_text, 0), make_program(kSub, 1)).ok());
    fds_.clear();
    return session;
  }
  Result<void> fill(syscall::LoadSession& session, Ref<prog::Program> add, Ref<prog::Program> sub, std::string name = {}) {
    Value v;
    const auto member = [&](Ref<prog::Program> program) -> Result<std::uint64_t> {
      RING3_TRY(give(session, program));
      fds_[++last_fd_] = std::move(program);
      return static_cast<std::uint64_t>(last_fd_);
    };
    v.add = RING3_TRY(member(std::move(add)));
    v.sub = RING3_TRY(member(std::move(sub)));
    maps::MapSpec table = spec(uapi::BPF_F_LINK);
    table.name = std::move(name);
    Ref<maps::Map> map = RING3_TRY(struct_ops::create_map(table, *btf_, registry_, *this));
    RING3_TRY(give(session, map));
    const std::uint32_t key = 0;
    RING3_TRY(map->ops().control.update(*map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&v, 1)), 0, *this));
    return give(session, RING3_TRY(struct_ops::create_link(map, 0, Birth{})));
  }

  /// A table of other_ops and a pending link, added to a load.
  Result<void> add_other(syscall::LoadSession& session) {
    maps::MapSpec other = spec(uapi::BPF_F_LINK);
    other.kernel_value_type = other_wrapper_;
    other.value_size = 64 + 8;
    struct {
      std::uint64_t header[8] = {};
      std::uint64_t add = 0;
    } value;
    Ref<prog::Program> program = make_program(kAdd, 0, other_type_);
    RING3_TRY(give(session, program));
    fds_[++last_fd_] = std::move(program);
    value.add = static_cast<std::uint64_t>(last_fd_);
    Ref<maps::Map> map = RING3_TRY(struct_ops::create_map(other, *btf_, registry_, *this));
    RING3_TRY(give(session, map));
    const std::uint32_t key = 0;
    RING3_TRY(map->ops().control.update(*map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&value, 1)), 0, *this));
    fds_.clear();
    return give(session, RING3_TRY(struct_ops::create_link(map, 0, Birth{})));
  }

  static module::CommitRequest request(std::string name, std::string replaces = {}) {
    module::CommitRequest r;
    r.name = std::move(name);
    r.replaces = std::move(replaces);
    r.source = "policy.bpf.o";
    r.who = {Birth{500, 42, 7}, false};
    return r;
  }
  Errno commit(syscall::LoadSession& session, const module::CommitRequest& r) {
    StringSink why;
    const Result<std::uint32_t> id = modules_.commit(session, r, why);
    why_ = why.take();
    client_goes();
    return id.ok() ? Errno{} : id.error();
  }
  /// Loads and commits.
  Errno insert(const module::CommitRequest& r, std::string_view add_text = kAdd) {
    auto session = load(add_text);
    return commit(*session, r);
  }
  Errno remove(std::string_view name, bool force = false, std::uint32_t uid = 500, bool admin = false) {
    StringSink why;
    const Result<std::uint32_t> id = modules_.remove(name, force, {Birth{uid, 43, 8}, admin}, why);
    why_ = why.take();
    return id.ok() ? Errno{} : id.error();
  }

  /// What the host calls now; 0 while nobody is registered.
  int call_add(int a, int b) {
    rcu::ReadSection section;
    const CalcOps* ops = calc_host_.table.load();
    return ops != nullptr ? ops->add(a, b) : 0;
  }
  /// "calc live, next unloading"
  std::string names() {
    std::string found;
    for (const module::ModuleInfo& info : modules_.list())
      found += (found.empty() ? "" : ", ") + info.name + " " + info.state;
    return found;
  }
  /// Objects a client could find by id.
  bool any_published() {
    for (const ObjectKind kind : {ObjectKind::kMap, ObjectKind::kProg, ObjectKind::kLink})
      if (table_.next_id(kind, 0).ok()) return true;
    return false;
  }

  static constexpr std::string_view kAddTen =
      "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 += r2\nr0 += 10\nexit";

  maps::MapKinds kinds_;
  std::unique_ptr<syscall::Kernel> kernel_;
  module::Registry modules_{table_};
  std::vector<UserRef<Object>> client_;  // what its descriptors hold
  std::string why_;
};

}  // namespace ring3::test
