// A runtime whose adder_ops is implemented by a program that was loaded, verified and linked through bpf(2).
#pragma once

#include <memory>
#include <string_view>

#include "adder.h"
#include "ring3/runtime.h"

namespace ring3::bench {

class AdderHost {
 public:
  /// program: the member's text, e.g. "r0 = *(u64 *)(r1 +0)\n…exit". Ends the process when it does not load.
  explicit AdderHost(std::string_view program);
  ~AdderHost();

  const StructOpsPoint<adder_ops>& point() const { return point_; }

 private:
  std::unique_ptr<Runtime> runtime_;
  StructOpsPoint<adder_ops> point_;
  int link_ = -1;
};

}  // namespace ring3::bench
