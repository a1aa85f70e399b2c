// The client of a connection as bpf(2) sees it: a syscall::Caller whose memory, descriptors and file mask
// are those of the process at the other end.
//
//   credentials  what the machine's kernel says about the socket (SO_PEERCRED, SO_PEERGROUPS)
//   memory       the /proc/PID/mem the client gave in its hello, its own or that of a process it speaks for
//                (docs/adr/0011); without one every address is a fault
//   descriptors  never guessed from numbers: the host asks, and the client sends the file itself. So no right
//                over the client's process is needed, and a client that lies only speaks for files it has
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "control/channel.h"
#include "control/patient_memory.h"
#include "ring3/control.h"
#include "syscall/caller.h"
#include "syscall/load_session.h"

namespace ring3::control {

/// Errors: kPerm the kernel does not say who it is.
Result<syscall::Credentials> peer_credentials(int socket);

class PeerFiles final : public syscall::ClientFiles {
 public:
  explicit PeerFiles(Channel& channel) : channel_(channel) {}
  Result<syscall::FileIdentity> identify(int fd, OwnedFd& open) override;
  Result<int> install(OwnedFd fd) override;
  Result<void> close(int fd) override;
  Result<std::string> directory_path(int fd) override;
  Result<pid_t> process(int fd) override;

 private:
  Result<OwnedFd> fetch(int fd);
  Channel& channel_;
};

/// Of a client that gave no memory.
class NoMemory final : public syscall::UserMemory {
 public:
  Result<void> read(std::uint64_t, std::span<std::byte> out) override;
  Result<void> write(std::uint64_t, std::span<const std::byte> in) override;
};

class PeerCaller final : public syscall::Caller {
 public:
  PeerCaller(syscall::Credentials who, Capabilities may, Channel& channel);

  const syscall::Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return rights_; }
  bool foreign() override;
  model::Rights namespace_rights() override;
  syscall::UserMemory& memory() override {
    return own_memory_ != nullptr ? static_cast<syscall::UserMemory&>(*own_memory_) : no_memory_;
  }
  syscall::ClientFiles& files() override { return files_; }
  mode_t umask() override;
  syscall::LoadSession* session() override { return session_.get(); }
  bool gave_up() noexcept override { return channel_.hung_up(); }
  void explain(std::string_view text) override;
  void refused(const verifier::Rejection& why) override;

  /// Takes the client's memory file. Errors: as ForeignMemory::adopt.
  Result<void> give_memory(OwnedFd mem);
  /// A new request begins: what was read ahead of the client's memory is forgotten.
  void begin();
  /// Asks something, to see whether anybody answers: a process that is being killed closes its files one by one while
  /// its last request is still on the way.
  bool answers();
  /// What was explained since the last call.
  std::string take_text() { return std::exchange(text_, {}); }
  std::unique_ptr<syscall::LoadSession>& load() { return session_; }

 private:
  const syscall::Credentials credentials_;
  const model::Rights rights_;
  Channel& channel_;
  PeerFiles files_;
  std::unique_ptr<PatientMemory> own_memory_;  // null: the client gave none
  NoMemory no_memory_;
  std::unique_ptr<syscall::LoadSession> session_;
  std::string text_;
};

}  // namespace ring3::control
