// The redirection: what the linker's --wrap puts in the place of syscall(2), open, fopen and access for
// every object of this program, libbpf included. (Not control/libbpf_door.cc: this harness links the libbpf of the kernel the selftests
// belong to, and judges the machine's own bpf(2) without any part of ring3.)
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "kernel.h"

namespace {
ring3::conformance::Kernel* routed = nullptr;
std::string btf_path;
std::string watched_name;
ring3::conformance::WatchedLoad watched;

void note_load(int cmd, const bpf_attr& attr, long result) {
  if (cmd != BPF_PROG_LOAD || watched_name.empty()) return;
  const std::string_view name(attr.prog_name, strnlen(attr.prog_name, sizeof(attr.prog_name)));
  if (name == watched_name.substr(0, sizeof(attr.prog_name) - 1)) watched = {true, result};
}

/// The path to open instead of `path`.
const char* redirect(const char* path) {
  return !btf_path.empty() && path != nullptr && std::strcmp(path, "/sys/kernel/btf/vmlinux") == 0 ? btf_path.c_str()
                                                                                                  : path;
}
}  // namespace

extern "C" {
long __real_syscall(long number, ...);
int __real_open64(const char* path, int flags, ...);
FILE* __real_fopen64(const char* path, const char* mode);
int __real_faccessat(int dir, const char* path, int mode, int flags);

long __wrap_syscall(long number, ...);
int __wrap_open64(const char* path, int flags, ...);
FILE* __wrap_fopen64(const char* path, const char* mode);
int __wrap_faccessat(int dir, const char* path, int mode, int flags);

long __wrap_syscall(long number, ...) {
  va_list args;
  va_start(args, number);
  long a[6];
  for (long& arg : a) arg = va_arg(args, long);
  va_end(args);
  if (number != SYS_bpf || routed == nullptr) return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const long result =
      routed->bpf(static_cast<int>(a[0]), reinterpret_cast<void*>(a[1]), static_cast<std::uint32_t>(a[2]));
  note_load(static_cast<int>(a[0]), *reinterpret_cast<const bpf_attr*>(a[1]), result);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

int __wrap_open64(const char* path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  const auto mode = static_cast<mode_t>((flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, unsigned) : 0);
  va_end(args);
  return __real_open64(redirect(path), flags, mode);
}
FILE* __wrap_fopen64(const char* path, const char* mode) { return __real_fopen64(redirect(path), mode); }
int __wrap_faccessat(int dir, const char* path, int mode, int flags) {
  return __real_faccessat(dir, redirect(path), mode, flags);
}
}  // extern "C"

namespace ring3::conformance {

void route_to(Kernel* kernel) {
  routed = kernel;
  btf_path = kernel == nullptr ? "" : kernel->btf_file();
}

Kernel* routed_kernel() { return routed; }

void watch_loads(const std::string& program) {
  watched_name = program;
  watched = {};
}
WatchedLoad watched_load() { return watched; }

std::unique_ptr<Kernel> make_kernel(const std::string& backend, const std::string& btf_elf, std::string& problem) {
  return backend == "native" ? native_kernel() : ring3_kernel(btf_elf, problem);
}

long real_syscall(long number, long a, long b, long c, long d, long e, long f) {
  return __real_syscall(number, a, b, c, d, e, f);
}

}  // namespace ring3::conformance
