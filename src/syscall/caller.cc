#include "syscall/caller.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ring3::syscall {

OwnCaller::OwnCaller(model::Rights rights, LoadSession* session) : rights_(rights), session_(session) {
  // An invalid id changes nothing and answers the current one.
  credentials_.uid = static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1)));
  credentials_.gid = static_cast<gid_t>(::setfsgid(static_cast<gid_t>(-1)));
  credentials_.pid = ::getpid();
  const int count = ::getgroups(0, nullptr);
  if (count > 0) {
    credentials_.groups.resize(static_cast<std::size_t>(count));
    if (::getgroups(count, credentials_.groups.data()) < 0) credentials_.groups.clear();
  }
}

mode_t OwnCaller::umask() { return own_umask(); }

mode_t own_umask() {
  // umask(2) can only be read by setting it, which races with other threads that create files.
  std::FILE* status = std::fopen("/proc/self/status", "re");
  if (status == nullptr) return 022;
  mode_t mask = 022;
  char line[256];
  while (std::fgets(line, sizeof line, status) != nullptr) {
    if (std::strncmp(line, "Umask:", 6) != 0) continue;
    mask = static_cast<mode_t>(std::strtoul(line + 6, nullptr, 8));
    break;
  }
  std::fclose(status);
  return mask;
}

}  // namespace ring3::syscall
