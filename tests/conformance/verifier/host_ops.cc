#include "host_ops.h"

namespace ring3::conformance {

namespace {

/// Linux never lets bpf_dummy_ops be registered: its members are only run one by one.
class LoadOnly final : public StructOpsHost {
 public:
  Result<void> reg(StructOpsInstance&, StructOpsAttachment&) override { return Errno::kOpNotSupp; }
  void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override {}
};

}  // namespace

void add_host_ops(Runtime& runtime) {
  static LoadOnly load_only;  // outlives every runtime
  StructOpsDef dummy;
  dummy.name = "bpf_dummy_ops";
  dummy.sleepable = {2 * sizeof(void*)};  // test_sleepable
  dummy.host = &load_only;
  (void)runtime.struct_ops(dummy);  // refused by types of another kernel: such programs then have no target
}

}  // namespace ring3::conformance
