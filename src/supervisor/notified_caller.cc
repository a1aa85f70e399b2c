#include "supervisor/notified_caller.h"

#include "base/try.h"
#include "verifier/log_sink.h"

namespace ring3::supervisor {

Result<void> NotifiedMemory::read(std::uint64_t address, std::span<std::byte> out) {
  RING3_TRY(memory_.read(address, out));
  if (!listener_.waits(call_)) return Errno::kFault;
  return {};
}

Result<void> NotifiedMemory::write(std::uint64_t address, std::span<const std::byte> in) {
  if (!listener_.waits(call_)) return Errno::kFault;
  return memory_.write(address, in);
}

Result<syscall::FileIdentity> NotifiedFiles::identify(int fd) {
  if (fd < 0) return Errno::kBadF;
  const OwnedFd file = RING3_TRY(task_.file(fd));
  return syscall::identify_own(file.get());
}

Result<int> NotifiedFiles::install(OwnedFd fd) { return listener_.give_file(call_, fd.get()); }

Result<std::string> NotifiedFiles::directory_path(int fd) {
  const OwnedFd file = RING3_TRY(task_.file(fd));
  return syscall::own_directory_path(file.get());
}

void NotifiedCaller::explain(std::string_view text) {
  text_.append(text);
  if (!text_.ends_with('\n')) text_.push_back('\n');
}

void NotifiedCaller::refused(const verifier::Rejection& why) { text_ = verifier::rejection_text(why, {}); }

}  // namespace ring3::supervisor
