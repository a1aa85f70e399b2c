// PROG_TEST_RUN: one program, a context made from the client's bytes, a result. Types are rows of the table
// in test_run.cc; a type without a row answers kNotSupp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "exec/client_memory.h"
#include "exec/host_services.h"
#include "prog/program.h"
#include "ring3/result.h"

namespace ring3::prog {

/// The `test` part of the attribute, memory already copied in.
struct TestRunRequest {
  std::vector<std::byte> data_in, ctx_in;
  bool has_data_in = false, has_ctx_in = false;
  bool has_data_out = false, has_ctx_out = false;   // the client gave an output pointer
  std::uint32_t data_size_out = 0, ctx_size_out = 0;
  std::uint32_t repeat = 0;
  std::uint32_t flags = 0, cpu = 0, batch_size = 0;
  exec::ClientMemory* client = nullptr;  // what a syscall program's helpers reach; null: nothing
};

/// The caller copies min(size, client's room) bytes out, writes the true sizes into the attribute, and
/// answers kNoSpc when data_out did not fit.
struct TestRunResult {
  std::uint32_t retval = 0;
  std::uint32_t duration_ns = 0;  // mean of one run
  std::vector<std::byte> data_out, ctx_out;
};

/// Errors: kInval a field the type does not take, or a size out of range; kOpNotSupp struct_ops; kNotSupp no run
/// operation. Rights are the caller's to check.
Result<TestRunResult> test_run(Program& program, const TestRunRequest& request, exec::HostServices& host);

}  // namespace ring3::prog
