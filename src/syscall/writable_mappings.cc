#include "syscall/writable_mappings.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cctype>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/owned_fd.h"

namespace ring3::syscall {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

/// One line of /proc/PID/maps that is about the file, shared and writable.
class Matcher {
 public:
  explicit Matcher(const struct stat& file) : device_(file.st_dev), inode_(file.st_ino) {}

  /// The mapping's addresses, if the line is one.
  bool matches(const char* line, std::uintptr_t& start, std::uintptr_t& end) const {
    char access[5] = {};
    unsigned major_number = 0, minor_number = 0;
    std::uint64_t inode = 0;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %x:%x %" SCNu64, &start, &end, access, &major_number,
                    &minor_number, &inode) != 6)
      return false;
    return inode == inode_ && makedev(major_number, minor_number) == device_ && access[1] == 'w' && access[3] == 's';
  }

 private:
  const dev_t device_;
  const ino_t inode_;
};

/// All of a small file of procfs; empty when it cannot be read.
std::string read_text(const char* path) {
  const OwnedFd file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char piece[16 * 1024];
  for (ssize_t n; file && (n = ::read(file.get(), piece, sizeof piece)) > 0;)
    text.append(piece, static_cast<std::size_t>(n));
  return text;
}

bool has_mapping(const std::string& maps, const Matcher& matcher, std::span<const std::byte> own) {
  const auto own_start = reinterpret_cast<std::uintptr_t>(own.data());
  for (std::size_t at = 0; at < maps.size();) {
    std::uintptr_t start = 0, end = 0;
    if (matcher.matches(maps.c_str() + at, start, end) && !(start >= own_start && end <= own_start + own.size()))
      return true;
    const std::size_t line_end = maps.find('\n', at);
    if (line_end == std::string::npos) break;
    at = line_end + 1;
  }
  return false;
}

}  // namespace

bool mapped_writable(int file, std::span<const std::byte> own) {
  struct stat st;
  if (::fstat(file, &st) != 0) return false;
  const Matcher matcher(st);
  const std::unique_ptr<DIR, CloseDirectory> processes(::opendir("/proc"));
  if (!processes) return false;
  const pid_t self = ::getpid();
  while (const dirent* entry = ::readdir(processes.get())) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
    const std::string maps = read_text((std::string("/proc/") + entry->d_name + "/maps").c_str());
    const bool is_self = std::strtol(entry->d_name, nullptr, 10) == self;
    if (has_mapping(maps, matcher, is_self ? own : std::span<const std::byte>())) return true;
  }
  return false;
}

}  // namespace ring3::syscall
