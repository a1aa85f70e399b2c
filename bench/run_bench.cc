// What does `ring3 run` cost? The start of a command, and a call that is intercepted, beside the same without it.
//
//   run_bench RING3 [--rounds N] [--json FILE]
//
// The program runs itself as the client: `run_bench --client CALLS --call WHAT` times CALLS calls and prints ns a call: `lookup` in an
// array map, the shortest there is; `update` of a hash map; `create` a map and close it; `load` a program and close it.
// Natively it does so on the machine's own bpf(2), where that lets it (nothing is attached). A third side of the lookup is a supervisor
// that makes the system calls of an answer and does nothing else (support/bare_supervisor.h): what no supervisor can do without.
// Rounds are interleaved, figures are medians; `ratio` is under ring3 run / without it, of the same run.
#include <linux/bpf.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/support/bare_supervisor.h"
#include "bench/support/records.h"

extern char** environ;

namespace {

constexpr int kCalls = 2000;

using ring3::bench::median;
using ring3::bench::monotonic_ns;

long bpf(int command, bpf_attr& attr) { return ::syscall(SYS_bpf, command, &attr, sizeof attr); }

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

long create(std::uint32_t type) {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.map_type = type;
  attr.key_size = 4;
  attr.value_size = 8;
  attr.max_entries = 1;
  return bpf(BPF_MAP_CREATE, attr);
}

long load() {
  constexpr std::uint64_t kCode[] = {0xb7, 0x95};  // r0 = 0; exit
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 2;
  attr.insns = address(kCode);
  attr.license = address("GPL");
  return bpf(BPF_PROG_LOAD, attr);
}

bool closed(long fd) { return fd >= 0 && ::close(static_cast<int>(fd)) == 0; }

/// Prints ns a call. Exit code 1: no bpf(2) for us here.
int client(int calls, const std::string& what) {
  const long map = create(what == "update" ? BPF_MAP_TYPE_HASH : BPF_MAP_TYPE_ARRAY);
  if (map < 0) return 1;
  std::uint32_t key = 0;
  std::uint64_t value = 0;
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&key);
  attr.value = address(&value);
  const auto once = [&] {
    if (what == "create") return closed(create(BPF_MAP_TYPE_ARRAY));
    if (what == "load") return closed(load());
    return bpf(what == "update" ? BPF_MAP_UPDATE_ELEM : BPF_MAP_LOOKUP_ELEM, attr) == 0;
  };
  for (int i = 0; i < calls / 10; ++i) (void)once();
  const double start = monotonic_ns();
  for (int i = 0; i < calls; ++i)
    if (!once()) return 1;
  std::printf("%f\n", (monotonic_ns() - start) / calls);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

struct Ran {
  int code = -1;
  double ns = 0;
  std::string out;
};

Ran run(std::vector<std::string> words) {
  int ends[2];
  Ran ran;
  if (::pipe(ends) != 0) return ran;
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  ::posix_spawn_file_actions_addclose(&files, ends[0]);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const double start = monotonic_ns();
  const int failed = ::posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::close(ends[1]);
  char text[256];
  for (ssize_t n; failed == 0 && (n = ::read(ends[0], text, sizeof text)) > 0;) ran.out.append(text, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  if (failed == 0 && ::waitpid(pid, &status, 0) == pid) ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  ran.ns = monotonic_ns() - start;
  return ran;
}

constexpr const char* kWhat[] = {"lookup", "update", "create", "load"};

int measure(const std::string& ring3, const std::string& self, const ring3::bench::CommonOptions& options) {
  std::vector<double> plain, under;
  std::vector<double> native[std::size(kWhat)], intercepted[std::size(kWhat)], bare;
  for (std::uint32_t i = 0; i < options.rounds; ++i) {
    plain.push_back(run({"true"}).ns);
    const Ran started = run({ring3, "run", "--", "true"});
    if (started.code != 0) return 1;
    under.push_back(started.ns);
    for (std::size_t w = 0; w < std::size(kWhat); ++w) {
      const std::string calls = std::to_string(w < 2 ? kCalls : kCalls / 10);
      const std::vector<std::string> words{self, "--client", calls, "--call", kWhat[w]};
      if (const Ran kernel = run(words); kernel.code == 0) native[w].push_back(std::atof(kernel.out.c_str()));
      if (w == 0)
        if (const Ran least = run({self, "--client", calls, "--bare"}); least.code == 0) bare.push_back(std::atof(least.out.c_str()));
      std::vector<std::string> intercepting{ring3, "run", "--"};
      intercepting.insert(intercepting.end(), words.begin(), words.end());
      const Ran ours = run(intercepting);
      if (ours.code != 0) return 1;
      intercepted[w].push_back(std::atof(ours.out.c_str()));
    }
  }
  ring3::bench::Records records;
  const double start_ms = (median(under) - median(plain)) / 1e6;
  std::printf("start-up   true %.1f ms, under ring3 run %.1f ms: %.1f ms more (aim: 20)\n", median(plain) / 1e6, median(under) / 1e6, start_ms);
  records.add("run/start_up", start_ms, "ms more than true");
  for (std::size_t w = 0; w < std::size(kWhat); ++w) {
    const double call_ns = median(intercepted[w]), kernel_ns = native[w].empty() ? 0 : median(native[w]);
    std::printf("%-10s under ring3 run %.0f ns", kWhat[w], call_ns);
    if (kernel_ns > 0) std::printf(", the machine's own %.0f ns: ratio %.1f (aim: 12)", kernel_ns, call_ns / kernel_ns);
    std::printf("\n");
    if (kernel_ns > 0) records.add(std::string("run/") + kWhat[w], call_ns, "ns", {{"kernel", call_ns / kernel_ns}});
    if (w == 0 && kernel_ns > 0 && !bare.empty()) {
      const double bare_ns = median(bare);
      std::printf("%-10s the system calls alone %.0f ns: ratio %.1f; ring3 run takes %.2f times that\n", "", bare_ns, bare_ns / kernel_ns, call_ns / bare_ns);
      records.add("run/lookup/bare", bare_ns, "ns", {{"kernel", bare_ns / kernel_ns}});
    }
  }
  return records.write(options.json) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  ring3::bench::CommonOptions options;
  options.rounds = 15;
  std::string command, what = "lookup";
  int calls = 0;
  bool bare = false;
  CLI::App app("Time of a command's start and of one intercepted call under ring3 run, against the same without it");
  add_common_options(app, options);
  app.add_option("ring3", command, "the command `ring3`");
  app.add_option("--client", calls, "be the client: time CALLS calls")->type_name("CALLS");
  app.add_option("--call", what, "what the client calls")->check(CLI::IsMember({"lookup", "update", "create", "load"}));
  app.add_flag("--bare", bare, "the client's lookups are answered by a supervisor that only makes the system calls");
  CLI11_PARSE(app, argc, argv);
  if (calls > 0 && bare) return ring3::bench::under_bare_supervisor([&] { return client(calls, "lookup"); });
  if (calls > 0) return client(calls, what);
  const std::string self = argv[0];  // a path: it is run again, by other processes too
  const int code = measure(command, self, options);
  if (code != 0) std::fprintf(stderr, "run_bench: a command under %s run failed\n", command.c_str());
  return code;
}
