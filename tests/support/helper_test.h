// Calling helpers in unit tests the way a tier does: by number, with five registers.
#pragma once

#include <gtest/gtest.h>

#include <type_traits>

#include "exec/engine.h"
#include "exec/helper_table.h"
#include "exec/machine.h"
#include "exec/run_context.h"
#include "ring3/errno.h"
#include "tests/support/fake_host.h"
#include "uapi/bpf.h"

namespace ring3::exec {

class HelperTest : public ::testing::Test {
 protected:
  HelperTest() {
    run_.host = &host_;
    run_.machine = &machine_;
  }

  template <typename T>
  static std::uint64_t reg(T value) {
    if constexpr (std::is_null_pointer_v<T>)
      return 0;
    else if constexpr (std::is_pointer_v<T>)
      return reinterpret_cast<std::uint64_t>(value);
    else
      return static_cast<std::uint64_t>(value);
  }

  template <typename... Args>
  std::int64_t call(std::uint32_t id, Args... args) {
    const rewrite::HelperCall* helper = find_helper(id);
    if (helper == nullptr) {
      ADD_FAILURE() << "no helper " << id;
      return 0;
    }
    std::uint64_t regs[5] = {reg(args)...};
    return static_cast<std::int64_t>(helper->fn(regs[0], regs[1], regs[2], regs[3], regs[4], run_));
  }

  test::FakeHost host_;
  Machine machine_{host_};
  RunContext run_;
};

}  // namespace ring3::exec
