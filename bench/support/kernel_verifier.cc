#include "bench/support/kernel_verifier.h"

// Before libbpf, whose macros have the names of its constants.
#include "cli/verify_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace ring3::bench {
namespace {

std::optional<std::uint64_t> number_behind(const std::string& log, const char* words) {
  const std::size_t at = log.find(words);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(log.c_str() + at + std::strlen(words), nullptr, 10);
}

}  // namespace

// As cli::verify_object() does it.
std::optional<Figures> verify_in_kernel(const std::string& path, const std::string& name) {
  libbpf_set_print(nullptr);
  static std::vector<char> log(1 << 16);
  const std::unique_ptr<bpf_object, void (*)(bpf_object*)> object(bpf_object__open(path.c_str()), bpf_object__close);
  if (object == nullptr) return std::nullopt;
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object.get(), program)) != nullptr) {
    const bool it = name == bpf_program__name(program);
    bpf_program__set_autoload(program, it);
    if (!it) continue;
    log[0] = '\0';
    bpf_program__set_log_buf(program, log.data(), log.size());
    bpf_program__set_log_level(program, 4);  // BPF_LOG_STATS
    cli::name_kind(*program);
  }
  bpf_map* map = nullptr;
  while ((map = bpf_object__next_map(object.get(), map)) != nullptr) bpf_map__set_pin_path(map, nullptr);
  if (bpf_object__load(object.get()) != 0) return std::nullopt;
  const std::string text(log.data());
  const auto usec = number_behind(text, "verification time "), insns = number_behind(text, "processed ");
  if (!usec || !insns) return std::nullopt;
  return Figures{static_cast<double>(*usec), *insns, 0};
}

}  // namespace ring3::bench
