#include "cli/program_view.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

#include "base/owned_fd.h"
#include "base/text_sink.h"
#include "base/try.h"
#include "btf/btf.h"
#include "uapi/bpf.h"

namespace ring3::cli {
namespace {

using namespace uapi;

bpf_attr empty_attr() {
  bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  return attr;
}

template <typename T>
std::uint64_t address_of(std::vector<T>& to) {
  return to.empty() ? 0 : reinterpret_cast<std::uintptr_t>(to.data());
}

Result<OwnedFd> open_by_id(control::Client& client, int cmd, std::uint32_t id) {
  bpf_attr attr = empty_attr();
  attr.prog_id = id;  // the same place for every kind of object
  const long fd = client.bpf(cmd, &attr, sizeof attr);
  if (fd < 0) return static_cast<Errno>(-fd);
  return OwnedFd(static_cast<int>(fd));
}

template <typename Info>
Result<void> get_info(control::Client& client, const OwnedFd& fd, Info& info) {
  bpf_attr attr = empty_attr();
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd.get());
  attr.info.info_len = sizeof info;
  attr.info.info = reinterpret_cast<std::uintptr_t>(&info);
  const long code = client.bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr);
  return code < 0 ? Result<void>(static_cast<Errno>(-code)) : Result<void>();
}

/// Null: the program has none, or it is not to be had.
std::shared_ptr<const btf::Btf> types_of(control::Client& client, std::uint32_t btf_id) {
  if (btf_id == 0) return nullptr;
  const Result<OwnedFd> fd = open_by_id(client, BPF_BTF_GET_FD_BY_ID, btf_id);
  bpf_btf_info info{};
  if (!fd.ok() || !get_info(client, *fd, info).ok()) return nullptr;
  std::vector<std::byte> blob(info.btf_size);
  info = {};
  info.btf = address_of(blob);
  info.btf_size = static_cast<std::uint32_t>(blob.size());
  if (!get_info(client, *fd, info).ok()) return nullptr;
  NullSink log;
  auto btf = btf::Btf::parse(blob, nullptr, log);
  return btf.ok() ? *btf : nullptr;
}

std::string text_at(const btf::Btf* btf, std::uint32_t off) {
  if (btf == nullptr) return {};
  std::string_view text = btf->string_at(off);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return std::string(text);
}

/// What a second question fills in, as much as the first one said there is.
struct Images {
  explicit Images(const bpf_prog_info& size)
      : insns(size.xlated_prog_len / sizeof(isa::RawInsn)), code(size.jited_prog_len), addresses(size.nr_jited_ksyms),
        lengths(size.nr_jited_func_lens), functions(size.nr_func_info), lines(size.nr_line_info),
        line_addresses(size.nr_jited_line_info) {}

  bpf_prog_info question() {
    bpf_prog_info info{};
    info.xlated_prog_insns = address_of(insns);
    info.xlated_prog_len = static_cast<std::uint32_t>(insns.size() * sizeof(isa::RawInsn));
    info.jited_prog_insns = address_of(code);
    info.jited_prog_len = static_cast<std::uint32_t>(code.size());
    info.jited_ksyms = address_of(addresses);
    info.nr_jited_ksyms = static_cast<std::uint32_t>(addresses.size());
    info.jited_func_lens = address_of(lengths);
    info.nr_jited_func_lens = static_cast<std::uint32_t>(lengths.size());
    info.func_info = address_of(functions);
    info.nr_func_info = static_cast<std::uint32_t>(functions.size());
    info.func_info_rec_size = sizeof(bpf_func_info);
    info.line_info = address_of(lines);
    info.nr_line_info = static_cast<std::uint32_t>(lines.size());
    info.line_info_rec_size = sizeof(bpf_line_info);
    info.jited_line_info = address_of(line_addresses);
    info.nr_jited_line_info = static_cast<std::uint32_t>(line_addresses.size());
    info.jited_line_info_rec_size = sizeof(std::uint64_t);
    return info;
  }

  std::vector<isa::RawInsn> insns;
  std::vector<std::byte> code;
  std::vector<std::uint64_t> addresses;
  std::vector<std::uint32_t> lengths;
  std::vector<bpf_func_info> functions;
  std::vector<bpf_line_info> lines;
  std::vector<std::uint64_t> line_addresses;
};

void add_functions(ProgramView& view, const Images& images, const btf::Btf* btf) {
  const std::size_t count = std::max({images.functions.size(), images.addresses.size(), std::size_t{1}});
  for (std::size_t i = 0; i < count; ++i) {
    ProgramView::Function& function = view.functions.emplace_back();
    const btf::Type* type = btf != nullptr && i < images.functions.size() ? btf->type(images.functions[i].type_id) : nullptr;
    function.name = type != nullptr ? std::string(type->name) : i == 0 ? view.name : "function_" + std::to_string(i);
    if (i < images.addresses.size()) function.address = images.addresses[i];
    if (i < images.lengths.size()) function.bytes = images.lengths[i];
  }
}

void add_lines(ProgramView& view, const Images& images, const btf::Btf* btf) {
  for (std::size_t i = 0; i < images.lines.size(); ++i) {
    const bpf_line_info& from = images.lines[i];
    view.lines.push_back({.insn = from.insn_off,
                          .address = i < images.line_addresses.size() ? images.line_addresses[i] : 0,
                          .line = from.line_col >> 10,
                          .column = from.line_col & 0x3ff,
                          .file = text_at(btf, from.file_name_off),
                          .text = text_at(btf, from.line_off)});
  }
}

Result<bpf_prog_info> identity(control::Client& client, std::uint32_t id) {
  const OwnedFd fd = RING3_TRY(open_by_id(client, BPF_PROG_GET_FD_BY_ID, id));
  bpf_prog_info info{};
  RING3_TRY(get_info(client, fd, info));
  return info;
}

std::string name_of(const bpf_prog_info& info) { return std::string(info.name, ::strnlen(info.name, sizeof info.name)); }

}  // namespace

Result<ProgramView> view_program(control::Client& client, std::uint32_t id) {
  const OwnedFd fd = RING3_TRY(open_by_id(client, BPF_PROG_GET_FD_BY_ID, id));
  bpf_prog_info info{};
  RING3_TRY(get_info(client, fd, info));
  Images images(info);
  info = images.question();
  RING3_TRY(get_info(client, fd, info));
  const std::shared_ptr<const btf::Btf> btf = types_of(client, info.btf_id);
  ProgramView view;
  view.id = id;
  view.name = name_of(info);
  add_functions(view, images, btf.get());
  add_lines(view, images, btf.get());
  view.insns = std::move(images.insns);
  view.machine_code = std::move(images.code);
  return view;
}

Result<std::vector<std::uint32_t>> find_programs(control::Client& client, std::string_view name) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc{} && end == name.data() + name.size()) return std::vector<std::uint32_t>{number};
  std::vector<std::uint32_t> found;
  for (std::uint32_t id = 0;;) {
    bpf_attr attr = empty_attr();
    attr.start_id = id;
    const long code = client.bpf(BPF_PROG_GET_NEXT_ID, &attr, sizeof attr);
    if (code == to_syscall(Errno::kNoEnt)) return found;
    if (code < 0) return static_cast<Errno>(-code);
    id = attr.next_id;
    const Result<bpf_prog_info> info = identity(client, id);
    // A program may go between the two commands.
    if (info.ok() && name_of(*info) == name) found.push_back(id);
  }
}

}  // namespace ring3::cli
