// PROG_TEST_RUN: one program, a context made from the client's bytes, a result. Types are rows of the table
// in test_run.cc, one file per kind of context; a type without a row answers kNotSupp. What each takes, which sizes and which
// errnos, is Linux's (asked of a kernel, not read).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/text_sink.h"
#include "exec/client.h"
#include "exec/host_services.h"
#include "maps/map.h"
#include "prog/program.h"
#include "ring3/result.h"
#include "ring3/test_run.h"

namespace ring3::prog {

/// Who waits for the outcome of many runs.
class RunWaiter {
 public:
  /// Nobody waits any more. Asked about every ten milliseconds, between two runs, from the thread that runs.
  virtual bool gave_up() noexcept = 0;

 protected:
  ~RunWaiter() = default;
};

/// The `test` part of the attribute, memory already copied in.
struct TestRunRequest {
  std::vector<std::byte> data_in, ctx_in;
  bool has_data_in = false, has_ctx_in = false;     // the client gave a pointer
  bool data_faults = false;                         // … to data that cannot be read; data_in has its size
  std::uint32_t data_size_in = 0;
  bool has_data_out = false, has_ctx_out = false;   // the client gave an output pointer
  std::uint32_t data_size_out = 0, ctx_size_out = 0;
  std::uint32_t repeat = 0, duration = 0;
  std::uint32_t flags = 0, cpu = 0, batch_size = 0;
  /// Memory that pointers of the client mean: what a syscall program's helpers reach, structs of a member's arguments.
  /// Null: nothing.
  exec::Client* client = nullptr;
  maps::MapHost* devices = nullptr;  // who knows the host's devices; null: there is the loopback only
  FrameTaker* frames = nullptr;      // who takes what live frames become; null: nobody
  RunWaiter* waiter = nullptr;       // null: somebody waits as long as it takes
  TextSink* why = nullptr;           // one line for what neither an errno nor an output explains
};

/// The caller copies min(size, client's room) bytes out, writes the true sizes into the attribute, and
/// answers kNoSpc when data_out did not fit.
struct TestRunResult {
  std::uint32_t retval = 0;
  std::uint32_t duration_ns = 0;  // mean of one run
  bool cut_short = false;         // whoever waited gave up: the rest is of no use
  bool has_data = true;           // the kind says how large its data is, even when that is 0
  std::vector<std::byte> data_out, ctx_out;
};

/// Whether runs of this type can give their context back as an output of its own (ctx_out).
bool gives_context(std::uint32_t prog_type);

/// Asked before the context is read from the client, as Linux does. Errors: kInval no run of this program takes a context of this size.
Result<void> check_context_size(const Program& program, std::uint32_t bytes);

/// Errors: kInval a field the type does not take, or a size out of range; kOpNotSupp what a host cannot do, or
/// a member whose type does not offer it; kNotSupp no run operation; kIntr the waiter gave up between two runs; what each kind says (its file). Rights are the caller's to check.
Result<TestRunResult> test_run(Program& program, const TestRunRequest& request, exec::HostServices& host);

}  // namespace ring3::prog
