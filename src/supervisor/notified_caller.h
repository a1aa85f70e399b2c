// A waiting caller as bpf(2) of a runtime in this process sees it: memory, descriptors and rights of a thread that is
// stopped in its call.
//
// Soundness: memory is copied by the thread's number. While the caller waits the number means it; a caller that is killed
// is noticed after each read (what was read is then refused) and before each write. The first read (the attributes) is an
// exception: whatever a command does next with them proves that the caller waited still: a checked read or write, a file of
// the caller's by its pidfd, one compared by number with what is held for it (the listener is asked after that), a file given by the number of its call. A pidfd of the thread itself proves as much as the listener;
// the write that follows it does not ask again (a number is free for another thread only after all others have had their turn).
//
// The first read takes what stands around it along: keys and values usually stand on the same stack, and a copy costs as much as a
// whole lookup in the kernel. Until the first write the client's memory is what it was then.
#pragma once

#include <array>
#include <atomic>

#include "supervisor/held_files.h"
#include "supervisor/notification.h"
#include "supervisor/task.h"
#include "syscall/caller.h"

namespace ring3::supervisor {

class NotifiedMemory final : public syscall::UserMemory {
 public:
  NotifiedMemory(const Listener& listener, const Notification& call)
      : listener_(listener), call_(call), memory_(call.task) {}
  Result<void> read(std::uint64_t address, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override;
  /// The caller has been found alive by other means, microseconds before it is answered: the next write need not ask.
  void prove() { proven_ = true; }

 private:
  bool take_from_window(std::uint64_t address, std::span<std::byte> out) const;
  bool fill_window(std::uint64_t address, std::size_t least);

  const Listener& listener_;
  const Notification& call_;
  syscall::TracedMemory memory_;
  bool first_ = true;
  bool proven_ = false;
  std::uint64_t window_at_ = 0;
  std::size_t window_bytes_ = 0;
  std::array<std::byte, 1024> window_;
};

class NotifiedFiles final : public syscall::ClientFiles {
 public:
  NotifiedFiles(const Listener& listener, const Notification& call, const Task& task, NotifiedMemory* memory = nullptr, HeldFiles* held = nullptr)
      : listener_(listener), call_(call), task_(task), memory_(memory), held_(held) {}
  Result<syscall::FileIdentity> identify(int fd, OwnedFd& open) override;
  Result<int> install(OwnedFd fd) override;
  Result<void> close(int fd) override;
  Result<std::string> directory_path(int fd) override;
  Result<pid_t> process(int fd) override;
  /// What was looked at last turned out to be an object: the next look will be shorter.
  void keep();

 private:
  const Listener& listener_;
  const Notification& call_;
  const Task& task_;
  NotifiedMemory* const memory_;  // told when a file proves that the caller lives
  HeldFiles* const held_;         // null: every look is a fresh one
  OwnedFd last_;                  // what was looked at last, if it may be held
  int last_number_ = -1;
  syscall::FileIdentity last_identity_{};
};

class NotifiedCaller final : public syscall::Caller {
 public:
  NotifiedCaller(const Listener& listener, const Notification& call, const Task& task, const syscall::Credentials& who,
                 model::Rights rights, HeldFiles* held, const std::atomic<bool>& gave_up)
      : task_(task), credentials_(who), rights_(rights), gave_up_(gave_up), memory_(listener, call), files_(listener, call, task, &memory_, held) {}

  const syscall::Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return rights_; }
  syscall::UserMemory& memory() override { return memory_; }
  syscall::ClientFiles& files() override { return files_; }
  mode_t umask() override { return task_.umask(); }
  bool gave_up() noexcept override { return gave_up_.load(std::memory_order_relaxed); }
  void explain(std::string_view text) override;
  void refused(const verifier::Rejection& why) override;

  /// NotifiedFiles::keep()
  void keep_file() { files_.keep(); }
  /// What was explained.
  const std::string& text() const { return text_; }

 private:
  const Task& task_;
  const syscall::Credentials& credentials_;
  const model::Rights rights_;
  const std::atomic<bool>& gave_up_;  // of its thread's entry
  NotifiedMemory memory_;
  NotifiedFiles files_;
  std::string text_;
};

}  // namespace ring3::supervisor
