#include <linux/capability.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdio>

#include "kernel.h"

namespace ring3::conformance {

namespace {

constexpr int kSysAdmin = CAP_SYS_ADMIN, kNetAdmin = CAP_NET_ADMIN, kPerfmon = 38, kBpf = 39;

class NativeKernel final : public Kernel {
 public:
  NativeKernel() {
    __user_cap_data_struct data[2];
    cap(SYS_capget, data);
    permitted_ = data[0].permitted | std::uint64_t{data[1].permitted} << 32;
    if (FILE* f = std::fopen("/proc/sys/kernel/unprivileged_bpf_disabled", "r")) {
      int value = 1;
      has_unprivileged_ = std::fscanf(f, "%d", &value) == 1 && value == 0;
      std::fclose(f);
    }
  }

  long bpf(int cmd, void* attr, std::uint32_t size) override {
    const long result = real_syscall(SYS_bpf, cmd, reinterpret_cast<long>(attr), size);
    return result < 0 ? -errno : result;
  }

  void set_rights(const CaseRights& rights) override {
    std::uint64_t effective = permitted_;
    const auto drop = [&](bool keep, int capability) {
      if (!keep) effective &= ~(std::uint64_t{1} << capability);
    };
    drop(rights.sys_admin, kSysAdmin);
    drop(rights.net_admin, kNetAdmin);
    drop(rights.perfmon, kPerfmon);
    drop(rights.bpf, kBpf);
    __user_cap_data_struct data[2] = {};
    for (int half = 0; half < 2; ++half) {
      data[half].effective = static_cast<std::uint32_t>(effective >> (32 * half));
      data[half].permitted = static_cast<std::uint32_t>(permitted_ >> (32 * half));
    }
    cap(SYS_capset, data);
  }

  bool has_unprivileged() const override { return has_unprivileged_; }

 private:
  static void cap(long number, __user_cap_data_struct* data) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    real_syscall(number, reinterpret_cast<long>(&header), reinterpret_cast<long>(data), 0);
  }

  std::uint64_t permitted_ = 0;
  bool has_unprivileged_ = false;
};

}  // namespace

std::unique_ptr<Kernel> native_kernel() { return std::make_unique<NativeKernel>(); }

}  // namespace ring3::conformance
