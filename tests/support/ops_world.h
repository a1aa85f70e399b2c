// The world around a struct_ops map without verifier and commands: a registry, an object table, programs that
// go straight from assembly to the interpreter, descriptors that are small numbers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/engine.h"
#include "exec/machine.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/object_table.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "struct_ops/ops_link.h"
#include "struct_ops/ops_map.h"
#include "struct_ops/registry.h"
#include "tests/support/fake_host.h"
#include "tests/support/ops_btf.h"

namespace ring3::test {

/// Collects what a registry logs.
class SharedText final : public TextSink {
 public:
  void write(std::string_view text) override {
    MutexLock lock(mutex_);
    text_.append(text);
  }
  std::string take() {
    MutexLock lock(mutex_);
    return std::exchange(text_, {});
  }

 private:
  Mutex mutex_;
  std::string text_ RING3_GUARDED_BY(mutex_);
};

/// The ops type of these tests: functions, a number the host takes, a number it does not.
struct CalcOps {
  int (*add)(int a, int b);
  int (*sub)(int a, int b);
  unsigned int scale;  // at most 100, checked by init_member
  unsigned int reserved;
  int (*optional)(int a);
};

/// A host that writes down what it is told.
class CalcHost : public StructOpsHost {
 public:
  Result<bool> init_member(std::uint32_t member, const void* src, void* dst) override {
    if (member != 2) return false;
    const unsigned int scale = static_cast<const CalcOps*>(src)->scale;
    if (scale > 100) return refuse(Errno::kRange, "scale is above 100");
    static_cast<CalcOps*>(dst)->scale = scale;
    return true;
  }
  Result<void> validate(const void* ops) override {
    ++validated;
    if (needs_optional && static_cast<const CalcOps*>(ops)->optional == nullptr) return refuse(Errno::kNoData, "optional is missing");
    return {};
  }
  Result<void> reg(StructOpsInstance& instance, StructOpsAttachment& via) override {
    if (current != nullptr && !several) return refuse(Errno::kExist, "name is taken");
    current = &instance;
    attachment = &via;
    table.store(instance.as<CalcOps>());
    if (registering) registering();
    if (reg_answer != Errno{}) {
      current = nullptr;
      attachment = nullptr;
      table.store(nullptr);
      return reg_answer;
    }
    came(instance);
    ++registered;
    return {};
  }
  void unreg(StructOpsInstance& instance, StructOpsAttachment&) noexcept override {
    went(instance);
    table.store(nullptr);
    current = nullptr;
    attachment = nullptr;
    ++unregistered;
  }
  bool can_update() const override { return updatable; }
  Result<void> update(StructOpsInstance& next, StructOpsInstance& old, StructOpsAttachment&) override {
    if (update_answer != Errno{}) return update_answer;
    went(old);
    came(next);
    current = &next;
    table.store(next.as<CalcOps>());
    ++updated;
    return {};
  }

  std::atomic<const CalcOps*> table{nullptr};
  StructOpsInstance* current = nullptr;
  StructOpsAttachment* attachment = nullptr;
  int validated = 0, registered = 0, unregistered = 0, updated = 0;
  std::size_t in_charge() const { return kMost - static_cast<std::size_t>(std::count(instances.begin(), instances.end(), nullptr)); }
  bool updatable = true, needs_optional = false;
  bool several = false;  // instances at once; `current` and `table` are then the newest
  Errno update_answer{}, reg_answer{};
  std::function<void()> registering;  // called when the instance can be seen, before reg() answers

 private:
  static constexpr std::size_t kMost = 8;
  void came(StructOpsInstance& instance) { swap_one(nullptr, &instance); }
  void went(StructOpsInstance& instance) { swap_one(&instance, nullptr); }
  void swap_one(StructOpsInstance* from, StructOpsInstance* to) {
    const auto at = std::find(instances.begin(), instances.end(), from);
    ASSERT_NE(at, instances.end()) << "what was not registered goes, or too many come";
    *at = to;
  }
  // Without memory of the heap: tests let allocations fail while this host runs.
  std::array<StructOpsInstance*, kMost> instances{};
};

class OpsWorld : public ::testing::Test, public maps::MapHost, public maps::FdSource {
 protected:
  OpsWorld() {
    OpsBtf btf;
    const auto binary = btf.fn(btf.int_, {btf.int_, btf.int_});
    calc_type_ = btf.ops("calc_ops", sizeof(CalcOps),
                         {{"add", binary, 0},
                          {"sub", binary, 64},
                          {"scale", btf.u32_, 128},
                          {"reserved", btf.u32_, 160},
                          {"optional", btf.fn(btf.int_, {btf.int_}), 192}});
    calc_wrapper_ = btf.wrapper_;
    other_type_ = btf.ops("other_ops", 8, {{"add", binary, 0}});
    other_wrapper_ = btf.wrapper_;
    btf_ = btf.finish();
    for (auto [name, host, size] : {std::tuple{"calc_ops", &calc_host_, sizeof(CalcOps)}, {"other_ops", &other_host_, std::size_t{8}}}) {
      StructOpsDef def;
      def.name = name;
      def.size_bytes = size;
      def.null_when_unset = true;
      def.host = host;
      EXPECT_TRUE(registry_.add(def, btf_, text_).ok()) << text_.take();
    }
  }
  ~OpsWorld() override {
    fds_.clear();
    rcu::drain();
    for (const std::string& line : table_.live()) ADD_FAILURE() << line;
  }

  // maps::MapHost
  ObjectTable& objects() override { return table_; }
  std::uint32_t possible_cpus() const override { return 2; }
  std::uint32_t current_cpu() const override { return 0; }
  Result<void> check_prog_array_entry(maps::Map&, Object&) override { return {}; }
  // maps::FdSource
  Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) override {
    const auto it = fds_.find(fd);
    if (it == fds_.end()) return Errno::kBadF;
    if (it->second->kind() != kind) return Errno::kInval;
    return it->second;
  }

  std::int32_t fd_of(Ref<Object> o) {
    EXPECT_TRUE(table_.publish(*o).ok());
    fds_[++last_fd_] = std::move(o);
    return last_fd_;
  }

  /// A program whose context is the member's argument slots.
  std::int32_t program(std::string_view text, std::uint32_t member = 0, btf::TypeId type = 0,
                       std::uint32_t prog_type = uapi::BPF_PROG_TYPE_STRUCT_OPS) {
    return fd_of(make_program(text, member, type, prog_type));
  }
  /// The same, unpublished.
  Ref<prog::Program> make_program(std::string_view text, std::uint32_t member = 0, btf::TypeId type = 0,
                                  std::uint32_t prog_type = uapi::BPF_PROG_TYPE_STRUCT_OPS) {
    const auto raw = isa::assemble(text);
    auto xlated = std::make_shared<rewrite::XlatedProgram>();
    xlated->insns = isa::decode(raw.value()).value();
    xlated->subprogs = {{0, static_cast<std::uint32_t>(xlated->insns.size()), 0}};
    prog::ProgramMaker::Parts parts;
    parts.about.type = prog_type;
    parts.about.attach_type = member;
    parts.about.attach_btf_id = type != 0 ? type : calc_type_;
    parts.about.name = "p";
    parts.entry = std::make_unique<exec::ProgramEntry>(machine_, exec::EntryOptions{});
    EXPECT_TRUE(parts.entry->set_code(engine_->compile(xlated).value()).ok());
    return prog::ProgramMaker::make(table_, {}, std::move(parts));
  }
  static constexpr std::string_view kAdd = "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 += r2\nexit";
  static constexpr std::string_view kSub = "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 -= r2\nexit";

  maps::MapSpec spec(std::uint32_t flags) const {
    maps::MapSpec s;
    s.type = uapi::BPF_MAP_TYPE_STRUCT_OPS;
    s.key_size = 4;
    s.value_size = static_cast<std::uint32_t>(64 + sizeof(CalcOps));
    s.max_entries = 1;
    s.flags = flags;
    s.kernel_value_type = calc_wrapper_;
    return s;
  }
  Ref<maps::Map> make_map(std::uint32_t flags) {
    Ref<maps::Map> map = struct_ops::create_map(spec(flags), *btf_, registry_, *this).value();
    EXPECT_TRUE(table_.publish(*map).ok());
    return map;
  }
  Ref<maps::Map> classic() { return make_map(0); }
  Ref<maps::Map> link_map() { return make_map(uapi::BPF_F_LINK); }

  /// The client's value: descriptors in function members.
  struct Value {
    std::uint32_t count = 0, state = 0;
    std::uint8_t padding[56] = {};
    std::uint64_t add = 0, sub = 0;
    std::uint32_t scale = 0, reserved = 0;
    std::uint64_t optional = 0;
  };
  static_assert(sizeof(Value) == 64 + sizeof(CalcOps));

  Value both() {
    Value v;
    v.add = static_cast<std::uint64_t>(program(kAdd, 0));
    v.sub = static_cast<std::uint64_t>(program(kSub, 1));
    return v;
  }
  Errno update(maps::Map& map, const Value& v, std::uint32_t key = 0, std::uint64_t flags = 0) {
    return errno_of(map.ops().control.update(map, std::as_bytes(std::span(&key, 1)), std::as_bytes(std::span(&v, 1)), flags, *this));
  }
  Value lookup(maps::Map& map) {
    Value v;
    const std::uint32_t key = 0;
    EXPECT_TRUE(map.ops().control.lookup(map, std::as_bytes(std::span(&key, 1)), std::as_writable_bytes(std::span(&v, 1)), 0).ok());
    return v;
  }
  Errno erase(maps::Map& map) {
    const std::uint32_t key = 0;
    return errno_of(map.ops().control.erase(map, std::as_bytes(std::span(&key, 1))));
  }
  static bool is_zero(const Value& v) {
    const Value zero{};
    return std::memcmp(&v, &zero, sizeof(v)) == 0;
  }
  static Errno errno_of(const Result<void>& r) { return r.ok() ? Errno{} : r.error(); }

  std::shared_ptr<const btf::Btf> btf_;
  btf::TypeId calc_type_ = 0, calc_wrapper_ = 0, other_type_ = 0, other_wrapper_ = 0;
  FakeHost machine_host_;
  ObjectTable table_;
  exec::CodeMemory code_;
  exec::Machine machine_{machine_host_};
  std::unique_ptr<exec::Engine> engine_ = exec::make_interpreter();
  SharedText text_;
  struct_ops::Registry registry_{code_, text_};
  CalcHost calc_host_, other_host_;
  std::map<std::int32_t, Ref<Object>> fds_;
  std::int32_t last_fd_ = 100;
};

}  // namespace ring3::test
