// Sends the bpf(2) calls of this process's libbpf to a host. For tools: link ring3_libbpf_door instead of
// libbpf.a; the linker's --wrap puts the functions of libbpf_door.cc in the place of syscall, open64, fopen64,
// faccessat, statfs64, mkdir and unlink for every object of the program.
//
// While a client is set: SYS_bpf goes to it; "/sys/kernel/btf/vmlinux" opens the host's BTF; paths under
// /sys/fs/bpf are the host's tree of pins (folders are made and names removed there, and it looks like a bpffs to
// libbpf, which asks before it pins). Everything else is as before, mmap of map descriptors too (they are real memory).
#pragma once

#include "base/owned_fd.h"
#include "control/client.h"
#include "ring3/result.h"

namespace ring3::control {

/// Who answers the calls of libbpf instead of a host behind a socket: a runtime in this process.
class LibbpfAnswers {
 public:
  /// As Client::bpf.
  virtual long bpf(int cmd, void* attr, std::uint32_t size, void* common, std::uint32_t common_size) = 0;
  /// A descriptor of the types to show as "/sys/kernel/btf/vmlinux".
  virtual Result<OwnedFd> types() = 0;

 protected:
  ~LibbpfAnswers() = default;
};

/// The same with answers of this process's own; there are no pins then. Errors: those of types().
Result<void> route_libbpf_to(LibbpfAnswers& answers);

/// client: outlives its use; null: back to the machine's own kernel. Process-wide; call it while no other thread
/// uses libbpf. Errors: those of Client::host_btf().
Result<void> route_libbpf(Client* client);

}  // namespace ring3::control
