// Opening /proc/self/fdinfo/N (or /proc/PID/…, the caller's own) of an object: a file with the kernel's first lines and the object's own. Every
// open(2) for reading comes by here, because the filter sees no paths; all others are left to the kernel at once.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "supervisor/client_path.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

/// A number that the text begins with; it is cut off. None: no digit.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

/// N of the caller's own /proc/…/fdinfo/N; none: another path.
std::optional<int> own_descriptor(const Intercept& call, std::string_view path) {
  if (!take(path, "/proc/")) return std::nullopt;
  if (!take(path, "self/") && !take(path, "thread-self/")) {
    const std::optional<int> pid = take_number(path);
    // The process: a thread's descriptors are its process's.
    const bool own = pid && (*pid == call.n.task || call.caller.task.process() == *pid);
    if (!own || !take(path, "/")) return std::nullopt;
  }
  if (!take(path, "fdinfo/")) return std::nullopt;
  const std::optional<int> fd = take_number(path);
  return path.empty() ? fd : std::nullopt;
}

/// pos, flags, mnt_id, ino as the kernel has them.
std::string kernels_lines(const Intercept& call, int fd) {
  std::ifstream file("/proc/" + std::to_string(call.n.task) + "/fdinfo/" + std::to_string(fd));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Answer open_fdinfo(Intercept& call, std::uint64_t address) {
  // Long paths are none of these; a short copy is enough to tell.
  std::string head(8, '\0');
  NotifiedMemory memory(call.listener, call.n);
  if (!memory.read(address, std::as_writable_bytes(std::span(head))).ok() || !head.starts_with("/proc/")) return std::nullopt;
  const Result<std::string> path = read_path(call, address);
  if (!path.ok()) return std::nullopt;
  const std::optional<int> fd = own_descriptor(call, *path);
  if (!fd || !memory_file(call, *fd)) return std::nullopt;
  const Result<std::string> lines = call.door.fd_info(call.listener, call.n, call.caller, *fd);
  if (!lines.ok() || lines->empty()) return std::nullopt;
  const std::string text = kernels_lines(call, *fd) + *lines;
  OwnedFd file(::memfd_create("fdinfo", MFD_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return std::nullopt;
  // Opened again: a description of the client's own, read-only and at its start.
  const OwnedFd reader(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return std::nullopt;
  const Result<int> number = call.listener.give_file(call.n, reader.get());
  return number.ok() ? Answer(*number) : Answer(to_syscall(number.error()));
}

}  // namespace

Answer answer_open(Intercept& call) { return open_fdinfo(call, call.n.args[0]); }
Answer answer_openat(Intercept& call) { return open_fdinfo(call, call.n.args[1]); }

}  // namespace ring3::supervisor
