#include "host_ops.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/judged_ops.h"
#include "runtime/runtime_impl.h"

namespace ring3::conformance {

namespace {

/// Linux never lets bpf_dummy_ops be registered: its members are only run one by one.
class LoadOnly final : public StructOpsHost {
 public:
  Result<void> reg(StructOpsInstance&, StructOpsAttachment&) override { return Errno::kOpNotSupp; }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override {}
};

/// bpf_testmod_st_ops: one instance at a time, whose members the module's functions call.
struct StOpsArgs { std::uint64_t a; };
struct StOps {
  int (*test_prologue)(StOpsArgs* args);
  int (*test_epilogue)(StOpsArgs* args);
  int (*test_pro_epilogue)(StOpsArgs* args);
  void* owner;
};

class OneInstance final : public StructOpsHost {
 public:
  Result<void> reg(StructOpsInstance& instance, StructOpsAttachment&) override {
    const StOps* none = nullptr;
    return current.compare_exchange_strong(none, instance.as<StOps>()) ? Result<void>() : Errno::kExist;
  }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override { current = nullptr; }

  static std::atomic<const StOps*> current;
};
std::atomic<const StOps*> OneInstance::current{nullptr};

std::uint64_t call(int (*StOps::*member)(StOpsArgs*), StOpsArgs* args) {
  const StOps* ops = OneInstance::current;
  return ops == nullptr || ops->*member == nullptr ? 0 : static_cast<std::uint64_t>(static_cast<std::int64_t>((ops->*member)(args)));
}
std::uint64_t test_prologue(StOpsArgs* args) { return call(&StOps::test_prologue, args); }
std::uint64_t test_epilogue(StOpsArgs* args) { return call(&StOps::test_epilogue, args); }
std::uint64_t test_pro_epilogue(StOpsArgs* args) { return call(&StOps::test_pro_epilogue, args); }
std::uint64_t inc10(StOpsArgs* args) { return args->a += 10; }

void add_st_ops(Runtime& runtime) {
  static OneInstance one_instance;  // outlives every runtime
  StructOpsDef def;
  def.name = "bpf_testmod_st_ops";
  def.null_when_unset = true;
  def.host = &one_instance;
  def.writable = {{"st_ops_args", 0, sizeof(StOpsArgs)}};
  // Slots: code, registers (dst low, src high), offset, immediate.
  const std::vector<std::uint64_t> prologue = {
      0x0000000000001679,  // r6 = *(u64 *)(r1 +0)
      0x0000000000006779,  // r7 = *(u64 *)(r6 +0)
      0x000003e800000707,  // r7 += 1000
      0x000000000000767b,  // *(u64 *)(r6 +0) = r7
  };
  const std::vector<std::uint64_t> epilogue = {
      0x0000000000001179,  // r1 = *(u64 *)(r1 +0)
      0x0000000000001679,  // r6 = *(u64 *)(r1 +0)
      0x0000271000000607,  // r6 += 10000
      0x000000000000617b,  // *(u64 *)(r1 +0) = r6
      0x00000000000060bf,  // r0 = r6
      0x0000000200000027,  // r0 *= 2
      0x0000000000000095,  // exit
  };
  def.prologues = {{offsetof(StOps, test_prologue), prologue}, {offsetof(StOps, test_pro_epilogue), prologue}};
  def.epilogues = {{offsetof(StOps, test_epilogue), epilogue}, {offsetof(StOps, test_pro_epilogue), epilogue}};
  (void)runtime.struct_ops(def);
}

}  // namespace

void* host_ops_kfunc(std::string_view name) {
  if (name == "bpf_kfunc_st_ops_test_prologue") return reinterpret_cast<void*>(test_prologue);
  if (name == "bpf_kfunc_st_ops_test_epilogue") return reinterpret_cast<void*>(test_epilogue);
  if (name == "bpf_kfunc_st_ops_test_pro_epilogue") return reinterpret_cast<void*>(test_pro_epilogue);
  if (name == "bpf_kfunc_st_ops_inc10") return reinterpret_cast<void*>(inc10);
  return nullptr;
}

void add_host_ops(Runtime& runtime) {
  static LoadOnly load_only;  // outlives every runtime
  const auto types = runtime.impl().facts()->host_btf;
  for (const char* name : {"bpf_dummy_ops", "tcp_congestion_ops"}) {
    StructOpsDef def = judged_struct_ops(*types, name);
    def.host = &load_only;
    (void)runtime.struct_ops(def);  // refused by types of another kernel: such programs then have no target
  }
  StructOpsDef testmod;
  testmod.name = "bpf_testmod_ops";
  testmod.unsupported = {3 * sizeof(void*)};  // unsupported_ops
  testmod.host = &load_only;
  (void)runtime.struct_ops(testmod);
  add_st_ops(runtime);
}

}  // namespace ring3::conformance
