// What a host registers becomes facts: a new snapshot each time, so that loads which are under way keep theirs.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "model/host_symbols.h"
#include "model/kernel_kfuncs.h"
#include "runtime/prototype.h"
#include "runtime/runtime_impl.h"

namespace ring3 {
namespace {

using btf::Kind;

bool is_pointer(const btf::Btf& btf, btf::TypeId id) { return btf.type(btf.skip_modifiers(id))->kind == Kind::kPtr; }

/// References are to structs: nothing else can be told apart from a number.
bool is_struct_pointer(const btf::Btf& btf, btf::TypeId id) {
  if (!is_pointer(btf, id)) return false;
  const btf::TypeId pointee = btf.skip_modifiers(btf.type(btf.skip_modifiers(id))->type);
  return pointee != btf::kVoid && btf.type(pointee)->kind == Kind::kStruct;
}

/// A flag that makes no sense for the prototype, or null.
const char* wrong_flag(const KfuncDef& def, const btf::Btf& btf, btf::TypeId proto) {
  const std::uint32_t flags = def.options.flags;
  const bool returns_pointer = is_pointer(btf, btf.type(proto)->type);
  if ((flags & (kfunc::kAcquire | kfunc::kRetNull)) != 0 && !returns_pointer)
    return "kAcquire and kRetNull need a function that returns a pointer";
  if ((flags & kfunc::kAcquire) != 0 && !is_struct_pointer(btf, btf.type(proto)->type))
    return "kAcquire needs a function that returns a pointer to a struct";
  if ((flags & kfunc::kRelease) == 0) return nullptr;
  const std::vector<btf::Param> params = btf.params(proto);
  const bool takes_pointer =
      std::any_of(params.begin(), params.end(), [&](const btf::Param& p) { return is_struct_pointer(btf, p.type); });
  return takes_pointer ? nullptr : "kRelease needs an argument that points to a struct";
}

/// What the policy behind a typed point must know of each member. Empty: no such struct, which registration refuses.
std::vector<detail::OpsMember> describe_members(const btf::Btf& btf, const std::string& name) {
  std::vector<detail::OpsMember> members;
  const btf::TypeId type = btf.find(name, Kind::kStruct);
  if (type == 0) return members;
  for (const btf::Member& m : btf.members(type)) {
    const btf::TypeId plain = btf.skip_modifiers(m.type);
    const bool is_function = btf.type(plain)->kind == Kind::kPtr &&
                             btf.type(btf.skip_modifiers(btf.type(plain)->type))->kind == Kind::kFuncProto;
    const auto array = btf.array(plain);
    const auto element = array ? btf.integer(btf.skip_modifiers(array->elem)) : std::nullopt;
    const bool is_text = element && element->bits == 8 && element->is_signed;
    members.push_back({std::string(m.name), m.bit_off / 8, btf.size_of(m.type).value_or(0), is_function, is_text});
  }
  return members;
}

}  // namespace

Result<void> RuntimeImpl::add_struct_ops(const StructOpsDef& def) {
  return change_facts([&](model::Facts& facts) -> Result<void> {
    facts.struct_ops.reserve(facts.struct_ops.size() + 1);  // a registered type stays
    const struct_ops::OpsType* type = RING3_TRY(registry_.add(def, facts.host_btf, log_text_));
    facts.struct_ops.push_back(type->facts);
    return {};
  });
}

Result<detail::SingleInstance*> RuntimeImpl::add_policy(const void* options, detail::MakePolicy make) {
  StructOpsDef def;
  std::list<std::unique_ptr<detail::SingleInstance>> made;
  made.push_back(make(options, def));
  detail::SingleInstance* policy = made.back().get();
  policy->set_members(describe_members(*facts()->host_btf, def.name));
  def.host = policy;
  RING3_TRY(add_struct_ops(def));
  MutexLock lock(facts_mutex_);
  policies_.splice(policies_.end(), made);
  return policy;
}

Result<void> RuntimeImpl::add_kfunc(const KfuncDef& def) {
  return change_facts([&](model::Facts& facts) -> Result<void> {
    const btf::Btf& btf = *facts.host_btf;
    const btf::TypeId func = btf.find(def.name, Kind::kFunc);
    if (func == 0)
      return refuse(Errno::kNoEnt, fmt::format("kfunc {}: no such function in the host's BTF (is it declared RING3_KFUNC in the "
                                               "host's header?)", def.name));
    const btf::TypeId proto = btf.type(func)->type;
    if (const std::string difference = prototype_difference(def, btf, proto); !difference.empty())
      return refuse(Errno::kInval, fmt::format("kfunc {}: {}; C++: {}; BTF: {}", def.name, difference, cpp_prototype(def),
                                               btf_prototype(def.name, btf, proto)));
    if (const char* wrong = wrong_flag(def, btf, proto))
      return refuse(Errno::kInval, fmt::format("kfunc {}: {}", def.name, wrong));
    for (const model::Kfunc& known : facts.kfuncs)
      if (known.func == func) return refuse(Errno::kExist, fmt::format("kfunc {}: registered already", def.name));
    model::Kfunc kfunc;
    kfunc.name = def.name;
    kfunc.btf = facts.host_btf;
    kfunc.func = func;
    kfunc.flags = def.options.flags;
    kfunc.prog_types = def.options.prog_types;
    kfunc.address = reinterpret_cast<void*>(def.call);
    facts.kfuncs.push_back(std::move(kfunc));
    return {};
  });
}

Result<void> RuntimeImpl::add_variable(const VariableDef& def) {
  const auto refuse_it = [&](Errno e, std::string_view why) { return refuse(e, fmt::format("variable {}: {}", def.name, why)); };
  return change_facts([&](model::Facts& facts) -> Result<void> {
    const btf::Btf& btf = *facts.host_btf;
    const btf::TypeId var = btf.find(def.name, Kind::kVar);
    if (var == 0) return refuse_it(Errno::kNoEnt, "no such variable in the host's BTF (is it declared RING3_VARIABLE or RING3_PERCPU in the host's header?)");
    const std::size_t bytes = btf.size_of(btf.type(var)->type).value_or(0);
    if (bytes != def.size_bytes) return refuse_it(Errno::kInval, fmt::format("{} bytes in C++ and {} in the BTF", def.size_bytes, bytes));
    const bool percpu = model::is_percpu_variable(btf, var);
    if (percpu != (def.copies != 0)) return refuse_it(Errno::kInval, percpu ? "the header declares it RING3_PERCPU" : "the header does not declare it RING3_PERCPU");
    if (percpu && def.copies < cpus_) return refuse_it(Errno::kInval, fmt::format("{} copies for {} possible CPUs", def.copies, cpus_));
    if (percpu && (def.stride_bytes < bytes || def.stride_bytes > UINT32_MAX)) return refuse_it(Errno::kInval, "its copies overlap");
    if (def.first == nullptr) return refuse_it(Errno::kInval, "it has no address");
    for (const auto& known : facts.variables)
      if (known->var == var) return refuse_it(Errno::kExist, "registered already");
    facts.variables.push_back(std::make_shared<const model::HostVariable>(model::HostVariable{
        std::string(def.name), var, def.first, percpu ? static_cast<std::uint32_t>(def.stride_bytes) : 0}));
    return {};
  });
}

Result<void> RuntimeImpl::add_judged_kfuncs(std::span<const model::Kfunc> kfuncs) {
  if (!accept_unrunnable_) return refuse(Errno::kInval, "functions without code are for runtimes that accept what they cannot run");
  return change_facts([&](model::Facts& facts) -> Result<void> {
    for (const model::Kfunc& kfunc : kfuncs) {
      const auto same = [&](const model::Kfunc& known) { return known.func == kfunc.func; };
      if (std::none_of(facts.kfuncs.begin(), facts.kfuncs.end(), same)) facts.kfuncs.push_back(kfunc);
    }
    return {};
  });
}

Result<void> RuntimeImpl::judge_kernel_kfuncs() {
  const std::shared_ptr<const model::Facts> now = facts();
  std::vector<model::Kfunc> kfuncs;
  for (const model::KernelKfunc& row : model::kernel_kfuncs())
    if (const btf::TypeId func = now->host_btf->find(row.name, btf::Kind::kFunc); func != 0)
      kfuncs.push_back({.name = std::string(row.name), .btf = now->host_btf, .func = func, .flags = row.flags, .prog_types = row.prog_types});
  return add_judged_kfuncs(kfuncs);
}

}  // namespace ring3
