#include "bpffs/preload_programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "btf/host_view.h"

namespace ring3::bpffs {
namespace {

/// Where both programs keep things: r6 what is shown, r9 the seq_file.
constexpr int kFormatAt = -64;     // of the stack
constexpr int kArgumentsAt = -96;  // four of them at most

/// bpf_seq_printf() of `format`, which is put on the stack, with arguments of so many bytes at kArgumentsAt.
std::string print(std::string_view format, std::size_t argument_bytes) {
  std::string out;
  for (std::size_t at = 0; at <= format.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, format.data() + at, std::min<std::size_t>(8, format.size() - at));
    out += fmt::format("r1 = {:#x} ll\n*(u64 *)(r10 {:+}) = r1\n", word, kFormatAt + static_cast<int>(at));
  }
  out += fmt::format("r1 = r9\nr2 = r10\nr2 += {}\nr3 = {}\n", kFormatAt, format.size() + 1);
  if (argument_bytes == 0) out += "r4 = 0\n";
  else out += fmt::format("r4 = r10\nr4 += {}\n", kArgumentsAt);
  return out + fmt::format("r5 = {}\ncall bpf_seq_printf\n", argument_bytes);
}

/// Stores r1 as an argument.
std::string argument(int index) { return fmt::format("*(u64 *)(r10 {:+}) = r1\n", kArgumentsAt + index * 8); }

/// The head first, `line` for each element; the head also when there is none.
std::optional<std::string> walk_program(const btf::Btf& host_btf, std::string_view head, const std::string& line) {
  const btf::HostView meta(host_btf, "bpf_iter_meta");
  const auto seq = meta.offset("seq"), number = meta.offset("seq_num");
  if (!seq || !number) return std::nullopt;
  return fmt::format("r6 = *(u64 *)(r1 +8)\nr1 = *(u64 *)(r1 +0)\nr9 = *(u64 *)(r1 +{})\n", *seq) +
         fmt::format("r1 = *(u64 *)(r1 +{})\nif r1 != 0 goto line\n", *number) + print(head, 0) + "line:\nif r6 == 0 goto out\n" +
         line + "out:\nr0 = 0\nexit\n";
}

}  // namespace

std::optional<std::string> maps_program(const btf::Btf& host_btf) {
  const btf::HostView map(host_btf, "bpf_map");
  const auto id = map.offset("id"), name = map.offset("name"), entries = map.offset("max_entries");
  if (!id || !name || !entries) return std::nullopt;
  std::string line = fmt::format("r1 = *(u32 *)(r6 +{})\n", *id) + argument(0) + fmt::format("r1 = r6\nr1 += {}\n", *name) + argument(1) +
                     fmt::format("r1 = *(u32 *)(r6 +{})\n", *entries) + argument(2);
  // Types of a host's own may not have it.
  const btf::TypeId count = host_btf.find("bpf_map_sum_elem_count", btf::Kind::kFunc);
  if (count == 0) return walk_program(host_btf, "  id name             max_entries\n", line + print("%4u %-16s  %10u\n", 24));
  line += fmt::format("r1 = r6\ncall kernel-function#{}\nr1 = r0\n", count) + argument(3);
  return walk_program(host_btf, "  id name             max_entries  cur_entries\n", line + print("%4u %-16s  %10u   %10lld\n", 32));
}

std::optional<std::string> programs_program(const btf::Btf& host_btf) {
  const btf::HostView program(host_btf, "bpf_prog"), about(host_btf, "bpf_prog_aux");
  const auto aux = program.offset("aux"), id = about.offset("id"), name = about.offset("name"),
             attached = about.offset("attach_func_name");
  if (!aux || !id || !name) return std::nullopt;
  std::string line = fmt::format("r7 = *(u64 *)(r6 +{})\nr1 = *(u32 *)(r7 +{})\n", *aux, *id) + argument(0) +
                     fmt::format("r1 = r7\nr1 += {}\n", *name) + argument(1);
  // Types of a host's own may not have it.
  line += attached ? fmt::format("r1 = *(u64 *)(r7 +{})\n", *attached) : std::string("r1 = 0\n");
  return walk_program(host_btf, "  id name             attached\n", line + argument(2) + print("%4u %-16s %s\n", 24));
}

}  // namespace ring3::bpffs
