#include "control/place.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

namespace ring3::control {
namespace {

constexpr std::string_view kSuffix = ".sock";
constexpr const char* kRootFolder = "/run/ring3";

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDir> dir(::opendir(folder.c_str()));
  if (!dir) return names;
  while (const dirent* entry = ::readdir(dir.get())) names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> sockets_in(const std::string& folder, bool as_paths) {
  std::vector<std::string> hosts;
  for (const std::string& name : entries(folder)) {
    if (!name.ends_with(kSuffix) || name.size() == kSuffix.size()) continue;
    hosts.push_back(as_paths ? folder + "/" + name : name.substr(0, name.size() - kSuffix.size()));
  }
  return hosts;
}

}  // namespace

std::string socket_folder() {
  const uid_t uid = ::geteuid();
  if (uid == 0) return kRootFolder;
  const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
  if (runtime_dir != nullptr && runtime_dir[0] == '/') return std::string(runtime_dir) + "/ring3";
  return "/tmp/ring3-" + std::to_string(uid);
}

Result<void> make_socket_folder(const std::string& folder, TextSink& why) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    const int error = errno;
    why.write("cannot make the folder " + folder + "\n");
    return static_cast<Errno>(error);
  }
  struct stat st;
  if (::lstat(folder.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    why.write(folder + " is not a folder\n");
    return Errno::kNotDir;
  }
  if (st.st_uid != ::geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    why.write(folder + " belongs to somebody else, or others may write to it\n");
    return Errno::kPerm;
  }
  return {};
}

std::string socket_path(std::string_view host) {
  if (host.find('/') != std::string_view::npos) return std::string(host);
  return socket_folder() + "/" + std::string(host) + std::string(kSuffix);
}

std::vector<std::string> known_hosts() {
  std::vector<std::string> hosts = sockets_in(socket_folder(), false);
  if (::geteuid() != 0) return hosts;
  for (const std::string& user : entries("/run/user")) {
    if (user == "." || user == "..") continue;
    const auto more = sockets_in("/run/user/" + user + "/ring3", true);
    hosts.insert(hosts.end(), more.begin(), more.end());
  }
  return hosts;
}

}  // namespace ring3::control
