#include "cli/run_preload.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace ring3::cli {
namespace {

/// Beside this program where it was built, or in the library folder beside its own where it is installed. "": nowhere.
std::string find_library() {
  char self[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
  if (n <= 0) return {};
  const std::string program(self, static_cast<std::size_t>(n));
  const std::string folder = program.substr(0, program.rfind('/'));
  for (const char* place : {"/libring3_preload.so", "/../lib/ring3/libring3_preload.so"})
    if (::access((folder + place).c_str(), R_OK) == 0) return folder + place;
  return {};
}

}  // namespace

Result<int> run_preloaded(const std::vector<std::string>& command, const std::string& socket, std::string& why) {
  const std::string library = find_library();
  if (library.empty()) {
    why = "libring3_preload.so is not installed";
    return Errno::kNoEnt;
  }
  const char* others = std::getenv("LD_PRELOAD");
  ::setenv("LD_PRELOAD", (others == nullptr ? library : library + ":" + others).c_str(), 1);
  ::setenv("RING3_PRELOAD", socket.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0) {
    why = command.front() + ": " + std::strerror(failed);
    return static_cast<Errno>(failed);
  }
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace ring3::cli
