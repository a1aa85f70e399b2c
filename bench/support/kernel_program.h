// The machine's own kernel as a peer: BPF_PROG_LOAD and BPF_PROG_TEST_RUN only, nothing is ever attached.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "isa/insn.h"

namespace ring3::bench {

class KernelProgram {
 public:
  /// Loads an XDP program; absent where bpf(2) is not allowed or the kernel refuses it.
  static std::optional<KernelProgram> load(std::span<const isa::RawInsn> insns);
  KernelProgram(KernelProgram&& o) noexcept;
  KernelProgram& operator=(KernelProgram&& o) noexcept;
  ~KernelProgram();

  struct Run {
    std::uint32_t result = 0;
    double ns = 0;  // a run, the kernel's own average
  };
  /// Runs on a copy of the packet, `repeat` times.
  std::optional<Run> run(std::span<const std::uint8_t> packet, std::uint32_t repeat) const;

 private:
  explicit KernelProgram(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace ring3::bench
