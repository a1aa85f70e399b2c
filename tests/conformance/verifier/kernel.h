// Whom a case is loaded into. libbpf's system calls are redirected here (--wrap=syscall, and the file
// accesses that name the kernel's BTF), so that stock libbpf works against a Runtime in this process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ring3::conformance {

/// What the loading process may do.
struct CaseRights {
  bool bpf = true, perfmon = true, net_admin = true, sys_admin = true;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  /// As the system call: a result or a negated errno.
  virtual long bpf(int cmd, void* attr, std::uint32_t size) = 0;
  /// Rights of the commands that follow.
  virtual void set_rights(const CaseRights& rights) = 0;
  /// File that stands for /sys/kernel/btf/vmlinux; "" for the machine's own.
  virtual std::string btf_file() const { return ""; }
  /// Whether the unprivileged mode means anything here.
  virtual bool has_unprivileged() const { return true; }
};

/// This machine's bpf(2). Rights are capabilities of this process.
std::unique_ptr<Kernel> native_kernel();
/// A Runtime whose host types are those of the kernel BTF in `btf_elf` (an ELF file with a .BTF section).
/// Null with a reason when it cannot be made.
std::unique_ptr<Kernel> ring3_kernel(const std::string& btf_elf, std::string& problem);

/// From now on a Runtime judges each program a second time, walking every path to its end, and adds a line to `file`: "agrees",
/// "large" (more than a walk of every path may take) or "differs", and the program's name.
void also_walk_every_path(const std::string& file);

/// backend: "ring3" or "native".
std::unique_ptr<Kernel> make_kernel(const std::string& backend, const std::string& btf_elf, std::string& problem);

/// Where wrapped calls go from now on.
void route_to(Kernel* kernel);
Kernel* routed_kernel();

/// Loads of a program, as they pass by.
struct WatchedLoad {
  bool seen = false;
  long result = 0;  // of the last: a descriptor, or a negated errno
};
/// Watches loads under this name from now on; what has been seen so far is forgotten.
void watch_loads(const std::string& program);
WatchedLoad watched_load();

/// Not routed.
long real_syscall(long number, long a, long b, long c, long d = 0, long e = 0, long f = 0);

}  // namespace ring3::conformance
