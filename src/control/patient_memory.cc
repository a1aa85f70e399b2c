#include "control/patient_memory.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/owned_fd.h"

namespace ring3::control {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
constexpr std::size_t kWindowBytes = 1024, kBeforeBytes = 256, kPageBytes = 4096;

void ring(int bell) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(bell, &one, sizeof one);
}

/// Until it rings. False: not within the time; forever: -1.
bool heard(int bell, int patience_ms) {
  pollfd on{bell, POLLIN, 0};
  int n;
  do n = ::poll(&on, 1, patience_ms);
  while (n < 0);  // interrupted: one signal more is no reason to wait less
  std::uint64_t rings;
  return n > 0 && ::read(bell, &rings, sizeof rings) == sizeof rings;
}

}  // namespace

/// What both threads have. The job belongs to the copying one from the ring of `wanted` to that of `done`.
struct PatientMemory::Shared {
  explicit Shared(syscall::ForeignMemory m) : memory(std::move(m)), wanted(::eventfd(0, EFD_CLOEXEC)), done(::eventfd(0, EFD_CLOEXEC)) {}

  syscall::ForeignMemory memory;
  const OwnedFd wanted, done;
  std::atomic<bool> over{false};
  bool hangs = false;  // the owner's: a job was given up and has not come back
  bool to_client = false;
  bool copied = false;
  std::uint64_t address = 0;
  std::vector<std::byte> bytes;
};

PatientMemory::PatientMemory(syscall::ForeignMemory memory, std::chrono::milliseconds patience)
    : patience_(patience), shared_(std::make_shared<Shared>(std::move(memory))) {}

PatientMemory::~PatientMemory() {
  if (!thread_.joinable()) return;
  shared_->over.store(true);
  ring(shared_->wanted.get());
  if (shared_->hangs && !heard(shared_->done.get(), 0)) thread_.detach();
  else thread_.join();
}

Result<void> PatientMemory::ensure_thread() {
  if (thread_.joinable()) return {};
  if (!shared_->wanted || !shared_->done) return Errno::kNoMem;
  try {
    thread_ = std::thread([shared = shared_] {
      for (;;) {
        (void)heard(shared->wanted.get(), -1);
        if (shared->over.load()) return;
        const Result<void> copied = shared->to_client ? shared->memory.write(shared->address, shared->bytes)
                                                      : shared->memory.read(shared->address, shared->bytes);
        shared->copied = copied.ok();
        ring(shared->done.get());
      }
    });
  } catch (const std::system_error&) {
    return Errno::kNoMem;
  }
  return {};
}

Result<void> PatientMemory::copy(bool to_client, std::uint64_t address, std::vector<std::byte>& bytes) {
  RING3_TRY(ensure_thread());
  if (shared_->hangs) {
    if (!heard(shared_->done.get(), 0)) return Errno::kFault;
    shared_->hangs = false;
  }
  shared_->to_client = to_client;
  shared_->address = address;
  shared_->bytes.swap(bytes);
  ring(shared_->wanted.get());
  if (!heard(shared_->done.get(), static_cast<int>(patience_.count()))) {
    shared_->hangs = true;
    return Errno::kFault;
  }
  shared_->bytes.swap(bytes);
  return shared_->copied ? Result<void>() : Errno::kFault;
}

bool PatientMemory::take_from_window(std::uint64_t address, std::span<std::byte> out) const {
  if (address < window_at_ || out.size() > window_.size() || address - window_at_ > window_.size() - out.size()) return false;
  std::memcpy(out.data(), window_.data() + (address - window_at_), out.size());
  return true;
}

/// Only within pages that `least` bytes from the address are on anyway: a page more might be one that is not there, or that blocks.
bool PatientMemory::fill_window(std::uint64_t address, std::size_t least) {
  if (least > kWindowBytes || address > UINT64_MAX - 2 * kPageBytes) return false;
  const std::uint64_t from = address - std::min<std::uint64_t>(kBeforeBytes, address % kPageBytes);
  const std::uint64_t last_page_end = (address + least - 1) / kPageBytes * kPageBytes + kPageBytes;
  std::vector<std::byte> bytes(std::min<std::uint64_t>(last_page_end - from, kBeforeBytes + kWindowBytes));
  if (!copy(false, from, bytes).ok()) return false;
  window_at_ = from;
  window_ = std::move(bytes);
  return true;
}

Result<void> PatientMemory::read(std::uint64_t address, std::span<std::byte> out) {
  if (out.empty()) return {};
  if (!window_.empty() && take_from_window(address, out)) return {};
  if (window_.empty() && fill_window(address, out.size()) && take_from_window(address, out)) return {};
  while (!out.empty()) {
    std::vector<std::byte> piece(std::min(out.size(), kPieceBytes));
    const std::size_t n = piece.size();
    RING3_TRY(copy(false, address, piece));
    std::memcpy(out.data(), piece.data(), n);
    if (__builtin_add_overflow(address, n, &address) && n != out.size()) return Errno::kFault;
    out = out.subspan(n);
  }
  return {};
}

Result<void> PatientMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  window_.clear();
  while (!in.empty()) {
    std::vector<std::byte> piece(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(std::min(in.size(), kPieceBytes)));
    const std::size_t n = piece.size();
    RING3_TRY(copy(true, address, piece));
    if (__builtin_add_overflow(address, n, &address) && n != in.size()) return Errno::kFault;
    in = in.subspan(n);
  }
  return {};
}

}  // namespace ring3::control
