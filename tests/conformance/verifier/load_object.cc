#include "load_object.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "expectations.h"
#include "kernel.h"

namespace ring3::conformance {

std::string file_stem(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.find(".bpf.o"));
}

bool is_made_here(bpf_map_type type) {
  static std::map<std::pair<const Kernel*, bpf_map_type>, bool> known;
  const auto [at, fresh] = known.try_emplace({routed_kernel(), type}, true);
  if (fresh && type != BPF_MAP_TYPE_STRUCT_OPS) at->second = libbpf_probe_bpf_map_type(type, nullptr) == 1;
  return at->second;
}

Verdict check_retval(const bpf_program* program, std::int64_t expected) {
  std::array<std::uint8_t, kTestDataBytes> in{};
  std::array<std::uint8_t, 256> out{};
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  if (bpf_program__type(program) != BPF_PROG_TYPE_SYSCALL) {
    run.data_in = in.data();
    run.data_size_in = in.size();
    run.data_out = out.data();
    run.data_size_out = out.size();
    run.repeat = 1;
  }
  if (bpf_prog_test_run_opts(bpf_program__fd(program), &run) != 0)
    return failed("run", std::string("test run: ") + std::strerror(errno));
  if (expected != kAnyPointer && static_cast<std::int32_t>(run.retval) != static_cast<std::int32_t>(expected))
    return failed("retval", "returned " + std::to_string(static_cast<std::int32_t>(run.retval)) + ", expected " +
                                std::to_string(expected));
  return {};
}

}  // namespace ring3::conformance
