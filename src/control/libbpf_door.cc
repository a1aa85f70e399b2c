#include "control/libbpf_door.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "base/owned_fd.h"
#include "base/try.h"
#include "control/pin_client.h"

namespace ring3::control {
namespace {

/// Written by route_libbpf only, read by the redirected functions.
struct Route {
  std::atomic<Client*> client{nullptr};
  std::atomic<LibbpfAnswers*> answers{nullptr};  // one of both at most
  OwnedFd btf;
  std::string btf_path;
};
Route route;

constexpr std::string_view kHostTypes = "/sys/kernel/btf/vmlinux";
constexpr std::string_view kPins = "/sys/fs/bpf";

bool is_routed() { return route.client.load() != nullptr || route.answers.load() != nullptr; }

/// The path to open instead of `path`.
const char* redirect(const char* path) {
  if (path == nullptr || path != kHostTypes || !is_routed()) return path;
  return route.btf_path.c_str();
}

bool is_pin_path(const char* path) {
  const std::string_view text = path == nullptr ? std::string_view() : path;
  return text.starts_with(kPins) && (text.size() == kPins.size() || text[kPins.size()] == '/');
}

/// To: Client or LibbpfAnswers.
template <typename To>
long bpf(To& to, const long* a, bool five_arguments) {
  const auto pointer = [](long value) { return reinterpret_cast<void*>(value); };
  const long result = to.bpf(static_cast<int>(a[0]), pointer(a[1]), static_cast<std::uint32_t>(a[2]),
                             five_arguments ? pointer(a[3]) : nullptr, five_arguments ? static_cast<std::uint32_t>(a[4]) : 0);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

void show_types(OwnedFd btf) {
  route.btf = std::move(btf);
  route.btf_path = "/proc/self/fd/" + std::to_string(route.btf.get());
}

/// As a call of the C library.
int as_call(const Result<void>& status) {
  if (status.ok()) return 0;
  errno = static_cast<int>(status.error());
  return -1;
}

}  // namespace

Result<void> route_libbpf(Client* client) {
  route.client.store(nullptr);
  route.answers.store(nullptr);
  route.btf.reset();
  if (client == nullptr) return {};
  show_types(RING3_TRY(client->host_btf()));
  route.client.store(client);
  return {};
}

Result<void> route_libbpf_to(LibbpfAnswers& answers) {
  RING3_TRY(route_libbpf(nullptr));
  show_types(RING3_TRY(answers.types()));
  route.answers.store(&answers);
  return {};
}

}  // namespace ring3::control

// What the linker's --wrap puts in the place of the C library's functions.
using ring3::control::as_call;
using ring3::control::is_pin_path;
using ring3::control::redirect;
using ring3::control::route;

extern "C" {
long __real_syscall(long number, ...);
int __real_open64(const char* path, int flags, ...);
FILE* __real_fopen64(const char* path, const char* mode);
int __real_faccessat(int dir, const char* path, int mode, int flags);
int __real_statfs64(const char* path, struct statfs64* out);
int __real_mkdir(const char* path, mode_t mode);
int __real_unlink(const char* path);

long __wrap_syscall(long number, ...);
int __wrap_open64(const char* path, int flags, ...);
FILE* __wrap_fopen64(const char* path, const char* mode);
int __wrap_faccessat(int dir, const char* path, int mode, int flags);
int __wrap_statfs64(const char* path, struct statfs64* out);
int __wrap_mkdir(const char* path, mode_t mode);
int __wrap_unlink(const char* path);

// As the C library's, it takes up whatever stands in the places of six arguments; how many were given it cannot know.
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...) {
  va_list args;
  va_start(args, number);
  long a[6];
  for (long& arg : a) arg = va_arg(args, long);
  va_end(args);
  if (number != SYS_bpf || !ring3::control::is_routed()) return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  constexpr long kFiveArguments = 1 << 16;  // bit of the command number; without it the last two are noise
  const bool five_arguments = (a[0] & kFiveArguments) != 0;
  if (ring3::control::Client* const client = route.client.load()) return ring3::control::bpf(*client, a, five_arguments);
  return ring3::control::bpf(*route.answers.load(), a, five_arguments);
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

int __wrap_statfs64(const char* path, struct statfs64* out) {
  if (route.client.load() == nullptr || !is_pin_path(path)) return __real_statfs64(path, out);
  std::memset(out, 0, sizeof *out);
  out->f_type = BPF_FS_MAGIC;
  return 0;
}

int __wrap_mkdir(const char* path, mode_t mode) {
  ring3::control::Client* const client = route.client.load();
  if (client == nullptr || !is_pin_path(path)) return __real_mkdir(path, mode);
  return as_call(ring3::control::make_pin_directory(*client, path, mode));
}

int __wrap_unlink(const char* path) {
  ring3::control::Client* const client = route.client.load();
  if (client == nullptr || !is_pin_path(path)) return __real_unlink(path);
  return as_call(ring3::control::remove_pin(*client, path));
}
}  // extern "C"
