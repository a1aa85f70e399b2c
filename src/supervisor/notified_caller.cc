#include "supervisor/notified_caller.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "verifier/log_sink.h"

namespace ring3::supervisor {
namespace {
constexpr std::uint64_t kBeforeBytes = 256;
}

bool NotifiedMemory::take_from_window(std::uint64_t address, std::span<std::byte> out) const {
  if (address < window_at_ || out.size() > window_bytes_ || address - window_at_ > window_bytes_ - out.size()) return false;
  std::memcpy(out.data(), window_.data() + (address - window_at_), out.size());
  return true;
}

bool NotifiedMemory::fill_window(std::uint64_t address, std::size_t least) {
  // Some of it before: compilers place what is used later where they like. Not of another page, which may not be there.
  const std::uint64_t before = std::min<std::uint64_t>(kBeforeBytes, address % 4096);
  if (before + least > window_.size() || address > UINT64_MAX - window_.size()) return false;
  const iovec mine{window_.data(), window_.size()};
  const iovec theirs{reinterpret_cast<void*>(static_cast<std::uintptr_t>(address - before)), window_.size()};
  const ssize_t n = ::process_vm_readv(call_.task, &mine, 1, &theirs, 1, 0);  // short at a page that is not there
  if (n < 0 || static_cast<std::size_t>(n) < before + least) return false;
  window_at_ = address - before;
  window_bytes_ = static_cast<std::size_t>(n);
  return true;
}

Result<void> NotifiedMemory::read(std::uint64_t address, std::span<std::byte> out) {
  if (out.empty()) return {};
  if (take_from_window(address, out)) return {};
  if (std::exchange(first_, false) && fill_window(address, out.size())) {
    take_from_window(address, out);
    return {};
  }
  RING3_TRY(memory_.read(address, out));
  if (!listener_.waits(call_)) return Errno::kFault;
  return {};
}

Result<void> NotifiedMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  window_bytes_ = 0;
  if (!std::exchange(proven_, false) && !listener_.waits(call_)) return Errno::kFault;
  return memory_.write(address, in);
}

Result<syscall::FileIdentity> NotifiedFiles::identify(int fd, OwnedFd& open) {
  if (fd < 0) return Errno::kBadF;
  if (held_ != nullptr) {
    if (const std::optional<syscall::FileIdentity> known = held_->find(call_.task, fd); known.has_value() && listener_.waits(call_)) {
      if (memory_ != nullptr) memory_->prove();
      return *known;
    }
  }
  OwnedFd file = RING3_TRY(task_.file(fd));
  if (memory_ != nullptr && task_.answers_for_itself()) memory_->prove();
  const syscall::FileIdentity identity = RING3_TRY(syscall::identify_own(file.get()));
  if (held_ != nullptr) {
    last_ = std::move(file);
    last_number_ = fd;
    last_identity_ = identity;
  } else {
    open = std::move(file);
  }
  return identity;
}

void NotifiedFiles::keep() {
  if (held_ != nullptr && last_) held_->keep(call_.task, last_number_, std::move(last_), last_identity_);
}

Result<int> NotifiedFiles::install(OwnedFd fd) { return listener_.give_file(call_, fd.get()); }

Result<void> NotifiedFiles::close(int fd) {
  if (!task_.file(fd).ok()) return Errno::kBadF;
  return listener_.take_file_away(call_, fd);
}

Result<std::string> NotifiedFiles::directory_path(int fd) {
  const OwnedFd file = RING3_TRY(task_.file(fd));
  return syscall::own_directory_path(file.get());
}

Result<pid_t> NotifiedFiles::process(int fd) {
  if (fd < 0) return Errno::kBadF;
  const OwnedFd file = RING3_TRY(task_.file(fd));
  return syscall::own_pidfd(file.get());
}

void NotifiedCaller::explain(std::string_view text) {
  text_.append(text);
  if (!text_.ends_with('\n')) text_.push_back('\n');
}

void NotifiedCaller::refused(const verifier::Rejection& why) { text_ = verifier::rejection_text(why, {}); }

}  // namespace ring3::supervisor
