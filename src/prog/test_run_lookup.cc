// Running socket lookups on a pair of addresses a client gives. There is no socket to choose (docs/adr/0014), so the cookie
// that comes back is 0.
#include "prog/test_run_kinds.h"

namespace ring3::prog {
namespace {

constexpr Errno kNoSuchFamily{97};  // EAFNOSUPPORT
constexpr std::uint16_t kInet = 2, kInet6 = 10;

/// struct bpf_sk_lookup of the ABI.
struct LookupContext {
  std::uint64_t socket_or_cookie;
  std::uint32_t family, protocol;
  std::uint32_t remote_ip4, remote_ip6[4];
  std::uint16_t remote_port, unused;
  std::uint32_t local_ip4, local_ip6[4];
  std::uint32_t local_port, ingress_ifindex;
};
static_assert(sizeof(LookupContext) == 72 && offsetof(LookupContext, local_port) == 60);

/// What the program sees: the addresses of its family only, numbers cut to what a packet has room for.
Result<LookupContext> shown_to_program(LookupContext ctx) {
  ctx.family = static_cast<std::uint16_t>(ctx.family);
  ctx.protocol = static_cast<std::uint16_t>(ctx.protocol);
  ctx.unused = 0;
  if (ctx.family == kInet) {
    std::fill(std::begin(ctx.remote_ip6), std::end(ctx.remote_ip6), 0);
    std::fill(std::begin(ctx.local_ip6), std::end(ctx.local_ip6), 0);
  } else if (ctx.family == kInet6) {
    ctx.remote_ip4 = ctx.local_ip4 = 0;
  } else {
    return kNoSuchFamily;
  }
  return ctx;
}

}  // namespace

Result<TestRunResult> run_on_lookup(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  if (!is_plain(request) || request.has_data_in || request.has_data_out || request.data_size_in != 0 || request.data_size_out != 0)
    return Errno::kInval;
  if (!request.has_ctx_in && !request.has_ctx_out) return Errno::kInval;
  LookupContext given = RING3_TRY(read_context<LookupContext>(request));
  if (given.socket_or_cookie != 0 || given.ingress_ifindex != 0) return Errno::kInval;
  if (given.local_port > UINT16_MAX) return Errno::kRange;
  LookupContext shown = RING3_TRY(shown_to_program(given));
  TestRunResult result;
  run_repeatedly(program, {.ctx = &shown}, request, host, result);
  if (request.has_ctx_out) result.ctx_out = bytes_of(given);
  return result;
}

}  // namespace ring3::prog
