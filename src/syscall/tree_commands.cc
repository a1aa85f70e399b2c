// PROG_ATTACH, PROG_DETACH, PROG_QUERY and links at the nodes of a host's tree of hooks (behaviour.md D.5.7): what Linux does with
// cgroups. Clients name a node by a descriptor of the file that stands for it.
#include <algorithm>
#include <vector>

#include "attach/hook_tree.h"
#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

using attach::TreeKind;
using attach::TreeNode;

/// Errors: kBadF no descriptor, or of a file that is no node.
Result<std::shared_ptr<TreeNode>> find_node(Call& call, std::uint32_t fd) {
  OwnedFd open;
  const FileIdentity file = RING3_TRY(call.caller().files().identify(static_cast<int>(fd), open));
  auto node = call.kernel().hook_tree().find({file.device, file.inode});
  if (!node) {
    call.explain("the descriptor is of no node of this host's tree of hooks");
    return Errno::kBadF;
  }
  return node;
}

/// Errors: kInval of another type, or loaded for a hook where it may answer more; kPerm packets are the network administrator's;
/// kNotSupp it was verified only.
Result<Ref<prog::Program>> program_for(Call& call, std::uint32_t fd, const TreeKind& kind) {
  Ref<prog::Program> program = RING3_TRY(call.program(static_cast<int>(fd)));
  if (program->type() != static_cast<std::uint32_t>(kind.program)) return Errno::kInval;
  if (kind.program == uapi::BPF_PROG_TYPE_CGROUP_SKB) {
    if (!call.rights().net_admin && !call.rights().sys_admin) return Errno::kPerm;
    if (kind.attach == uapi::BPF_CGROUP_INET_INGRESS && program->attach_type() == uapi::BPF_CGROUP_INET_EGRESS) {
      call.explain("a program loaded for BPF_CGROUP_INET_EGRESS may answer what has no meaning at BPF_CGROUP_INET_INGRESS");
      return Errno::kInval;
    }
  }
  RING3_TRY(check_runnable(call, *program));
  return program;
}

/// HookTree::attach()'s errors in words.
Errno explain_refusal(Call& call, Errno error) {
  switch (error) {
    case Errno::kPerm:
      call.explain("programs at this node, or at one above it, are attached in a mode that does not allow this one beside or below them");
      break;
    case Errno::kTooBig: call.explain("64 programs are attached at this node, and no more may be"); break;
    case Errno::kNoEnt: call.explain("the program to replace is not attached at this node by itself, or the node was removed"); break;
    case Errno::kInval:
      call.explain("the program is attached at this node already, or BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI and BPF_F_REPLACE do not go together like this");
      break;
    default: break;
  }
  return error;
}

/// Copies what there is room for.
Result<void> copy_some(Call& call, std::uint64_t address, const std::vector<std::uint32_t>& items, std::size_t room) {
  if (address == 0 || room == 0) return {};
  return call.memory().write(address, std::as_bytes(std::span(items).first(room)));
}

}  // namespace

bool is_tree_type(Call& call, std::uint32_t attach_type) {
  return attach::find_tree_kind(attach_type) != nullptr && !call.kernel().hook_tree().empty();
}

Result<long> tree_attach(Call& call, uapi::bpf_attr& attr) {
  const TreeKind& kind = *attach::find_tree_kind(attr.attach_type);
  if ((attr.attach_flags & ~attach::kTreeFlags) != 0 || attr.relative_fd != 0 || attr.expected_revision != 0) return Errno::kInval;
  Ref<prog::Program> program = RING3_TRY(program_for(call, attr.attach_bpf_fd, kind));
  const auto node = RING3_TRY(find_node(call, attr.target_fd));
  constexpr std::uint32_t kReplaceOne = uapi::BPF_F_ALLOW_MULTI | uapi::BPF_F_REPLACE;
  Ref<prog::Program> replaced;
  if ((attr.attach_flags & kReplaceOne) == kReplaceOne) {
    replaced = RING3_TRY(call.program(static_cast<int>(attr.replace_bpf_fd)));
    if (replaced->type() != program->type()) return Errno::kInval;
  }
  RING3_TRY(check_committed(call, *program));
  const Result<void> done = call.kernel().hook_tree().attach(
      *node, kind, {.program = std::move(program), .replaced = replaced.get(), .flags = attr.attach_flags});
  return done.ok() ? Result<long>(0L) : Result<long>(explain_refusal(call, done.error()));
}

Result<long> tree_detach(Call& call, uapi::bpf_attr& attr) {
  const TreeKind& kind = *attach::find_tree_kind(attr.attach_type);
  if (attr.attach_flags != 0 || attr.relative_fd != 0 || attr.expected_revision != 0) return Errno::kInval;
  const auto node = RING3_TRY(find_node(call, attr.target_fd));
  // A descriptor of no such program counts as none: where one program is, it need not be named.
  Ref<prog::Program> program;
  if (auto named = call.program(static_cast<int>(attr.attach_bpf_fd));
      named.ok() && (*named)->type() == static_cast<std::uint32_t>(kind.program))
    program = std::move(*named);
  RING3_TRY(call.kernel().hook_tree().detach(*node, kind, program.get(), nullptr));
  return 0L;
}

Result<long> tree_query(Call& call, uapi::bpf_attr& attr) {
  const TreeKind& kind = *attach::find_tree_kind(attr.query.attach_type);
  if ((attr.query.query_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_QUERY_EFFECTIVE)) != 0) return Errno::kInval;
  const auto node = RING3_TRY(find_node(call, attr.query.target_fd));
  const bool effective = attr.query.query_flags != 0;
  // Where a program of an ancestor was attached and how is the ancestor's to say.
  if (effective && attr.query.prog_attach_flags != 0) return Errno::kInval;
  const attach::HookTree::View view = call.kernel().hook_tree().view(*node, kind, effective);
  const std::size_t wanted = attr.query.count, there = view.programs.size();
  attr.query.attach_flags = view.mode;
  attr.query.count = static_cast<std::uint32_t>(there);
  if (wanted == 0 || attr.query.prog_ids == 0 || there == 0) return 0L;
  const std::size_t room = std::min(wanted, there);
  RING3_TRY(copy_some(call, attr.query.prog_ids, view.programs, room));
  if (!effective) RING3_TRY(copy_some(call, attr.query.prog_attach_flags, view.flags, room));
  return room < there ? Result<long>(Errno::kNoSpc) : Result<long>(0L);
}

Result<Ref<attach::Link>> make_tree_link(Call& call, const uapi::bpf_attr& attr) {
  const auto& create = attr.link_create;
  const TreeKind& kind = *attach::find_tree_kind(create.attach_type);
  Ref<prog::Program> program = RING3_TRY(program_for(call, create.prog_fd, kind));
  if ((create.flags & ~static_cast<std::uint32_t>(uapi::BPF_F_PREORDER)) != 0) return Errno::kInval;
  auto node = RING3_TRY(find_node(call, create.target_fd));
  return attach::create_tree_link(call.kernel().hook_tree(), std::move(node), kind, std::move(program), create.flags, call.birth());
}

}  // namespace ring3::syscall
