// Who issues a command, and from where: rights, memory, descriptors, paths. One Caller serves one
// command at a time (a socket connection has one; the C++ API makes one per call).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/facts.h"
#include "ring3/signing.h"
#include "syscall/client_files.h"
#include "syscall/user_memory.h"

namespace ring3::verifier {
struct Rejection;
}

namespace ring3::syscall {

class LoadSession;

struct Credentials {
  uid_t uid = 0;  // file system user: owner of pins, and checked against their mode
  gid_t gid = 0;
  std::vector<gid_t> groups;
  pid_t pid = 0;
};

class Caller {
 public:
  virtual ~Caller() = default;
  virtual const Credentials& credentials() const = 0;
  /// What host policy grants this caller (behaviour.md 0.1.8).
  virtual model::Rights rights() const = 0;
  /// Lives in a user namespace that is not the host's.
  virtual bool foreign() { return false; }
  /// What it may do inside its own user namespace; the same as rights() for those who live in the host's.
  virtual model::Rights namespace_rights() { return rights(); }
  virtual UserMemory& memory() = 0;
  /// Where the log buffers are that attributes name.
  virtual UserMemory& log_memory() { return memory(); }
  virtual ClientFiles& files() = 0;
  /// File creation mask, for pins.
  virtual mode_t umask() = 0;
  /// What it makes counts against the host's limits for clients.
  virtual bool limited() const { return true; }
  /// The load transaction this caller works in; null: every command takes effect at once.
  virtual LoadSession* session() { return nullptr; }
  /// It does not wait for the command's answer any more, or has a signal to see to. Asked now and then by commands that take as long as
  /// their caller likes (PROG_TEST_RUN), from the thread that answers.
  virtual bool gave_up() noexcept { return false; }
  /// Of the program that issues the command for its runner; null: the client does itself.
  virtual const Provenance* program() const { return nullptr; }
  /// Why the command being answered is refused, beyond its errno: for callers that have a way to be told.
  virtual void explain(std::string_view /*text*/) {}
  virtual void refused(const verifier::Rejection& /*why*/) {}
};

/// A caller inside this process.
class OwnCaller final : public Caller {
 public:
  explicit OwnCaller(model::Rights rights, LoadSession* session = nullptr);
  const Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return rights_; }
  UserMemory& memory() override { return memory_; }
  ClientFiles& files() override { return files_; }
  mode_t umask() override;
  bool limited() const override { return false; }
  LoadSession* session() override { return session_; }

 private:
  Credentials credentials_;
  model::Rights rights_;
  LoadSession* session_;
  OwnMemory memory_;
  OwnFiles files_;
};

/// The file creation mask of this process, read without changing it.
mode_t own_umask();

}  // namespace ring3::syscall
