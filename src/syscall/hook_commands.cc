// PROG_ATTACH, PROG_DETACH, PROG_QUERY and links at the ordered hooks a host offers (behaviour.md D.5).
#include <algorithm>
#include <vector>

#include "attach/hook.h"
#include "base/try.h"
#include "syscall/attach_names.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

using attach::HookKind;
using attach::HookPoint;

/// Errors: kInval an attach type whose hook is the kernel's own; kNoDev the host has no such device, or not this point.
Result<std::shared_ptr<HookPoint>> find_point(Call& call, std::uint32_t attach_type, std::uint32_t ifindex) {
  const std::string name = attach_type_name(*call.kernel().services().program_host().host_btf()->btf(), attach_type);
  if (attach::find_hook_kind(attach_type) == nullptr) {
    call.explain("the host offers no attach point " + name);
    return Errno::kInval;
  }
  auto point = call.kernel().hooks().find(attach_type, ifindex);
  if (!point) {
    call.explain("the host offers no attach point " + name + " at device " + std::to_string(ifindex));
    return Errno::kNoDev;
  }
  return point;
}

Result<Ref<prog::Program>> program_of(Call& call, int fd, std::uint32_t type) {
  Ref<prog::Program> program = RING3_TRY(call.program(fd));
  if (program->type() != type) return Errno::kInval;
  RING3_TRY(check_runnable(call, *program));
  return program;
}

/// What PROG_ATTACH and its like are about. Errors: kInval no ordered hook has this attach type, or links alone hold what is there.
Result<const HookKind*> ordered_kind(Call& call, std::uint32_t attach_type) {
  const HookKind* const kind = attach::find_hook_kind(attach_type);
  if (kind == nullptr) return find_point(call, attach_type, 0).error();
  if (!kind->is_alone) return kind;
  call.explain("programs at " + attach_type_name(*call.kernel().services().program_host().host_btf()->btf(), attach_type) + " are held by links");
  return Errno::kInval;
}

/// Links alone hold what is in a chain, but who runs before whom can be asked.
Result<std::shared_ptr<HookPoint>> point_to_query(Call& call, std::uint32_t attach_type, std::uint32_t ifindex) {
  if (auto point = call.kernel().hooks().find(attach_type, ifindex); point && point->chains()) return point;
  RING3_TRY(ordered_kind(call, attach_type));
  return find_point(call, attach_type, ifindex);
}

/// What a position is relative to: a link or a program, by descriptor or by id. type 0: any.
Result<attach::Relative> relative_to(Call& call, std::uint32_t flags, std::uint32_t fd_or_id, std::uint32_t type) {
  const bool by_id = (flags & uapi::BPF_F_ID) != 0;
  attach::Relative to;
  if ((flags & uapi::BPF_F_LINK_ATTACH) != 0) {
    Ref<attach::Link> link = by_id ? ref_cast<attach::Link>(RING3_TRY(call.find_by_id(ObjectKind::kLink, fd_or_id)))
                                   : RING3_TRY(call.link(static_cast<int>(fd_or_id)));
    Ref<Object> target = link->target();
    if (!target || target->kind() != ObjectKind::kProg) return Errno::kInval;
    to.program = ref_cast<prog::Program>(std::move(target));
    to.link = link.get();
    to.keep = std::move(link);
  } else if (by_id || fd_or_id != 0) {
    to.program = by_id ? ref_cast<prog::Program>(RING3_TRY(call.find_by_id(ObjectKind::kProg, fd_or_id)))
                       : RING3_TRY(call.program(static_cast<int>(fd_or_id)));
  }
  if (to.program && type != 0 && to.program->type() != type) return Errno::kInval;
  return to;
}

/// Copies what there is room for.
template <typename T>
Result<void> copy_some(Call& call, std::uint64_t address, const std::vector<T>& items, std::size_t room) {
  if (address == 0 || room == 0) return {};
  return call.memory().write(address, std::as_bytes(std::span(items).first(room)));
}

}  // namespace

Result<attach::RunConfig> run_config_of(Call& call, const prog::Program& program) {
  std::string why;
  Result<attach::RunConfig> config = attach::read_run_config(program, why);
  if (!config.ok()) call.explain(why);
  return config;
}

Result<Ref<attach::Link>> make_hook_link(Call& call, const uapi::bpf_attr& attr) {
  const auto& create = attr.link_create;
  const HookKind* kind = attach::find_hook_kind(create.attach_type);
  Ref<prog::Program> program = RING3_TRY(program_of(call, static_cast<int>(create.prog_fd), static_cast<std::uint32_t>(kind->program)));
  auto point = RING3_TRY(find_point(call, create.attach_type, create.target_ifindex));
  attach::OrderWish wish;
  wish.flags = create.flags;
  if (kind->is_alone) {
    // Programs for frames on their way out of a device map or to another CPU.
    if (program->attach_type() == uapi::BPF_XDP_DEVMAP || program->attach_type() == uapi::BPF_XDP_CPUMAP) return Errno::kInval;
    if (point->chains()) wish.config = RING3_TRY(run_config_of(call, *program));
    return attach::create_hook_link(std::move(point), std::move(program), std::move(wish), call.birth());
  }
  if ((create.flags & uapi::BPF_F_REPLACE) != 0) return Errno::kInval;
  wish.revision = create.tcx.expected_revision;
  wish.to = RING3_TRY(relative_to(call, create.flags, create.tcx.relative_fd, program->type()));
  return attach::create_hook_link(std::move(point), std::move(program), std::move(wish), call.birth());
}

Result<long> prog_attach(Call& call, uapi::bpf_attr& attr) {
  if (is_tree_type(call, attr.attach_type)) return tree_attach(call, attr);
  const HookKind* kind = RING3_TRY(ordered_kind(call, attr.attach_type));
  if ((attr.attach_flags & ~attach::kOrderFlags) != 0) return Errno::kInval;
  const auto type = static_cast<std::uint32_t>(kind->program);
  Ref<prog::Program> program = RING3_TRY(program_of(call, static_cast<int>(attr.attach_bpf_fd), type));
  const auto point = RING3_TRY(find_point(call, attr.attach_type, attr.target_ifindex));
  Ref<prog::Program> replaced;
  if ((attr.attach_flags & uapi::BPF_F_REPLACE) != 0)
    replaced = RING3_TRY(program_of(call, static_cast<int>(attr.replace_bpf_fd), type));
  const attach::Relative to = RING3_TRY(relative_to(call, attr.attach_flags, attr.relative_fd, type));
  RING3_TRY(check_committed(call, *program));
  RING3_TRY(point->list().attach(std::move(program), nullptr, replaced.get(), attr.attach_flags, to, attr.expected_revision));
  return 0L;
}

Result<long> prog_detach(Call& call, uapi::bpf_attr& attr) {
  if (is_tree_type(call, attr.attach_type)) return tree_detach(call, attr);
  const HookKind* kind = RING3_TRY(ordered_kind(call, attr.attach_type));
  if ((attr.attach_flags & ~attach::kOrderFlags) != 0) return Errno::kInval;
  const auto type = static_cast<std::uint32_t>(kind->program);
  Ref<prog::Program> program;
  if (attr.attach_bpf_fd != 0) program = RING3_TRY(program_of(call, static_cast<int>(attr.attach_bpf_fd), type));
  const auto point = RING3_TRY(find_point(call, attr.attach_type, attr.target_ifindex));
  if ((attr.attach_flags & uapi::BPF_F_REPLACE) != 0) return Errno::kInval;
  const attach::Relative to = RING3_TRY(relative_to(call, attr.attach_flags, attr.relative_fd, program ? type : 0));
  RING3_TRY(point->list().detach(program.get(), nullptr, attr.attach_flags, to, attr.expected_revision));
  return 0L;
}

Result<long> prog_query(Call& call, uapi::bpf_attr& attr) {
  if (!call.rights().net_admin && !call.rights().sys_admin) return Errno::kPerm;
  if (is_tree_type(call, attr.query.attach_type)) return tree_query(call, attr);
  const auto point = RING3_TRY(point_to_query(call, attr.query.attach_type, attr.query.target_ifindex));
  if (attr.query.query_flags != 0 || attr.query.attach_flags != 0) return Errno::kInval;
  const attach::OrderedList::View view = point->list().view();
  const std::size_t wanted = attr.query.count;
  attr.query.revision = view.revision;
  attr.query.count = static_cast<std::uint32_t>(view.entries.size());
  if (wanted == 0 || attr.query.prog_ids == 0 || view.entries.empty()) return 0L;
  std::vector<std::uint32_t> programs, links;
  for (const attach::OrderedEntry& entry : view.entries) {
    programs.push_back(entry.program->id());
    links.push_back(entry.link_id);
  }
  const std::vector<std::uint32_t> none(view.entries.size());
  const std::size_t room = std::min(wanted, view.entries.size());
  RING3_TRY(copy_some(call, attr.query.prog_ids, programs, room));
  RING3_TRY(copy_some(call, attr.query.prog_attach_flags, none, room));
  RING3_TRY(copy_some(call, attr.query.link_ids, links, room));
  RING3_TRY(copy_some(call, attr.query.link_attach_flags, none, room));
  if (room < view.entries.size()) return Errno::kNoSpc;
  return 0L;
}

}  // namespace ring3::syscall
