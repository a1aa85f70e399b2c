// The host of scripts/conformance clients: listens on the socket it is given, says "ready", and ends with its standard input. Each
// line it reads asks something: "choose N" what the policy's choose(N) says, "packet" and "frame" what the programs at the hooks of
// device 1 say of one.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "clients_host.h"
#include "clients_host_btf.h"
#include "ring3/hook.h"
#include "ring3/runtime.h"

extern "C" __u64 host_clock() { return 77; }

namespace {

__u64 native_choose(__u64 seed) { return seed; }
__u64 native_weigh(ticket* t) { return t->weight; }
constexpr policy_ops kNative = {native_choose, native_weigh, "native"};

/// Device 1 is the loopback device of every machine: tools that ask for the hooks of devices they see ask for this one.
constexpr std::uint32_t kLoopback = 1;

void say_verdict(const ring3::Hook& hook) {
  const std::byte packet[64] = {};
  const ring3::Result<std::uint32_t> verdict = hook.run(packet);
  if (!verdict.ok()) std::printf("error\n");
  else if (*verdict == ring3::kHookNext) std::printf("nobody\n");
  else std::printf("verdict %u\n", *verdict);
}

class StderrLog final : public ring3::Log {
 public:
  void line(ring3::Severity, std::string_view, std::string_view text) override {
    std::fprintf(stderr, "host: %.*s\n", static_cast<int>(text.size()), text.data());
  }
};

int fail(const char* what, ring3::Errno error) {
  std::fprintf(stderr, "%s: %s\n", what, ring3::errno_name(error));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fail("usage: ring3-clients-host SOCKET", ring3::Errno::kInval);
  StderrLog log;
  auto created = ring3::Runtime::create({.name = "clients", .btf = clients_host_btf, .log = &log});
  if (!created.ok()) return fail("runtime", created.error());
  const std::unique_ptr<ring3::Runtime> runtime = std::move(created).value();
  auto policy = runtime->struct_ops<policy_ops>({.required = {&policy_ops::choose}, .fallback = &kNative});
  if (!policy.ok()) return fail("policy_ops", policy.error());
  if (auto added = runtime->kfunc<&host_clock>(); !added.ok()) return fail("host_clock", added.error());
  const auto hook = ring3::Hook::add(*runtime, {.kind = ring3::HookKind::kTcxIngress, .device = kLoopback, .name = "in"});
  if (!hook.ok()) return fail("hook", hook.error());
  const auto wire = ring3::Hook::add(*runtime, {.kind = ring3::HookKind::kXdp, .device = kLoopback, .name = "wire"});
  if (!wire.ok()) return fail("wire", wire.error());
  if (auto listening = runtime->listen({.path = argv[1], .policy = nullptr}); !listening.ok())
    return fail(argv[1], listening.error());
  std::puts("ready");
  std::fflush(stdout);
  char line[64];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    unsigned long long seed = 0;
    if (std::strcmp(line, "packet\n") == 0) say_verdict(*hook);
    else if (std::strcmp(line, "frame\n") == 0) say_verdict(*wire);
    else if (std::sscanf(line, "choose %llu", &seed) == 1)
      std::printf("%llu\n", static_cast<unsigned long long>(policy->enter()->choose(seed)));
    std::fflush(stdout);
  }
  return 0;
}
