// Links (behaviour.md A.5, D.4), and the older ways to attach, which this host has no places for.
#include <algorithm>

#include "attach/hook.h"
#include "base/try.h"
#include "iter/iter_link.h"
#include "struct_ops/ops_link.h"
#include "syscall/attach_names.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
Result<void> check_runnable(Call& call, const prog::Program& program) {
  if (program.runnable()) return {};
  call.explain("the program was verified only: this host lacks something it needs");
  return Errno::kNotSupp;
}

Result<void> check_committed(Call& call, const Object& object) {
  const LoadSession* session = call.caller().session();
  if (session == nullptr || !session->open() || call.kernel().objects().published(object)) return {};
  call.explain("inside a load nothing takes effect before the commit: make a link, which is attached then");
  return Errno::kOpNotSupp;
}

Result<long> attach_and_give(Call& call, Ref<attach::Link> link) {
  RING3_TRY(call.admit(*link));
  if (LoadSession* session = call.caller().session(); session != nullptr && session->open()) {
    RING3_TRY(session->add_link(link));
    return call.give(std::move(link), Access::kReadWrite);
  }
  RING3_TRY(call.kernel().objects().reserve_id(*link));
  OwnedFd fd = RING3_TRY(call.kernel().descriptors().open(link, Access::kReadWrite));
  RING3_TRY(link->attach());
  const long number = RING3_TRY(call.caller().files().install(std::move(fd)));
  RING3_TRY(call.kernel().objects().publish(*link));
  link->give();
  return number;
}

namespace {

Result<long> create_struct_ops_link(Call& call, const uapi::bpf_attr& attr) {
  Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.link_create.map_fd)));
  return attach_and_give(
      call, RING3_TRY(struct_ops::create_link(std::move(open.map), attr.link_create.flags, call.birth())));
}

/// union bpf_iter_link_info of the ABI: which of the parts counts is the target's to say.
union IterScopeRecord {
  struct {
    std::uint32_t fd;
  } map;
  struct {
    std::uint32_t tid, pid, pid_fd;
  } task;
  std::uint64_t all[2];
};

/// What the client narrows the walk to; longer records than ours must end in zeros.
Result<iter::WalkScope> read_scope(Call& call, const uapi::bpf_attr& attr) {
  const std::uint64_t address = attr.link_create.iter_info;
  const std::uint32_t bytes = attr.link_create.iter_info_len;
  if ((address == 0) != (bytes == 0)) return Errno::kInval;
  constexpr std::uint32_t kPage = 4096;
  IterScopeRecord given{};
  given.all[0] = given.all[1] = 0;
  if (bytes > kPage) return Errno::kTooBig;
  if (bytes > sizeof given && !RING3_TRY(call.memory().is_zero(address + sizeof given, address + bytes))) return Errno::kTooBig;
  const std::size_t known = std::min<std::size_t>(bytes, sizeof given);
  if (known != 0) RING3_TRY(call.memory().read(address, std::as_writable_bytes(std::span(&given, 1)).first(known)));
  return iter::WalkScope{.map = nullptr, .tid = given.task.tid, .pid = given.task.pid, .map_fd = given.map.fd};
}

Result<long> create_iter_link(Call& call, const uapi::bpf_attr& attr) {
  Ref<prog::Program> program = RING3_TRY(call.program(static_cast<int>(attr.link_create.prog_fd)));
  if (program->type() != uapi::BPF_PROG_TYPE_TRACING || program->attach_type() != uapi::BPF_TRACE_ITER) return Errno::kInval;
  if (attr.link_create.target_fd != 0 || attr.link_create.flags != 0) return Errno::kInval;
  RING3_TRY(check_runnable(call, *program));
  iter::WalkScope scope = RING3_TRY(read_scope(call, attr));
  const model::IterTargetRow* row = iter::target_of(*program);
  if (row == nullptr) {
    call.explain("this runtime has no iterator of that name");
    return Errno::kNoEnt;
  }
  if (row->target == model::IterTarget::kMapElem) {
    if (scope.map_fd == 0) return Errno::kBadF;
    scope.map = RING3_TRY(call.map(static_cast<int>(scope.map_fd))).map;
  }
  return attach_and_give(call, RING3_TRY(iter::create_link(std::move(program), std::move(scope), call.birth())));
}

}  // namespace

Result<long> link_create(Call& call, uapi::bpf_attr& attr) {
  // What a replacement or a tracer attaches to, it says itself, whatever the attach type.
  if (attr.link_create.attach_type != uapi::BPF_STRUCT_OPS) {
    Result<Ref<prog::Program>> program = call.program(static_cast<int>(attr.link_create.prog_fd));
    if (program.ok() && program.value()->is_for_function()) return create_function_link(call, attr, std::move(program).value());
  }
  if (attr.link_create.attach_type == uapi::BPF_TRACE_ITER) return create_iter_link(call, attr);
  if (attach::find_hook_kind(attr.link_create.attach_type) != nullptr)
    return attach_and_give(call, RING3_TRY(make_hook_link(call, attr)));
  if (is_tree_type(call, attr.link_create.attach_type)) return attach_and_give(call, RING3_TRY(make_tree_link(call, attr)));
  if (attr.link_create.attach_type == uapi::BPF_STRUCT_OPS) return create_struct_ops_link(call, attr);
  RING3_TRY(call.program(static_cast<int>(attr.link_create.prog_fd)));
  call.explain("the host offers no attach point " +
               attach_type_name(*call.kernel().services().program_host().host_btf()->btf(), attr.link_create.attach_type));
  return Errno::kInval;
}

Result<long> link_update(Call& call, uapi::bpf_attr& attr) {
  const auto& update = attr.link_update;
  if ((update.flags & ~static_cast<std::uint32_t>(uapi::BPF_F_REPLACE)) != 0) return Errno::kInval;
  const bool replace = (update.flags & uapi::BPF_F_REPLACE) != 0;
  const Ref<attach::Link> link = RING3_TRY(call.link(static_cast<int>(update.link_fd)));
  if (link->ops().update_map != nullptr) {
    Call::OpenMap next = RING3_TRY(call.map(static_cast<int>(update.new_map_fd)));
    Ref<Object> old;
    if (replace)
      old = RING3_TRY(call.map(static_cast<int>(update.old_map_fd))).map;
    else if (update.old_map_fd != 0)
      return Errno::kInval;
    RING3_TRY(check_committed(call, *next.map));
    RING3_TRY(link->update_map(std::move(next.map), std::move(old), update.flags));
    return 0L;
  }
  Ref<prog::Program> next = RING3_TRY(call.program(static_cast<int>(update.new_prog_fd)));
  Ref<Object> old;
  if (replace)
    old = RING3_TRY(call.program(static_cast<int>(update.old_prog_fd)));
  else if (update.old_prog_fd != 0)
    return Errno::kInval;
  if (link->ops().update_prog != nullptr) RING3_TRY(check_runnable(call, *next));
  RING3_TRY(check_committed(call, *next));
  if (attach::stands_in_chain(*link)) RING3_TRY(run_config_of(call, *next));
  RING3_TRY(link->update_prog(std::move(next), std::move(old), update.flags));
  return 0L;
}

Result<long> link_detach(Call& call, uapi::bpf_attr& attr) {
  const Ref<attach::Link> link = RING3_TRY(call.link(static_cast<int>(attr.link_detach.link_fd)));
  RING3_TRY(link->detach());
  return 0L;
}

Result<long> iter_create(Call& call, uapi::bpf_attr& attr) {
  if (attr.iter_create.flags != 0) return Errno::kInval;
  const Ref<attach::Link> link = RING3_TRY(call.link(static_cast<int>(attr.iter_create.link_fd)));
  if (!iter::is_iter_link(*link)) return Errno::kInval;
  KernelServices& services = call.kernel().services();
  auto session = RING3_TRY(iter::open_session(*link, services.program_host().host_btf()->btf()));
  OwnedFd reader = RING3_TRY(call.kernel().iterators().open(std::move(session)));
  return long{RING3_TRY(call.caller().files().install(std::move(reader)))};
}

Result<long> raw_tracepoint_open(Call& call, uapi::bpf_attr& attr) {
  const Ref<prog::Program> program = RING3_TRY(call.program(static_cast<int>(attr.raw_tracepoint.prog_fd)));
  switch (program->type()) {
    case uapi::BPF_PROG_TYPE_RAW_TRACEPOINT:
    case uapi::BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE: {
      const std::string name = RING3_TRY(call.memory().read_string(attr.raw_tracepoint.name, 128));
      call.explain("the host has no tracepoint " + name);
      return Errno::kNoEnt;
    }
    case uapi::BPF_PROG_TYPE_EXT:
    case uapi::BPF_PROG_TYPE_TRACING:
      if (program->is_for_function()) return open_function_link(call, attr, program);
      [[fallthrough]];
    default: call.explain("the host offers no attach point for programs of this type"); return Errno::kInval;
  }
}

}  // namespace ring3::syscall
