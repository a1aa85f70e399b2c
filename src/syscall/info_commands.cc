// OBJ_GET_INFO_BY_FD (behaviour.md 0.1.5, 0.3.2): one record per kind; pointers inside a record are buffers of
// the client whose length fields are in/out.
#include <algorithm>
#include <cstring>

#include "base/try.h"
#include "maps/value_area.h"
#include "prog/machine_code.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

template <typename Info>
Result<Info> read_info(Call& call, const uapi::bpf_attr& attr) {
  Info info;
  std::memset(static_cast<void*>(&info), 0, sizeof info);
  const std::size_t known = std::min<std::size_t>(attr.info.info_len, sizeof info);
  RING3_TRY(call.memory().read(attr.info.info, std::as_writable_bytes(std::span(&info, 1)).first(known)));
  return info;
}

template <typename Info>
Result<void> write_info(Call& call, uapi::bpf_attr& attr, const Info& info) {
  attr.info.info_len = static_cast<std::uint32_t>(std::min<std::size_t>(attr.info.info_len, sizeof info));
  return call.memory().write(attr.info.info, std::as_bytes(std::span(&info, 1)).first(attr.info.info_len));
}

template <typename Info>
Result<void> check_tail(Call& call, const uapi::bpf_attr& attr) {
  constexpr std::uint32_t kPage = 4096;
  if (attr.info.info_len > kPage) return Errno::kTooBig;
  if (attr.info.info_len <= sizeof(Info)) return {};
  const bool zero =
      RING3_TRY(call.memory().is_zero(attr.info.info + sizeof(Info), attr.info.info + attr.info.info_len));
  if (!zero) return Errno::kTooBig;
  return {};
}

void copy_name(char (&field)[16], const std::string& name) {
  std::memset(field, 0, sizeof field);
  std::memcpy(field, name.data(), std::min<std::size_t>(name.size(), sizeof field - 1));
}

std::uint32_t id_of(const Ref<prog::BtfObject>& btf) { return btf ? btf->id() : 0; }

/// SHA-256 of an array's elements, which nobody may change any more.
Result<void> map_hash(Call& call, const uapi::bpf_map_info& info, maps::Map& map) {
  if (info.hash == 0 && info.hash_size == 0) return {};
  if (info.hash == 0) return Errno::kInval;
  const sign::Bytes area = RING3_TRY(maps::value_area(map));
  if (info.hash_size != sizeof(sign::Sha256)) return Errno::kInval;
  if (!map.frozen()) return Errno::kPerm;
  const sign::Sha256 hash = RING3_TRY(sign::sha256(area));
  return call.memory().write(info.hash, std::as_bytes(std::span(hash)));
}

Result<long> map_info(Call& call, uapi::bpf_attr& attr, maps::Map& map) {
  RING3_TRY(check_tail<uapi::bpf_map_info>(call, attr));
  uapi::bpf_map_info info = RING3_TRY(read_info<uapi::bpf_map_info>(call, attr));
  RING3_TRY(map_hash(call, info, map));
  const maps::MapSpec& spec = map.spec();
  const std::uint64_t hash = info.hash;
  const std::uint32_t hash_size = info.hash_size;
  std::memset(static_cast<void*>(&info), 0, sizeof info);
  info.hash = hash;
  info.hash_size = hash_size;
  info.type = spec.type;
  info.id = map.id();
  info.key_size = spec.key_size;
  info.value_size = spec.value_size;
  info.max_entries = spec.max_entries;
  info.map_flags = spec.flags;
  info.map_extra = spec.extra;
  copy_name(info.name, spec.name);
  if (spec.btf) {
    info.btf_id = spec.btf_object_id;
    info.btf_key_type_id = spec.key_type;
    info.btf_value_type_id = spec.value_type;
  }
  info.btf_vmlinux_value_type_id = spec.kernel_value_type;
  // The BTF object that holds the kernel value type; libbpf and bpftool print through it.
  if (spec.kernel_value_type != 0) info.btf_vmlinux_id = id_of(call.kernel().services().program_host().host_btf());
  RING3_TRY(write_info(call, attr, info));
  return 0L;
}

/// An in/out array: the record's count says how much room there is, and becomes how much there would be.
template <typename T>
Result<void> copy_array(Call& call, std::uint64_t address, std::uint32_t& count, std::span<const T> items) {
  const std::size_t room = std::min<std::size_t>(count, items.size());
  count = static_cast<std::uint32_t>(items.size());
  if (room == 0) return {};
  return call.memory().write(address, std::as_bytes(items.first(room)));
}

/// Records as Linux gives them: the first `size` bytes of each stored record.
std::vector<std::byte> trim_records(const std::vector<std::byte>& stored, std::uint32_t stored_size, std::size_t size) {
  std::vector<std::byte> out;
  if (stored_size == 0) return out;
  for (std::size_t at = 0; at + stored_size <= stored.size(); at += stored_size) {
    const std::size_t bytes = std::min<std::size_t>(size, stored_size);
    out.insert(out.end(), stored.begin() + static_cast<std::ptrdiff_t>(at),
               stored.begin() + static_cast<std::ptrdiff_t>(at + bytes));
    out.resize(out.size() + (size - bytes));
  }
  return out;
}

Result<void> copy_records(Call& call, std::uint64_t address, std::uint32_t& count, std::uint32_t& record_size,
                          const std::vector<std::byte>& stored, std::uint32_t stored_size, std::uint32_t size) {
  const std::vector<std::byte> records = trim_records(stored, stored_size, size);
  const std::size_t total = records.size() / size;
  const std::size_t room = std::min<std::size_t>(count, total);
  count = static_cast<std::uint32_t>(total);
  record_size = size;
  if (room == 0) return {};
  return call.memory().write(address, std::span(records).first(room * size));
}

/// A client that asks for records must know their size.
Result<void> check_record_sizes(const uapi::bpf_prog_info& info) {
  const struct {
    std::uint32_t count, given, wanted;
  } rows[] = {{info.nr_func_info, info.func_info_rec_size, sizeof(uapi::bpf_func_info)},
              {info.nr_line_info, info.line_info_rec_size, sizeof(uapi::bpf_line_info)},
              {info.nr_jited_line_info, info.jited_line_info_rec_size, sizeof(std::uint64_t)}};
  for (const auto& row : rows)
    if ((row.count != 0 || row.given != 0) && row.given != row.wanted) return Errno::kInval;
  return {};
}

Result<void> prog_identity(Call& call, uapi::bpf_prog_info& info, const prog::Program& program) {
  const prog::ProgramAbout& about = program.about();
  info.type = about.type;
  info.id = program.id();
  std::copy(about.tag.begin(), about.tag.end(), info.tag);
  info.load_time = program.birth().time_ns;
  info.created_by_uid = program.birth().uid;
  info.gpl_compatible = about.gpl_compatible ? 1 : 0;
  copy_name(info.name, about.name);
  std::vector<std::uint32_t> map_ids;
  for (const Ref<maps::Map>& map : program.maps()) map_ids.push_back(map->id());
  RING3_TRY(copy_array<std::uint32_t>(call, info.map_ids, info.nr_map_ids, map_ids));
  info.ifindex = 0;
  info.netns_dev = info.netns_ino = 0;
  info.btf_id = id_of(program.btf());
  info.attach_btf_id = about.attach_btf_id;
  // Of a program's function, as long as the target is held.
  info.attach_btf_obj_id = program.is_for_function() && !program.load_target() ? 0 : about.attach_btf_object_id;
  info.verified_insns = about.verified_insns;
  const exec::RunTotals totals = program.run_totals();
  info.run_cnt = totals.runs;
  info.run_time_ns = totals.run_time_ns;
  info.recursion_misses = totals.recursion_misses;
  return {};
}

/// The records' instruction numbers, in the instructions that are shown.
std::vector<std::byte> as_shown(const prog::ProgramAbout& about, std::vector<std::byte> records, std::uint32_t record_size) {
  for (std::size_t at = 0; record_size >= sizeof(std::uint32_t) && at + record_size <= records.size(); at += record_size) {
    std::uint32_t idx = 0;
    std::memcpy(&idx, records.data() + at, sizeof idx);
    if (idx < about.shown_start.size()) idx = about.shown_start[idx];
    std::memcpy(records.data() + at, &idx, sizeof idx);
  }
  return records;
}

/// Instructions and records; only for callers with the right to see them.
Result<void> prog_images(Call& call, uapi::bpf_prog_info& info, const prog::Program& program) {
  const prog::ProgramAbout& about = program.about();
  const std::span<const std::byte> xlated = std::as_bytes(std::span(about.xlated));
  RING3_TRY(copy_array<std::byte>(call, info.xlated_prog_insns, info.xlated_prog_len, xlated));
  RING3_TRY(copy_records(call, info.func_info, info.nr_func_info, info.func_info_rec_size,
                         as_shown(about, about.func_info, about.func_info_rec_size),
                         about.func_info_rec_size, sizeof(uapi::bpf_func_info)));
  RING3_TRY(copy_records(call, info.line_info, info.nr_line_info, info.line_info_rec_size,
                         as_shown(about, about.line_info, about.line_info_rec_size),
                         about.line_info_rec_size, sizeof(uapi::bpf_line_info)));
  const std::vector<prog::ProgramTag> tags(std::max<std::size_t>(about.subprog_starts.size(), 1), about.tag);
  return copy_array<prog::ProgramTag>(call, info.prog_tags, info.nr_prog_tags, tags);
}

/// Machine code, with the addresses it has in the host.
Result<void> jited_image(Call& call, uapi::bpf_prog_info& info, const prog::MachineCode& code) {
  RING3_TRY(copy_array<std::byte>(call, info.jited_prog_insns, info.jited_prog_len, code.bytes));
  RING3_TRY(copy_array<std::uint64_t>(call, info.jited_ksyms, info.nr_jited_ksyms, code.symbols));
  RING3_TRY(copy_array<std::uint32_t>(call, info.jited_func_lens, info.nr_jited_func_lens, code.lengths));
  return copy_array<std::uint64_t>(call, info.jited_line_info, info.nr_jited_line_info, code.line_addresses);
}

Result<long> prog_info(Call& call, uapi::bpf_attr& attr, const prog::Program& program) {
  RING3_TRY(check_tail<uapi::bpf_prog_info>(call, attr));
  uapi::bpf_prog_info info = RING3_TRY(read_info<uapi::bpf_prog_info>(call, attr));
  RING3_TRY(check_record_sizes(info));
  RING3_TRY(prog_identity(call, info, program));
  info.jited_line_info_rec_size = sizeof(std::uint64_t);
  if (call.rights().has_bpf()) {
    RING3_TRY(prog_images(call, info, program));
    RING3_TRY(jited_image(call, info, prog::machine_code(program)));
  } else {
    info.jited_prog_len = info.nr_jited_ksyms = info.nr_jited_func_lens = info.nr_jited_line_info = 0;
    info.xlated_prog_len = info.nr_func_info = info.nr_line_info = info.nr_prog_tags = 0;
    info.func_info_rec_size = sizeof(uapi::bpf_func_info);
    info.line_info_rec_size = sizeof(uapi::bpf_line_info);
  }
  RING3_TRY(write_info(call, attr, info));
  return 0L;
}

Result<long> btf_info(Call& call, uapi::bpf_attr& attr, const prog::BtfObject& object) {
  RING3_TRY(check_tail<uapi::bpf_btf_info>(call, attr));
  uapi::bpf_btf_info info = RING3_TRY(read_info<uapi::bpf_btf_info>(call, attr));
  if ((info.name == 0) != (info.name_len == 0)) return Errno::kInval;
  info.id = object.id();
  info.kernel_btf = object.is_kernel() ? 1 : 0;
  RING3_TRY(copy_array<std::byte>(call, info.btf, info.btf_size, object.btf()->blob()));
  const std::uint32_t room = info.name_len;
  const std::string& name = object.name();
  info.name_len = static_cast<std::uint32_t>(name.size());
  bool cut = false;
  if (room != 0) {
    cut = room < name.size() + 1;
    std::string given = name.substr(0, room - 1);
    given.push_back('\0');
    RING3_TRY(call.memory().write(info.name, std::as_bytes(std::span(given))));
  }
  RING3_TRY(write_info(call, attr, info));
  if (cut) return Errno::kNoSpc;
  return 0L;
}

Result<long> link_info(Call& call, uapi::bpf_attr& attr, const attach::Link& link) {
  RING3_TRY(check_tail<uapi::bpf_link_info>(call, attr));
  uapi::bpf_link_info info = RING3_TRY(read_info<uapi::bpf_link_info>(call, attr));
  const std::uint64_t name_buffer = info.iter.target_name;
  const std::uint32_t name_room = info.iter.target_name_len;
  const std::string_view name = link.ops().target_name != nullptr ? link.ops().target_name(link) : std::string_view();
  if (!name.empty() && (name_buffer == 0) != (name_room == 0)) return Errno::kInval;
  link.fill_info(info);
  bool cut = false;
  if (!name.empty()) {
    info.iter.target_name_len = static_cast<std::uint32_t>(name.size() + 1);
    cut = name_room != 0 && name_room < name.size() + 1;
    std::string given(name.substr(0, name_room == 0 ? 0 : name_room - 1));
    given.push_back('\0');
    if (name_room != 0) RING3_TRY(call.memory().write(name_buffer, std::as_bytes(std::span(given))));
  }
  if (cut) return Errno::kNoSpc;
  RING3_TRY(write_info(call, attr, info));
  return 0L;
}

}  // namespace

Result<long> obj_get_info_by_fd(Call& call, uapi::bpf_attr& attr) {
  const Result<OpenObject> open = call.object(static_cast<int>(attr.info.bpf_fd));
  if (!open.ok()) return open.error() == Errno::kBadF ? Errno::kBadFd : open.error();
  Object& object = *open->object;
  switch (object.kind()) {
    case ObjectKind::kMap: return map_info(call, attr, static_cast<maps::Map&>(object));
    case ObjectKind::kProg: return prog_info(call, attr, static_cast<prog::Program&>(object));
    case ObjectKind::kBtf: return btf_info(call, attr, static_cast<prog::BtfObject&>(object));
    case ObjectKind::kLink: return link_info(call, attr, static_cast<attach::Link&>(object));
    case ObjectKind::kToken:
    case ObjectKind::kEvents:
    case ObjectKind::kStats: return Errno::kInval;
  }
  return Errno::kInval;
}

}  // namespace ring3::syscall
