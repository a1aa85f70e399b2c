// cached: a small in-memory cache that redis-cli and redis-benchmark can drive, whose eviction policy is a
// struct_ops type of its own: `ring3 -H cached insmod lru.bpf.o` puts a module in charge.
//
// Two threads matter: the cache's own (epoll, requests, policies) and ring3's control thread (loads, swaps).
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "cache.h"
#include "cached_policy_btf.h"
#include "ring3/runtime.h"
#include "server.h"
#include "support/daemon.h"

namespace {

struct Options {
  std::uint16_t port = 6380;
  std::uint64_t capacity = 10'000;
  std::string name = "cached";
  std::string socket;
};

int fail(const std::string& why) { return examples::fail("cached", why); }

int serve(const Options& options) {
  const int stop = examples::stop_signals();
  examples::PrintedLog log(stderr, "cached");
  cached::Cache cache(options.capacity);
  auto created = ring3::Runtime::create({.name = options.name, .btf = cached_policy_btf, .log = &log});
  if (!created.ok()) return fail(std::string("no runtime: ") + ring3::errno_name(created.error()));
  std::unique_ptr<ring3::Runtime> runtime = std::move(created).value();
  if (auto offered = cache.seat().offer(*runtime); !offered.ok())
    return fail(std::string("the policy type is refused: ") + ring3::errno_name(offered.error()));
  if (auto listening = runtime->listen({.path = options.socket}); !listening.ok())
    return fail(std::string("no control socket: ") + ring3::errno_name(listening.error()));
  cached::Server server(cache);
  if (const std::string problem = server.open(options.port); !problem.empty()) return fail(problem);
  std::printf("cached: host %s, port %u, %llu objects\n", options.name.c_str(), unsigned{server.port()},
              static_cast<unsigned long long>(options.capacity));
  std::fflush(stdout);
  server.run(stop);
  close(stop);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("An in-memory cache whose eviction policy is a BPF module.", "cached");
  app.add_option("--port", options.port, "TCP port on 127.0.0.1; 0 takes a free one")->capture_default_str();
  app.add_option("--capacity", options.capacity, "objects it may hold")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--name", options.name, "what `ring3 hosts` calls it")->capture_default_str();
  app.add_option("--socket", options.socket, "control socket; default: ring3's standard place");
  CLI11_PARSE(app, argc, argv);
  return serve(options);
}
