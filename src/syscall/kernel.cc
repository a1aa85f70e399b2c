#include "syscall/kernel.h"

#include <unistd.h>

#include <utility>

#include "base/try.h"

namespace ring3::syscall {

Result<std::unique_ptr<Kernel>> Kernel::create(KernelServices& services, std::vector<std::string> pin_roots) {
  std::unique_ptr<Descriptors> descriptors = RING3_TRY(Descriptors::create());
  return std::unique_ptr<Kernel>(new Kernel(services, std::move(descriptors), std::move(pin_roots)));
}

Kernel::Kernel(KernelServices& services, std::unique_ptr<Descriptors> descriptors, std::vector<std::string> pin_roots)
    : services_(services), descriptors_(std::move(descriptors)), mounts_(std::move(pin_roots), ::geteuid(), ::getegid()) {}

}  // namespace ring3::syscall
