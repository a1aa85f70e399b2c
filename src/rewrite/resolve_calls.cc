// Calls become indices into the program's own tables, so that a tier never searches.
#include <array>

#include "base/try.h"
#include "model/hidden_args.h"
#include "model/kernel_kfuncs.h"
#include "model/program_facts.h"
#include "rewrite/packet_record.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {

namespace {

/// Numbers that mean another function where the context is a packet.
std::uint32_t of_type(std::uint32_t id, std::uint32_t prog_type) {
  const bool is_redirect = id == uapi::BPF_FUNC_redirect, is_event = id == uapi::BPF_FUNC_perf_event_output;
  switch (prog_type) {
    case uapi::BPF_PROG_TYPE_XDP: return is_redirect ? kXdpRedirectHelper : is_event ? kFrameEventHelper : id;
    case uapi::BPF_PROG_TYPE_SOCKET_FILTER:
    case uapi::BPF_PROG_TYPE_SCHED_CLS:
    case uapi::BPF_PROG_TYPE_SCHED_ACT:
    case uapi::BPF_PROG_TYPE_CGROUP_SKB:
    case uapi::BPF_PROG_TYPE_LWT_IN:
    case uapi::BPF_PROG_TYPE_LWT_OUT:
    case uapi::BPF_PROG_TYPE_LWT_XMIT: return is_event ? kPacketEventHelper : id;
    default: return id;
  }
}

}  // namespace

Result<std::uint32_t> helper_index(Rewriting& r, std::uint32_t idx, std::uint32_t id) {
  const model::AttachTarget& target = r.in.program.target;
  const bool replaces = r.in.program.prog_type == uapi::BPF_PROG_TYPE_EXT && target.program != nullptr;
  id = of_type(id, replaces ? target.program->acts_as : r.in.program.prog_type);
  std::vector<HelperCall>& helpers = r.out.helpers;
  for (std::uint32_t i = 0; i < helpers.size(); ++i)
    if (helpers[i].id == id) return i;
  const HelperCall* helper = r.in.find_helper != nullptr ? r.in.find_helper(id) : nullptr;
  if (helper == nullptr)
    return r.refuse(Errno::kInval, idx, "helper #" + std::to_string(id) + " is not provided by this host");
  helpers.push_back(*helper);
  return static_cast<std::uint32_t>(helpers.size() - 1);
}

namespace {

struct ReturnShape {
  std::uint8_t bytes;
  bool is_signed;
};

/// How wide a kfunc's result is, by the prototype in BTF. Pointers and what BTF does not tell: 8 bytes.
ReturnShape return_shape(const model::Kfunc& kfunc) {
  if (kfunc.btf == nullptr) return {8, false};
  const btf::Type* func = kfunc.btf->type(kfunc.func);
  const btf::Type* proto = func != nullptr ? kfunc.btf->type(func->type) : nullptr;
  if (proto == nullptr || proto->kind != btf::Kind::kFuncProto) return {8, false};
  const btf::TypeId ret = kfunc.btf->skip_modifiers(proto->type);
  if (ret == btf::kVoid) return {0, false};
  const btf::Type* type = kfunc.btf->type(ret);
  const auto size = kfunc.btf->size_of(ret);
  if (type == nullptr || !size || *size > 8) return {8, false};
  const auto integer = kfunc.btf->integer(ret);
  const bool is_enum = type->kind == btf::Kind::kEnum || type->kind == btf::Kind::kEnum64;
  return {static_cast<std::uint8_t>(*size), integer ? integer->is_signed : is_enum && type->kind_flag};
}

/// Functions that work on objects of the program's own types: a host's own of such a name would not know the types.
bool needs_objects(const model::Kfunc& kfunc) {
  const model::KernelKfunc* row = model::find_kernel_kfunc(kfunc.name);
  return row != nullptr && row->special >= model::KfuncSpecial::kObjNew && row->special <= model::KfuncSpecial::kRbtreeFirst;
}

bool is_throw(const model::Kfunc& kfunc) {
  const model::KernelKfunc* row = model::find_kernel_kfunc(kfunc.name);
  return row != nullptr && row->special == model::KfuncSpecial::kThrow;
}

Result<KfuncCall> kfunc_call(Rewriting& r, std::uint32_t idx, std::uint32_t index) {
  if (index >= r.in.facts.kfuncs.size()) return r.refuse(Errno::kInval, idx, "a kfunc that was not resolved");
  const model::Kfunc& kfunc = r.in.facts.kfuncs[index];
  if (needs_objects(kfunc)) return r.refuse(Errno::kNotSupp, idx, "kfunc " + kfunc.name + " is not the runtime's own");
  if (is_throw(kfunc)) return KfuncCall{.name = kfunc.name, .address = nullptr, .ret_bytes = 0, .ret_signed = false, .throws = true};
  if (kfunc.address == nullptr)
    return r.refuse(Errno::kInval, idx, "kfunc " + kfunc.name + " has no address");
  const ReturnShape ret = return_shape(kfunc);
  return KfuncCall{.name = kfunc.name, .address = kfunc.address, .ret_bytes = ret.bytes, .ret_signed = ret.is_signed};
}

/// Ids of Linux's own functions in HelperCall, behind those of helpers.
constexpr std::uint32_t kFirstOwnId = 0x10000;

/// One of Linux's own functions, which exec/ implements: called like a helper, with the run.
Result<std::uint32_t> own_function_index(Rewriting& r, std::uint32_t idx, const model::Kfunc& kfunc,
                                         const model::KernelKfunc& row) {
  if (kfunc.address == nullptr) return r.refuse(Errno::kInval, idx, "kfunc " + kfunc.name + " has no address");
  const auto id = kFirstOwnId + static_cast<std::uint32_t>(&row - model::kernel_kfuncs().data());
  std::vector<HelperCall>& helpers = r.out.helpers;
  for (std::uint32_t i = 0; i < helpers.size(); ++i)
    if (helpers[i].id == id) return i;
  helpers.push_back({id, row.name.data(), reinterpret_cast<HelperFn>(kfunc.address)});
  return static_cast<std::uint32_t>(helpers.size() - 1);
}

void load_wide(std::vector<isa::Insn>& out, std::uint8_t reg, std::uint64_t value) {
  const auto imm = static_cast<std::int64_t>(value);
  out.push_back({.op = isa::Op::kLdImm64, .bits = 64, .size = 0, .src_is_reg = false, .dst = reg, .src = 0, .off = 0,
                 .jump = 0, .imm = imm});
  out.push_back({.op = isa::Op::kLdImm64Hi, .bits = 64, .size = 0, .src_is_reg = false, .dst = 0, .src = 0, .off = 0,
                 .jump = 0, .imm = 0});
}

void load_small(std::vector<isa::Insn>& out, std::uint8_t reg, std::uint32_t value) {
  out.push_back({.op = isa::Op::kMov, .bits = 64, .size = 0, .src_is_reg = false, .dst = reg, .src = 0, .off = 0,
                 .jump = 0, .imm = value});
}

/// The call with what the program does not pass itself in front of it (model/hidden_args.h).
Result<void> call_own_function(Rewriting& r, std::uint32_t idx, const model::Kfunc& kfunc) {
  const model::KernelKfunc* row = model::find_kernel_kfunc(kfunc.name);
  if (row == nullptr) return r.refuse(Errno::kInval, idx, "kfunc " + kfunc.name + " is none of Linux's own");
  isa::Insn call = r.copy.at(idx);
  call.op = isa::Op::kCallHelper;
  call.imm = RING3_TRY(own_function_index(r, idx, kfunc, *row));
  call.off = 0;
  const model::HiddenArgs* hidden = model::hidden_args(row->special);
  if (hidden == nullptr) {
    r.copy.at(idx) = call;
    return {};
  }
  const verifier::InsnFacts& facts = r.facts(idx);
  std::vector<isa::Insn> sequence;
  if (hidden->type_reg != 0) {
    if (facts.object >= r.in.objects.size())
      return r.refuse(Errno::kInval, idx, "a call of " + kfunc.name + " on an object of no type");
    load_wide(sequence, hidden->type_reg, reinterpret_cast<std::uintptr_t>(r.in.objects[facts.object]));
  }
  if (hidden->node_off_reg != 0) load_small(sequence, hidden->node_off_reg, facts.node_off);
  if (hidden->read_only_reg != 0) load_small(sequence, hidden->read_only_reg, facts.dynptr_read_only ? 1 : 0);
  if (hidden->shown_reg != 0) load_small(sequence, hidden->shown_reg, facts.shown_map ? 1 : 0);
  sequence.push_back(call);
  r.copy.replace(idx, sequence);
  return {};
}

/// bpf_kptr_xchg of a weak slot: a function of its own, which learns the type.
Result<void> exchange_weak(Rewriting& r, std::uint32_t idx) {
  isa::Insn call = r.copy.at(idx);
  call.imm = RING3_TRY(helper_index(r, idx, kWeakExchangeHelper));
  std::vector<isa::Insn> sequence;
  load_wide(sequence, 3, reinterpret_cast<std::uintptr_t>(r.facts(idx).weak));
  sequence.push_back(call);
  r.copy.replace(idx, sequence);
  return {};
}

inline constexpr std::uint32_t kUnused = UINT32_MAX;

/// numbers: per kfunc of the verified program its index in the result, kUnused until live code calls it.
Result<std::uint32_t> kfunc_index(Rewriting& r, std::uint32_t idx, std::vector<std::uint32_t>& numbers) {
  const std::uint32_t verified = r.facts(idx).kfunc;
  if (verified >= numbers.size()) return r.refuse(Errno::kInval, idx, "a kfunc call that was not resolved");
  if (numbers[verified] == kUnused) {
    r.out.kfuncs.push_back(RING3_TRY(kfunc_call(r, idx, r.in.verified.kfuncs[verified].index)));
    numbers[verified] = static_cast<std::uint32_t>(r.out.kfuncs.size() - 1);
  }
  return std::uint32_t{numbers[verified]};
}

/// A pointer under another type: the same address.
bool is_cast(const Rewriting& r, std::uint32_t idx) {
  if (r.copy.at(idx).op != isa::Op::kCallKfunc) return false;
  const std::uint32_t verified = r.facts(idx).kfunc;
  if (verified >= r.in.verified.kfuncs.size()) return false;
  const std::uint32_t index = r.in.verified.kfuncs[verified].index;
  const model::KernelKfunc* row = index < r.in.facts.kfuncs.size() ? model::find_kernel_kfunc(r.in.facts.kfuncs[index].name) : nullptr;
  return row != nullptr && (row->special == model::KfuncSpecial::kRdonlyCast || row->special == model::KfuncSpecial::kCastToKernCtx);
}

/// Null: a call of something else, or of a host's function.
const model::Kfunc* own_function(const Rewriting& r, std::uint32_t idx) {
  if (r.copy.at(idx).op != isa::Op::kCallKfunc) return nullptr;
  const std::uint32_t verified = r.facts(idx).kfunc;
  if (verified >= r.in.verified.kfuncs.size()) return nullptr;
  const std::uint32_t index = r.in.verified.kfuncs[verified].index;
  return index < r.in.facts.kfuncs.size() && r.in.facts.kfuncs[index].with_run ? &r.in.facts.kfuncs[index] : nullptr;
}

}  // namespace

Result<void> resolve_calls(Rewriting& r) {
  std::vector<std::uint32_t> kfunc_numbers(r.in.verified.kfuncs.size(), kUnused);
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx) || r.copy.replaced(idx)) continue;
    isa::Insn& insn = r.copy.at(idx);
    if (insn.op == isa::Op::kCallHelper && r.facts(idx).weak != nullptr) {
      RING3_TRY(exchange_weak(r, idx));
    } else if (insn.op == isa::Op::kCallHelper) {
      insn.imm = RING3_TRY(helper_index(r, idx, static_cast<std::uint32_t>(insn.imm)));
    } else if (is_cast(r, idx)) {
      insn = isa::Insn{.op = isa::Op::kMov, .bits = 64, .src_is_reg = true, .dst = 0, .src = 1};
    } else if (const model::Kfunc* own = own_function(r, idx)) {
      RING3_TRY(call_own_function(r, idx, *own));
    } else if (insn.op == isa::Op::kCallKfunc) {
      insn.imm = RING3_TRY(kfunc_index(r, idx, kfunc_numbers));
      insn.off = 0;
      // Nothing runs behind it, and a program may end with it: every tier wants an end it knows.
      if (r.out.kfuncs[static_cast<std::size_t>(insn.imm)].throws)
        r.copy.replace(idx, std::array{insn, isa::Insn{.op = isa::Op::kExit, .bits = 64}});
    }
  }
  return {};
}

}  // namespace ring3::rewrite
