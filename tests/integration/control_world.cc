#include "tests/integration/control_world.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <vector>

#include "base/owned_fd.h"

namespace ring3::test {

ControlWorld::LoaderRun ControlWorld::load(const std::string& object, const std::string& module, const char* when,
                                           long packet) {
  const std::string file = RING3_MODULE_DIR "/" + object + ".bpf.o";
  const std::string name = module.empty() ? object : module;
  const std::string number = std::to_string(packet);
  std::vector<const char*> arguments = {RING3_SOCKET_LOADER, path_.c_str(), file.c_str(), name.c_str()};
  if (when != nullptr) arguments.insert(arguments.end(), {when, number.c_str()});
  arguments.push_back(nullptr);

  // A file, not a pipe: nobody has to read while the loader runs.
  const OwnedFd errors(::memfd_create("stderr", MFD_CLOEXEC));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, errors.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  LoaderRun run;
  const int spawned = ::posix_spawn(&child, RING3_SOCKET_LOADER, &actions, nullptr,
                                    const_cast<char**>(arguments.data()), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return run;
  int status = 0;
  ::waitpid(child, &status, 0);
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  char text[4096];
  for (off_t at = 0;;) {
    const ssize_t n = ::pread(errors.get(), text, sizeof text, at);
    if (n <= 0) break;
    run.errors.append(text, static_cast<std::size_t>(n));
    at += n;
  }
  return run;
}

}  // namespace ring3::test
