// A client's memory that may block whoever touches it: pages behind userfaultfd or a FUSE file come when the client pleases,
// and no signal but a fatal one ends the kernel's wait for them. So the host's threads never touch it: a thread that has nothing
// but the descriptor and a buffer copies, and the host waits for it as long as it has patience. Then the copy is a fault, and so
// is every later one until the thread has come back.
//
// Cost: two switches of threads a copy, so reads take what stands around along (keys, values and logs stand near each other).
// Soundness of that: the window is the memory of one moment of the present request; it is dropped at every write and by begin().
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "syscall/user_memory.h"

namespace ring3::control {

class PatientMemory final : public syscall::UserMemory {
 public:
  static constexpr std::chrono::milliseconds kPatience{1000};

  explicit PatientMemory(syscall::ForeignMemory memory, std::chrono::milliseconds patience = kPatience);
  /// Does not wait for a copy that hangs: its thread ends by itself when the client lets it.
  ~PatientMemory() override;
  PatientMemory(const PatientMemory&) = delete;
  PatientMemory& operator=(const PatientMemory&) = delete;

  /// A new request: what was read ahead is forgotten.
  void begin() { window_.clear(); }
  Result<void> read(std::uint64_t address, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t address, std::span<const std::byte> in) override;

 private:
  struct Shared;
  /// One piece. Errors: kFault; kNoMem no thread to be had.
  Result<void> copy(bool to_client, std::uint64_t address, std::vector<std::byte>& bytes);
  Result<void> ensure_thread();
  bool take_from_window(std::uint64_t address, std::span<std::byte> out) const;
  bool fill_window(std::uint64_t address, std::size_t least);

  const std::chrono::milliseconds patience_;
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
  std::uint64_t window_at_ = 0;
  std::vector<std::byte> window_;
};

}  // namespace ring3::control
