// A World with callers of several users, for the checks of area B (the tree of pins).
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "tests/integration/world.h"

namespace ring3::test {

/// A caller in this process who is somebody else: user, file mask and rights as the test says.
class OtherCaller final : public syscall::Caller {
 public:
  OtherCaller(uid_t uid, gid_t gid, model::Rights rights) : rights_(rights) {
    credentials_.uid = uid;
    credentials_.gid = gid;
    credentials_.pid = ::getpid();
  }
  const syscall::Credentials& credentials() const override { return credentials_; }
  model::Rights rights() const override { return rights_; }
  syscall::UserMemory& memory() override { return memory_; }
  syscall::ClientFiles& files() override { return files_; }
  mode_t umask() override { return mask; }

  mode_t mask = 022;

 private:
  syscall::Credentials credentials_;
  const model::Rights rights_;
  syscall::OwnMemory memory_;
  syscall::OwnFiles files_;
};

/// All checks of area B stand in suites that derive from this one.
class PinWorld : public World {
 protected:
  static constexpr model::Rights kUnprivileged{.bpf = true, .perfmon = true, .net_admin = true, .sys_admin = false};
  static constexpr const char* kRoot = "/sys/fs/bpf/";

  syscall::Kernel& kernel() { return runtime_->impl().kernel(); }
  syscall::PinTree& pins() { return kernel().pins(); }
  static std::string path(const std::string& name) { return kRoot + name; }
  static std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

  long as(syscall::Caller& who, int cmd, uapi::bpf_attr& attr) {
    return syscall::bpf(kernel(), who, cmd, address(&attr), sizeof attr);
  }
  long pin_as(syscall::Caller& who, long fd, const std::string& where, std::uint32_t flags = 0, int directory = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.pathname = address(where.c_str());
    attr.bpf_fd = static_cast<std::uint32_t>(fd);
    attr.file_flags = flags;
    attr.path_fd = directory;
    return as(who, uapi::BPF_OBJ_PIN, attr);
  }
  long get_as(syscall::Caller& who, const std::string& where, std::uint32_t flags = 0, int directory = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.pathname = address(where.c_str());
    attr.file_flags = flags;
    attr.path_fd = directory;
    return took(as(who, uapi::BPF_OBJ_GET, attr));
  }
  long pin(long fd, const std::string& name) { return pin_as(admin_, fd, path(name)); }
  long get(const std::string& name, std::uint32_t flags = 0) { return get_as(admin_, path(name), flags); }

  long array(std::uint32_t flags = 0, std::uint32_t entries = 4) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, entries);
    attr.map_flags = flags;
    return bpf().create(attr);
  }
  std::uint32_t map_id(long map) { return bpf().map_info(map).id; }
  bool map_exists(std::uint32_t id) {
    const long fd = bpf().fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, id);
    if (fd >= 0) bpf().close(fd);
    return fd >= 0;
  }
  Result<void> stat(const std::string& name, syscall::PinStat& out) {
    auto found = pins().stat(path(name), who_, false);
    if (!found.ok()) return found.error();
    out = *found;
    return {};
  }
  mode_t mode_of(const std::string& name) {
    auto found = pins().stat(path(name), who_, false);
    return found.ok() ? found->mode : 0;
  }

  /// Closed at the end.
  long took(long fd) {
    if (fd >= 0) fds_.push_back(OwnedFd(static_cast<int>(fd)));
    return fd;
  }
  void close_fds() {
    fds_.clear();
    bpf().close_all();
  }

  OtherCaller admin_{0, 0, model::Rights::all()};
  OtherCaller user_{1000, 1000, kUnprivileged};
  OtherCaller other_user_{1001, 1001, kUnprivileged};
  const syscall::PinIdentity who_{0, 0, {}, true};

 private:
  std::vector<OwnedFd> fds_;
};

}  // namespace ring3::test
