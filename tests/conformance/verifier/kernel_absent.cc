// Stands for kernel_ring3.cc in builds without the ring3 backend (RING3_CONFORMANCE_RUNTIME=OFF).
#include "kernel.h"

namespace ring3::conformance {

void also_walk_every_path(const std::string&) {}

std::unique_ptr<Kernel> ring3_kernel(const std::string&, std::string& problem) {
  problem = "built without the ring3 backend: configure with RING3_CONFORMANCE_RUNTIME=ON";
  return nullptr;
}

}  // namespace ring3::conformance
