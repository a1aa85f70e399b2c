// A whole kernel for tests of commands: every room, a fake host, commands issued from this process.
//
//   FakeKernel k;
//   uapi::bpf_attr attr = k.attr();
//   EXPECT_EQ(k.bpf(uapi::BPF_MAP_CREATE, attr), …);
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "exec/engine.h"
#include "exec/machine.h"
#include "maps/map_kinds.h"
#include "object/object_table.h"
#include "object/rcu.h"
#include "prog/load.h"
#include "sign/keyring.h"
#include "struct_ops/registry.h"
#include "syscall/bpf.h"
#include "syscall/load_session.h"
#include "tests/support/fake_host.h"
#include "uapi/bpf.h"

namespace ring3::test {

/// The services of a runtime without the runtime. The end checks that nothing leaked (ObjectTable).
class FakeKernel final : public maps::MapHost, public prog::ProgramHost, public syscall::KernelServices {
 public:
  explicit FakeKernel(std::vector<std::string> pin_roots = {"/sys/fs/bpf"}) {
    btf::Builder builder;
    builder.add_int("int", 4, 1);
    NullSink log;
    auto blob = btf::Btf::parse(builder.finish(), nullptr, log).value();
    facts_ = std::make_shared<model::Facts>(model::Facts{.host_btf = blob});
    host_btf_ = prog::BtfObject::make(objects_, blob, Birth{}, "vmlinux", true);
    (void)objects_.publish(*host_btf_).ok();
    kernel_ = syscall::Kernel::create(*this, std::move(pin_roots)).value();
  }
  ~FakeKernel() {
    host_btf_ = nullptr;
    kernel_.reset();
    rcu::drain();
  }

  syscall::Kernel& kernel() { return *kernel_; }
  FakeHost& host() { return host_; }

  /// An attribute of zeros.
  static uapi::bpf_attr attr() {
    uapi::bpf_attr a;
    std::memset(static_cast<void*>(&a), 0, sizeof a);
    return a;
  }
  /// One command of this process with all of its attribute. rights: of the caller.
  long bpf(int cmd, uapi::bpf_attr& a, std::uint32_t size = sizeof(uapi::bpf_attr)) {
    syscall::OwnCaller caller(rights, session);
    return syscall::bpf(*kernel_, caller, cmd, address(&a), size);
  }
  static std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

  model::Rights rights = model::Rights::all();
  syscall::LoadSession* session = nullptr;
  std::vector<std::string> log_lines;
  std::vector<std::string> traces;  // filled while trace_commands
  bool trace_commands = false;
  bool unprivileged = false;  // clients without CAP_BPF may use basic kinds
  Errno policy{};  // what the host's policy answers; 0: permits

  // maps::MapHost
  ObjectTable& objects() override { return objects_; }
  std::uint32_t possible_cpus() const override { return 4; }
  std::uint32_t current_cpu() const override { return exec::current_cpu(machine_); }
  Result<void> check_prog_array_entry(maps::Map&, Object&) override { return {}; }

  // prog::ProgramHost
  std::shared_ptr<const model::Facts> facts() override { return facts_; }
  Ref<prog::BtfObject> host_btf() override { return host_btf_; }
  exec::Engine& engine() override { return *engine_; }
  exec::Machine& machine() override { return machine_; }
  const verifier::Limits& limits() override { return limits_; }
  const sign::Keyrings* keyrings() override { return &keyrings_; }
  Result<void> check_struct_ops_member(const model::StructOpsType&, std::uint32_t, bool) override { return {}; }

  // syscall::KernelServices
  maps::MapHost& map_host() override { return *this; }
  const maps::MapKinds& map_kinds() override { return kinds_; }
  prog::ProgramHost& program_host() override { return *this; }
  const struct_ops::Registry& struct_ops() override { return registry_; }
  std::uint64_t now_ns() override { return host_.boot_ns(); }
  void log(Severity, std::string_view text) override { log_lines.emplace_back(text); }
  Result<void> permit(const syscall::Credentials&, int) override {
    if (policy != Errno{}) return policy;
    return {};
  }
  bool unprivileged_allowed() override { return unprivileged; }
  bool tracing() override { return trace_commands; }
  void trace(const syscall::CommandTrace& t) override {
    traces.push_back(std::string(t.name) + " = " + std::to_string(t.result));
  }

 private:
  FakeHost host_;
  ObjectTable objects_;
  exec::Machine machine_{host_};
  const std::unique_ptr<exec::Engine> engine_ = exec::make_interpreter();
  const verifier::Limits limits_{};
  NullSink keyrings_log_;
  const sign::Keyrings keyrings_ = sign::Keyrings::make({}, keyrings_log_).value();
  maps::MapKinds kinds_;
  StringSink registry_log_;
  struct_ops::Registry registry_{machine_.code, registry_log_};
  std::shared_ptr<const model::Facts> facts_;
  Ref<prog::BtfObject> host_btf_;
  std::unique_ptr<syscall::Kernel> kernel_;
};

}  // namespace ring3::test
