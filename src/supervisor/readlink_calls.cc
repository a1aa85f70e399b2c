// readlink of /proc/PID/fd/N: clients tell an object by the name of its file. Linux says "anon_inode:bpf-map", the files here
// are memfds ("/memfd:bpf-map (deleted)"); cilium/ebpf wants exactly Linux's text.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string>
#include <string_view>

#include "supervisor/client_path.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

struct ObjectFile {
  std::string_view file;  // as the machine's kernel shows it
  std::string_view shown;
};
constexpr std::array kObjectFiles{
    ObjectFile{"/memfd:bpf-map (deleted)", "anon_inode:bpf-map"},
    ObjectFile{"/memfd:bpf-prog (deleted)", "anon_inode:bpf-prog"},
    ObjectFile{"/memfd:bpf-link (deleted)", "anon_inode:bpf-link"},
    ObjectFile{"/memfd:btf (deleted)", "anon_inode:btf"},
};

/// /proc/PID/fd/N, PID also self or thread-self, and /proc/PID/task/TID/fd/N. No other path may do: this process follows it, and one that
/// leads out of procfs (/proc/PID/root) may end in a file system that never answers.
bool is_descriptor_link(std::string_view path) {
  const auto word = [&path] {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view taken = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    return taken;
  };
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (!path.starts_with("/proc/")) return false;
  path.remove_prefix(6);
  const std::string_view process = word();
  if (process != "self" && process != "thread-self" && !is_number(process)) return false;
  std::string_view folder = word();
  if (folder == "task" && is_number(word())) folder = word();
  return folder == "fd" && is_number(path);
}

Answer read_link(const Intercept& call, int directory, std::uint64_t path, std::uint64_t out, std::uint64_t room) {
  const Result<std::string> asked = read_path(call, path);
  if (!asked.ok() || (directory != AT_FDCWD && !asked->starts_with('/')) || !is_descriptor_link(*asked)) return std::nullopt;
  // "self" is the caller, not this process.
  std::string mine = *asked;
  for (const std::string_view self : {"/proc/self/", "/proc/thread-self/"})
    if (mine.starts_with(self)) mine = "/proc/" + std::to_string(call.n.task) + "/" + mine.substr(self.size());
  char target[PATH_MAX];
  const ssize_t n = ::readlink(mine.c_str(), target, sizeof target);
  if (n < 0) return std::nullopt;
  const std::string_view text(target, static_cast<std::size_t>(n));
  const auto row = std::find_if(kObjectFiles.begin(), kObjectFiles.end(), [&](const ObjectFile& o) { return o.file == text; });
  if (row == kObjectFiles.end()) return std::nullopt;
  const std::size_t bytes = std::min<std::size_t>(row->shown.size(), room);
  NotifiedMemory memory(call.listener, call.n);
  if (!memory.write(out, std::as_bytes(std::span(row->shown.data(), bytes))).ok()) return to_syscall(Errno::kFault);
  return static_cast<long>(bytes);
}

}  // namespace

Answer answer_readlink(Intercept& call) {
  return read_link(call, AT_FDCWD, call.n.args[0], call.n.args[1], call.n.args[2]);
}

Answer answer_readlinkat(Intercept& call) {
  return read_link(call, call.n.int_arg(0), call.n.args[1], call.n.args[2], call.n.args[3]);
}

}  // namespace ring3::supervisor
