// The calls that are intercepted, as rows: what is sent by the filter, and what answers. Everything a client touches of the
// kernel beside bpf(2) itself, and that a file put in its place cannot do, has a row here.
#pragma once

#include <optional>
#include <span>

#include "supervisor/door.h"
#include "supervisor/filter.h"
#include "supervisor/long_calls.h"
#include "supervisor/pin_server.h"
#include "supervisor/report.h"
#include "supervisor/route_sockets.h"
#include "supervisor/wake_files.h"

namespace ring3::supervisor {

/// What the command found in the place of the kernel's files (namespaces.h).
struct Surroundings {
  PinServer* pins = nullptr;  // of the file system at /sys/fs/bpf; null: none is mounted
  dev_t bpffs_device = 0;
  bool types_placed = false;  // the types stand where the kernel's would
};

/// One call being answered.
struct Intercept {
  const Listener& listener;
  const Notification& n;
  TaskEntry& caller;
  Door& door;
  const Surroundings& around;
  Report& report;
  WakeFiles& wake_files;
  RouteSockets& route_sockets;
  LongCalls& long_calls;
};

/// The call's result or a negated errno; none: the kernel carries it out.
using Answer = std::optional<long>;

/// Calls that come by often and are seldom meant: sent only to those who ask for it.
struct Extras {
  bool fdinfo = false;   // /proc/self/fdinfo shows objects' own lines; every open(2) for reading is sent
  bool devices = false;  // XDP programs at the host's devices by rtnetlink; every send(2) without an address is sent
};

struct CallRow {
  const char* name;
  Intercepted when;
  Answer (*handler)(Intercept&);
  bool Extras::*only_with = nullptr;  // null: always
};

std::span<const CallRow> calls();
/// Null: none. By number alone; the filter has looked at the arguments.
const CallRow* find_call(int number);
/// Whether answering takes microseconds and waits for nobody.
bool is_quick(const Notification& n, const Door& door);

// Handlers, by file.
Answer answer_bpf(Intercept& call);        // bpf_call.cc
Answer answer_statfs(Intercept& call);     // statfs_calls.cc
Answer answer_fstatfs(Intercept& call);
Answer answer_setrlimit(Intercept& call);  // rlimit_calls.cc
Answer answer_prlimit(Intercept& call);
Answer answer_readlink(Intercept& call);   // readlink_calls.cc
Answer answer_readlinkat(Intercept& call);
Answer answer_epoll_ctl(Intercept& call);  // epoll_call.cc

Answer answer_perf_event_open(Intercept& call);  // perf_calls.cc
Answer answer_perf_ioctl(Intercept& call);
Answer answer_mmap(Intercept& call);
Answer answer_open(Intercept& call);  // fdinfo_calls.cc
Answer answer_openat(Intercept& call);
Answer answer_send(Intercept& call);  // route_calls.cc

/// A memfd of a caller's by its number: (device, inode), or none.
struct MemoryFile {
  dev_t device;
  ino_t inode;
};
std::optional<MemoryFile> memory_file(const Intercept& call, int fd);  // epoll_call.cc

/// Of a bpf(2) notification.
BpfCall bpf_call(const Notification& n);

}  // namespace ring3::supervisor
