#include "syscall/user_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string_view>

#include "base/fault_point.h"

namespace ring3::syscall {
namespace {

constexpr std::size_t kPage = 4096;

/// A pointer for an iovec that names memory of the caller; never dereferenced here.
void* as_pointer(std::uint64_t address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

/// The copy calls transfer what they can and stop at the first bad page; anything short is a fault.
using CopyCall = ssize_t (*)(pid_t, const iovec*, unsigned long, const iovec*, unsigned long, unsigned long);

bool copy_by(CopyCall call, pid_t pid, std::uint64_t remote_address, void* local, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const iovec mine{static_cast<std::byte*>(local) + done, bytes - done};
    const iovec theirs{as_pointer(remote_address + done), bytes - done};
    const ssize_t n = call(pid, &mine, 1, &theirs, 1, 0);
    if (n <= 0) {
      if (n < 0 && errno == EINTR) continue;
      if (n == 0) errno = EFAULT;
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  return true;
}

bool wraps(std::uint64_t address, std::size_t bytes) { return bytes != 0 && address + (bytes - 1) < address; }

/// PID of "/proc/PID/mem"; 0: another text.
pid_t process_of(std::string_view path) {
  constexpr std::string_view kBefore = "/proc/", kAfter = "/mem";
  if (!path.starts_with(kBefore) || !path.ends_with(kAfter) || path.size() <= kBefore.size() + kAfter.size()) return 0;
  path.remove_prefix(kBefore.size());
  path.remove_suffix(kAfter.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), pid);
  return error == std::errc() && end == path.data() + path.size() && pid > 0 ? pid : 0;
}

bool forbidden(int error) { return error == EPERM || error == ENOSYS; }

/// Where the copy calls are forbidden (container profiles), the kernel still checks pointers for us when
/// /proc/PID/mem is read and written.
bool copy_by_file(pid_t pid, std::uint64_t address, void* local, std::size_t bytes, bool write) {
  const std::string path = "/proc/" + std::to_string(pid) + "/mem";
  const OwnedFd mem(::open(path.c_str(), (write ? O_RDWR : O_RDONLY) | O_CLOEXEC));
  if (!mem) return false;
  const auto offset = static_cast<off_t>(address);
  const ssize_t n = write ? ::pwrite(mem.get(), local, bytes, offset) : ::pread(mem.get(), local, bytes, offset);
  return n >= 0 && static_cast<std::size_t>(n) == bytes;
}

Result<void> read_from(pid_t pid, std::uint64_t address, std::span<std::byte> out) {
  if (out.empty()) return {};
  if (wraps(address, out.size())) return Errno::kFault;
  if (copy_by(::process_vm_readv, pid, address, out.data(), out.size())) return {};
  if (forbidden(errno) && copy_by_file(pid, address, out.data(), out.size(), false)) return {};
  return Errno::kFault;
}

Result<void> write_to(pid_t pid, std::uint64_t address, std::span<const std::byte> in) {
  if (in.empty()) return {};
  if (wraps(address, in.size())) return Errno::kFault;
  void* from = const_cast<std::byte*>(in.data());  // iovec has no const form
  if (copy_by(::process_vm_writev, pid, address, from, in.size())) return {};
  if (forbidden(errno) && copy_by_file(pid, address, from, in.size(), true)) return {};
  return Errno::kFault;
}

}  // namespace

Result<std::string> UserMemory::read_string(std::uint64_t address, std::size_t max_bytes) {
  // Page by page, so that a string that ends just before an unmapped page is read.
  std::string text;
  std::array<char, kPage> chunk;
  while (text.size() < max_bytes) {
    const std::uint64_t at = address + text.size();
    const std::size_t bytes = std::min(max_bytes - text.size(), kPage - static_cast<std::size_t>(at % kPage));
    const std::span<char> part(chunk.data(), bytes);
    RING3_TRY(read(at, std::as_writable_bytes(part)));
    const std::size_t length = ::strnlen(part.data(), part.size());
    text.append(part.data(), length);
    if (length < part.size()) return text;
  }
  return Errno::kNameTooLong;
}

Result<bool> UserMemory::is_zero(std::uint64_t from, std::uint64_t to) {
  std::array<std::byte, kPage> chunk;
  while (from < to) {
    const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(to - from, kPage));
    const std::span<std::byte> part(chunk.data(), bytes);
    RING3_TRY(read(from, part));
    if (!std::all_of(part.begin(), part.end(), [](std::byte b) { return b == std::byte{0}; })) return false;
    from += bytes;
  }
  return true;
}

Result<void> OwnMemory::read(std::uint64_t address, std::span<std::byte> out) { return read_from(::getpid(), address, out); }
Result<void> OwnMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  return write_to(::getpid(), address, in);
}

Result<void> TracedMemory::read(std::uint64_t address, std::span<std::byte> out) { return read_from(pid_, address, out); }
Result<void> TracedMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  return write_to(pid_, address, in);
}

Result<ForeignMemory> ForeignMemory::adopt(OwnedFd mem) {
  // A client may pass any file; only the memory of a process is wanted. That the file is procfs's is not enough: other
  // files there take effects when they are written with our rights, and a mount of the client's may give one any name.
  // So the name only says where to look, and what stands there must be this very file.
  // Nothing is asked of the file before it is known to be procfs's: a file system of the client's may never answer.
  struct stat here;
  struct statx given;
  struct statfs fs;
  char target[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(mem.get());
  const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
  const pid_t pid = n < 0 ? 0 : process_of({target, static_cast<std::size_t>(n)});
  const std::string real = "/proc/" + std::to_string(pid) + "/mem";
  if (pid == 0 || ::stat(real.c_str(), &here) != 0) return Errno::kInval;
  if (::statx(mem.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &given) != 0) return Errno::kInval;
  if (here.st_dev != ::makedev(given.stx_dev_major, given.stx_dev_minor) || here.st_ino != given.stx_ino) return Errno::kInval;
  if (::fstatfs(mem.get(), &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC) return Errno::kInval;
  const int flags = ::fcntl(mem.get(), F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) != O_RDWR) return Errno::kAcces;
  return ForeignMemory(std::move(mem), pid);
}

Result<void> ForeignMemory::read(std::uint64_t address, std::span<std::byte> out) {
  if (out.empty()) return {};
  if (wraps(address, out.size()) || address > INT64_MAX) return Errno::kFault;
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(mem_.get(), out.data() + done, out.size() - done, static_cast<off_t>(address + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Errno::kFault;  // 0: the address space is gone
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> ForeignMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  if (in.empty()) return {};
  if (wraps(address, in.size()) || address > INT64_MAX) return Errno::kFault;
  // The descriptor is bound to one address space, the process number is not: after exec it names another one,
  // and a read of 0 bytes tells so.
  std::byte probe;
  if (::pread(mem_.get(), &probe, 1, static_cast<off_t>(address)) != 1) return Errno::kFault;
  void* from = const_cast<std::byte*>(in.data());  // iovec has no const form
  if (copy_by(::process_vm_writev, pid_, address, from, in.size())) return {};
  if (!forbidden(errno)) return Errno::kFault;
  std::size_t done = 0;
  while (done < in.size()) {
    const ssize_t n = ::pwrite(mem_.get(), in.data() + done, in.size() - done, static_cast<off_t>(address + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Errno::kFault;
    done += static_cast<std::size_t>(n);
  }
  return {};
}

}  // namespace ring3::syscall
