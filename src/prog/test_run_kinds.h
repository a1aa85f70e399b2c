// One function per kind of context a program can be run on by hand, and what they share. Inside this room only.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "base/try.h"
#include "prog/test_run.h"

namespace ring3::prog {

/// Between two of many runs: whether whoever asked for them has given up. Looks at a clock as seldom as it can.
class Patience {
 public:
  explicit Patience(RunWaiter* waiter) : waiter_(waiter) {}
  bool is_over() { return waiter_ != nullptr && --until_look_ == 0 && look(); }

 private:
  bool look();
  RunWaiter* const waiter_;
  std::uint32_t until_look_ = 1, stride_ = 1;  // in runs
  std::uint64_t looked_ns_ = 0, asked_ns_ = 0;
};

/// One run, `repeat` times; the mean time of a run goes into `result`. reset: called with the context before each run. Ends early when the
/// waiter gives up, and result.cut_short says so.
std::uint32_t run_repeatedly(const Program& program, const exec::RunArgs& args, const TestRunRequest& request,
                             exec::HostServices& host, TestRunResult& result, void (*reset)(void* ctx) = nullptr);

/// The loopback is everywhere; other devices are the host's.
bool has_device(const TestRunRequest& request, std::uint32_t ifindex);

/// Says why, and returns the errno.
Errno refuse_run(const TestRunRequest& request, Errno e, std::string_view why);

/// flags, cpu and batch_size, which most kinds do not take.
inline bool is_plain(const TestRunRequest& request) {
  return request.flags == 0 && request.cpu == 0 && request.batch_size == 0;
}

inline constexpr std::size_t kPageBytes = 4096;
inline constexpr std::uint32_t kLoopback = 1;

/// A record from the client's bytes: shorter ones are filled with zeroes, longer ones must end in zeroes, and within a page.
template <typename Record>
Result<Record> read_context(const TestRunRequest& request) {
  Record ctx{};
  const std::span bytes(request.ctx_in);
  if (bytes.size() > kPageBytes) return Errno::kTooBig;
  const std::size_t known = std::min(bytes.size(), sizeof(ctx));
  const auto tail = bytes.subspan(known);
  if (std::any_of(tail.begin(), tail.end(), [](std::byte b) { return b != std::byte{0}; })) return Errno::kTooBig;
  if (known != 0) std::memcpy(&ctx, bytes.data(), known);
  return ctx;
}

template <typename Record>
std::vector<std::byte> bytes_of(const Record& record) {
  const auto bytes = std::as_bytes(std::span(&record, 1));
  return {bytes.begin(), bytes.end()};
}

/// Whether all bytes of a record in [first, last) are zero.
template <typename Record>
bool is_zero(const Record& record, std::size_t first, std::size_t last) {
  const auto bytes = std::as_bytes(std::span(&record, 1)).subspan(first, last - first);
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

Result<TestRunResult> run_on_skb(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_xdp(Program& program, const TestRunRequest& request, exec::HostServices& host);
/// A frame's program, once checked, on as many live frames as the request asks for.
struct LiveRun {
  std::span<const std::byte> bytes;  // metadata first
  std::size_t metadata_bytes;
  std::uint32_t ingress;             // interface number
};
Result<TestRunResult> run_on_live_frames(Program& program, const TestRunRequest& request, exec::HostServices& host, const LiveRun& live);
Result<TestRunResult> run_on_arguments(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_lookup(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_flow(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_netfilter(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_as_member(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_as_syscall(Program& program, const TestRunRequest& request, exec::HostServices& host);

}  // namespace ring3::prog
