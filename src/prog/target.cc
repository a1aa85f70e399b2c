#include "prog/target.h"

#include <fmt/format.h>

#include "base/try.h"
#include "model/iter_targets.h"
#include "prog/check.h"
#include "prog/program.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

Errno fail(verifier::LogSink& log, Errno e, std::string text) {
  text += '\n';
  log.write(text);
  return e;
}

const model::StructOpsType* find_ops(const model::Facts& facts, const btf::Btf* btf, btf::TypeId type) {
  for (const auto& ops : facts.struct_ops)
    if (ops->btf.get() == btf && ops->type == type) return ops.get();
  return nullptr;
}

/// The BTF object that holds attach_btf_id: the one named, else the host's.
Result<Ref<BtfObject>> target_btf(const LoadRequest& request, ProgramHost& host, verifier::LogSink& log) {
  if (!request.attach_target) return host.host_btf();
  if (request.attach_target->kind() != ObjectKind::kBtf) return Errno::kInval;
  auto btf = Ref<BtfObject>::share(static_cast<BtfObject*>(request.attach_target.get()));
  if (!btf->is_kernel()) return fail(log, Errno::kOpNotSupp, "attach_btf_obj_fd is not BTF of the host");
  return btf;
}

Result<void> check_member(const LoadRequest& request, const model::StructOpsType& ops, ProgramHost& host,
                          verifier::LogSink& log) {
  const std::uint32_t index = request.attach_type;
  if (index >= ops.members.size())
    return fail(log, Errno::kInval, fmt::format("attach to invalid member idx {} of struct {}", index, ops.name));
  const model::StructOpsMember& member = ops.members[index];
  if (member.proto == 0)
    return fail(log, Errno::kInval,
                fmt::format("attach to invalid member {}(@idx {}) of struct {}", member.name, index, ops.name));
  if (!member.supported)
    return fail(log, Errno::kNotSupp,
                fmt::format("attach to unsupported member {} of struct {}", member.name, ops.name));
  const bool sleepable = (request.flags & uapi::BPF_F_SLEEPABLE) != 0;
  if (sleepable && !member.sleepable_allowed)
    return fail(log, Errno::kInval,
                fmt::format("attach to unsupported member {} of struct {}: it takes no sleepable program", member.name, ops.name));
  Result<void> veto = host.check_struct_ops_member(ops, index, sleepable);
  if (!veto.ok())
    return fail(log, veto.error(),
                fmt::format("attach to unsupported member {} of struct {}", member.name, ops.name));
  return {};
}

Result<LoadTarget> find_struct_ops(const LoadRequest& request, const model::Facts& facts, ProgramHost& host,
                                   verifier::LogSink& log) {
  if (!is_gpl_compatible(request.license))
    return fail(log, Errno::kInval, "struct ops programs must have a GPL compatible license");
  Ref<BtfObject> btf = RING3_TRY(target_btf(request, host, log));
  const model::StructOpsType* ops =
      request.attach_btf_id != 0 ? find_ops(facts, btf->btf().get(), request.attach_btf_id) : nullptr;
  if (ops == nullptr)
    return fail(log, Errno::kNotSupp, fmt::format("attach_btf_id {} is not a supported struct", request.attach_btf_id));
  RING3_TRY(check_member(request, *ops, host, log));
  LoadTarget target;
  target.facts.kind = model::AttachTarget::Kind::kStructOpsMember;
  target.facts.btf = btf->btf();
  target.facts.type = request.attach_btf_id;
  target.facts.ops = ops;
  target.facts.member = request.attach_type;
  target.btf_object_id = btf->id();
  target.holder = btf;
  return target;
}

bool names_program(const LoadRequest& request) {
  return request.attach_target && request.attach_target->kind() == ObjectKind::kProg;
}

/// The verifier judges whether it has such a function, and of which kind.
LoadTarget program_function(const LoadRequest& request) {
  const auto& program = static_cast<const Program&>(*request.attach_target);
  LoadTarget target;
  target.facts.kind = model::AttachTarget::Kind::kProgramFunction;
  target.facts.program = program.facts();
  target.facts.btf = program.facts()->btf;
  target.facts.type = request.attach_btf_id;
  target.btf_object_id = program.btf() ? program.btf()->id() : 0;
  target.holder = request.attach_target;
  return target;
}

/// Tracing and LSM programs are verified for what they name; that this host has no such place is said after that.
Result<LoadTarget> find_function(const LoadRequest& request, ProgramHost& host, verifier::LogSink& log) {
  if (names_program(request)) return program_function(request);
  if (request.attach_btf_id == 0) return fail(log, Errno::kInval, "Tracing programs must provide btf_id");
  Ref<BtfObject> btf = RING3_TRY(target_btf(request, host, log));
  LoadTarget target;
  target.facts.kind = model::AttachTarget::Kind::kFunction;
  target.facts.btf = btf->btf();
  target.facts.type = request.attach_btf_id;
  target.btf_object_id = btf->id();
  target.holder = btf;
  return target;
}

}  // namespace

Result<LoadTarget> find_target(const LoadRequest& request, const model::Facts& facts, ProgramHost& host,
                               verifier::LogSink& log) {
  switch (request.prog_type) {
    case uapi::BPF_PROG_TYPE_STRUCT_OPS: return find_struct_ops(request, facts, host, log);
    case uapi::BPF_PROG_TYPE_TRACING:
    case uapi::BPF_PROG_TYPE_LSM: return find_function(request, host, log);
    case uapi::BPF_PROG_TYPE_EXT:
      if (names_program(request)) return program_function(request);
      if (request.attach_btf_id == 0) return fail(log, Errno::kInval, "Tracing programs must provide btf_id");
      return fail(log, Errno::kInval, "Cannot replace kernel functions");
    default: return LoadTarget{};
  }
}

Result<void> check_target_offered(const model::AttachTarget& target, std::uint32_t attach_type, verifier::LogSink& log) {
  if (target.kind != model::AttachTarget::Kind::kFunction) return {};
  const std::string_view name = target.btf->type(target.type)->name;
  if (attach_type == uapi::BPF_TRACE_ITER) {
    if (model::find_iter_target(name) != nullptr) return {};
    return fail(log, Errno::kNotSupp, fmt::format("{} is not an iterator of this runtime", name));
  }
  return fail(log, Errno::kNotSupp, fmt::format("{} is not an attach point of this host", name));
}

}  // namespace ring3::prog
