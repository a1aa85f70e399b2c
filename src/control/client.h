// The other end of the control socket: what a tool in another process uses to reach a host.
//
//   std::string why;
//   auto host = control::Client::connect("cached", why);          // a name, or a path with a slash
//   long fd = (*host)->bpf(BPF_MAP_CREATE, &attr, sizeof attr);   // as syscall(SYS_bpf, …), but -errno
//
// bpf() gives the host this process's /proc/self/mem, so pointers in attributes mean this process; the
// descriptors it returns are real ones (close, dup, mmap, SCM_RIGHTS behave). A connection may speak for another
// process instead (principal.h).
//
// Thread-safe: requests of several threads take turns. A connection belongs to the process that opened it;
// after fork() the child gets kConnRefused and opens its own.
//
// When the host is gone every call answers kConnRefused and connected() is false.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "control/principal.h"
#include "control/protocol.h"
#include "ring3/log.h"
#include "ring3/result.h"
#include "syscall/device_request.h"

namespace ring3::control {

class WireWriter;

struct HostInfo {
  std::string name;
  pid_t pid = 0;
  uid_t uid = 0;
  std::string path;  // of the socket
};

struct HostLogLine {
  std::uint64_t position = 0;  // lines are counted; a gap means that lines were lost
  std::uint64_t time_ns = 0;   // since the epoch
  Severity severity = Severity::kInfo;
  std::string module;          // "" the runtime itself
  std::string text;
};

class Client {
 public:
  /// host: a name (place.h) or a path of a socket. why: one line for people when it fails.
  /// Errors: kNoEnt no such host; kConnRefused nobody listens there any more; kAcces, kPerm the host or its socket's
  /// folder turns this user away; kProto the host speaks another version.
  /// speaks_for: whose memory and descriptors requests mean; null: this process's.
  static Result<std::unique_ptr<Client>> connect(std::string_view host, std::string& why,
                                                 std::unique_ptr<Principal> speaks_for = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const HostInfo& host() const { return host_; }
  /// Ends the connection; a request that waits for the host gets kConnRefused. From any thread.
  void hang_up();
  bool connected() const { return connected_.load(std::memory_order_relaxed); }
  /// What the host said about this thread's last request beyond its errno; "" for nothing. For a refused program it is
  /// the report for people (what, where in the source, what was known, why), lines.
  std::string text() const;

  /// bpf(2) in the host: a result ≥ 0 or a negated errno. Objects come back as descriptors of this process.
  /// The last two: arguments four and five of the five-argument form.
  long bpf(int cmd, void* attr, std::uint32_t size, const void* common_attrs = nullptr, std::uint32_t common_size = 0);
  /// The host's types as raw BTF: a read-only file, fit for btf__parse("/proc/self/fd/N").
  Result<OwnedFd> host_btf();
  /// Possible CPUs as programs and per-CPU maps of the host's see them. Errors: kOpNotSupp an older host.
  Result<std::uint32_t> host_cpus();
  /// An eventfd for a ring buffer's descriptor, written when its consumer should look (syscall/wake_file.h).
  /// Errors: kBadF; kInval not a ring of the host.
  Result<OwnedFd> wake_file(int fd);

  /// What stands for a perf event of BPF output (syscall/event_files.h). Errors: the host's.
  Result<OwnedFd> event_file();
  /// How many pages of data of one are mapped; 0: only whether it is one. Errors: kBadF it is not; kInval, kBusy.
  Result<void> event_pages(int fd, std::uint32_t pages);

  /// The lines of /proc/PID/fdinfo/N for an object. Errors: kBadF; kInval not one of the host.
  Result<std::string> fd_info(int fd);

  /// The devices that take one XDP program, and what stands there. Errors: kOpNotSupp an older host.
  Result<std::vector<syscall::DeviceProgram>> device_programs();
  /// Errors: the host's (syscall/device_programs.h), with words.
  Result<void> set_device_program(const syscall::DeviceRequest& request);

  /// From here on everything this connection makes is invisible to others, and pins and links wait, until
  /// commit (client of modules: module_client.h). Errors: kBusy a load is going on already.
  Result<void> begin();
  /// Undoes the load. Errors: kNoEnt none is going on.
  Result<void> abort();

  /// Lines of the host's log from a position on (0: the oldest kept). wait: blocks until there is one.
  /// An empty answer without wait means there are none.
  Result<std::vector<HostLogLine>> log(std::uint64_t from, bool wait);

  struct Reply {
    long result = 0;
    std::vector<std::byte> body;
    OwnedFd file;
  };
  /// One request of any type; answers what the host asks back meanwhile. Errors: kConnRefused, kProto, kTooBig, and the
  /// host's own.
  Result<Reply> request(MessageType type, std::span<const std::byte> body);

 private:
  Client(OwnedFd socket, pid_t owner, std::unique_ptr<Principal> speaks_for)
      : socket_(std::move(socket)), owner_(owner), principal_(std::move(speaks_for)) {}
  Result<void> hello(std::string& why);
  Result<Reply> transact(MessageType type, std::span<const std::byte> body, int file) RING3_REQUIRES(mutex_);
  Result<void> answer(MessageType question, std::uint32_t serial, std::span<const std::byte> body, OwnedFd file)
      RING3_REQUIRES(mutex_);
  Errno lost();

  const OwnedFd socket_;
  const pid_t owner_;
  const std::unique_ptr<Principal> principal_;
  HostInfo host_;
  std::atomic<bool> connected_{true};
  Mutex mutex_;
  std::uint32_t serial_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::control
