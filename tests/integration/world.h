// A runtime with the ops types of test_host.h, its host's side written down, and one client in this process.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "btf/btf.h"
#include "ring3/runtime.h"
#include "test_host.h"
#include "tests/integration/bpf_client.h"
#include "tests/support/log_lines.h"

namespace ring3::test {

/// The host's side of calc_ops: one instance per name, callbacks counted, answers settable.
class CalcHost final : public StructOpsHost {
 public:
  Result<void> check_member(std::uint32_t member, bool) override {
    return member == veto_member ? Result<void>(refuse(veto, "vetoed by the test")) : Result<void>();
  }
  Result<bool> init_member(std::uint32_t member, const void* src, void* dst) override;
  Result<void> validate(const void* ops) override;
  Result<void> reg(StructOpsInstance& instance, StructOpsAttachment& via) override;
  void unreg(StructOpsInstance& instance, StructOpsAttachment& via) noexcept override;
  bool can_update() const override { return true; }
  Result<void> update(StructOpsInstance& next, StructOpsInstance& old, StructOpsAttachment& via) override;

  /// The current table; call through it inside a ReadSection.
  std::atomic<const calc_ops*> table{nullptr};
  std::atomic<StructOpsInstance*> instance{nullptr};
  std::atomic<StructOpsAttachment*> attachment{nullptr};
  std::atomic<int> registered{0}, unregistered{0}, updated{0};
  std::uint32_t veto_member = UINT32_MAX;
  Errno veto{};
  Errno validate_answer{};
};

/// Refuses nothing and cannot update.
class OtherHost final : public StructOpsHost {
 public:
  Result<void> reg(StructOpsInstance&, StructOpsAttachment&) override { return {}; }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override {}
};

/// Keeps the table it was given last.
class OwnerHost final : public StructOpsHost {
 public:
  Result<void> reg(StructOpsInstance& instance, StructOpsAttachment&) override {
    table = instance.as<owner_ops>();
    return {};
  }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override { table = nullptr; }

  std::atomic<const owner_ops*> table{nullptr};
};

enum OwnerMember : std::uint32_t { kTake, kMake, kPass };

enum CalcMember : std::uint32_t { kAdd, kSub, kScale, kReserved, kNap, kMissing, kMaybe, kPaint, kName };

/// bpf_struct_ops_calc_ops as a client fills it: descriptors in function members.
struct alignas(64) CalcValue {
  std::uint32_t count = 0, state = 0;
  std::uint8_t padding[56] = {};
  std::uint64_t add = 0, sub = 0;
  std::uint32_t scale = 0, reserved = 0;
  std::uint64_t nap = 0, missing = 0, maybe = 0, paint = 0;
  char name[TEST_NAME_LEN] = {};
  std::uint8_t tail[56] = {};  // the wrapper fills whole cache lines
};
static_assert(sizeof(CalcValue) == 192 && offsetof(CalcValue, add) == 64);

inline constexpr std::string_view kAddText = "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 += r2\nexit";
inline constexpr std::string_view kSubText = "r0 = *(u64 *)(r1 +0)\nr2 = *(u64 *)(r1 +8)\nr0 -= r2\nexit";

/// The types of test_host.h.
BtfBlob test_host_btf_blob();

class World : public ::testing::Test {
 protected:
  explicit World(bool lenient_fields = false);
  ~World() override;

  /// A value with both int members set to fresh programs.
  CalcValue both();
  /// A READY link-flavour map of calc_ops, or of other_ops.
  long ready_map() { return ready_map(both()); }
  long ready_map(const CalcValue& value);
  long other_ready_map();
  void expect_zero(long map);
  int call_add(int a, int b);
  int call_sub(int a, int b);
  /// Tries for 20 s: a host notices a death in its own time, and machines are under load.
  template <typename Condition>
  static bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  LogLines log_;
  CalcHost calc_;
  OtherHost other_;
  OwnerHost owner_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<const btf::Btf> host_btf_;
  StructOpsPoint<policy_ops> policy_;
  std::unique_ptr<BpfClient> client_;
  BpfClient& bpf() { return *client_; }
};

/// All checks of area A stand in this suite.
class StructOps : public World {
 protected:
  bool logged(std::string_view text) { return bpf().log().find(text) != std::string::npos; }
};

/// What the kfuncs of the host do; one test at a time.
struct HostFunctions {
  static inline thing things[4] = {{1, 10, 0}, {2, 20, 0}, {3, 30, 0}, {4, 40, 0}};
  static inline std::atomic<int> gets{0}, puts{0};
  static inline int (*swap)() = nullptr;
};

}  // namespace ring3::test
