// Running raw tracepoints on arguments a client gives, on the CPU it names.
#include <array>
#include <cstring>

#include "prog/test_run_kinds.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

constexpr std::size_t kMostArguments = 12;
constexpr Errno kNoSuchCpu{6};  // ENXIO

}  // namespace

/// A run names a CPU only with the flag for it. Which slot the run gets is the host's business all the same: no program
/// can tell but by its number, and slots are leased (docs/adr).
Result<TestRunResult> run_on_arguments(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (request.has_data_in || request.has_data_out || request.has_ctx_out || request.repeat != 0 || request.duration != 0 ||
      request.batch_size != 0)
    return Errno::kInval;
  std::array<std::uint64_t, kMostArguments> arguments{};
  const std::size_t bytes = request.ctx_in.size();
  if (bytes < program.about().max_ctx_offset || bytes > sizeof arguments) return Errno::kInval;
  const bool on_cpu = (request.flags & uapi::BPF_F_TEST_RUN_ON_CPU) != 0;
  if (!on_cpu && request.cpu != 0) return Errno::kInval;
  if (on_cpu && request.cpu >= host.possible_cpus()) return kNoSuchCpu;
  if (bytes != 0) std::memcpy(arguments.data(), request.ctx_in.data(), bytes);
  TestRunResult result{.has_data = false};
  run_repeatedly(program, {.ctx = arguments.data()}, request, host, result);
  result.duration_ns = 0;  // not told, as in Linux
  return result;
}

}  // namespace ring3::prog
