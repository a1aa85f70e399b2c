#include "bench/support/kernel_program.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

#include "uapi/bpf.h"

namespace ring3::bench {
namespace {

long bpf(int cmd, uapi::bpf_attr& attr) { return syscall(SYS_bpf, cmd, &attr, sizeof attr); }

std::uint64_t pointer(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

std::optional<KernelProgram> KernelProgram::load(std::span<const isa::RawInsn> insns) {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  attr.prog_type = uapi::BPF_PROG_TYPE_XDP;
  attr.insns = pointer(insns.data());
  attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.license = pointer("GPL");
  const long fd = bpf(uapi::BPF_PROG_LOAD, attr);
  if (fd < 0) return std::nullopt;
  return KernelProgram(static_cast<int>(fd));
}

KernelProgram::KernelProgram(KernelProgram&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}

KernelProgram& KernelProgram::operator=(KernelProgram&& o) noexcept {
  std::swap(fd_, o.fd_);
  return *this;
}

KernelProgram::~KernelProgram() {
  if (fd_ >= 0) close(fd_);
}

std::optional<KernelProgram::Run> KernelProgram::run(std::span<const std::uint8_t> packet, std::uint32_t repeat) const {
  std::vector<std::uint8_t> out(packet.size() + 512);
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  attr.test.prog_fd = static_cast<std::uint32_t>(fd_);
  attr.test.data_in = pointer(packet.data());
  attr.test.data_size_in = static_cast<std::uint32_t>(packet.size());
  attr.test.data_out = pointer(out.data());
  attr.test.data_size_out = static_cast<std::uint32_t>(out.size());
  attr.test.repeat = repeat;
  if (bpf(uapi::BPF_PROG_TEST_RUN, attr) < 0) return std::nullopt;
  return Run{attr.test.retval, attr.test.duration + 0.5};  // cut to whole nanoseconds
}

}  // namespace ring3::bench
