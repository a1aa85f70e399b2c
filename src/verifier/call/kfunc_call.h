// One call of a host function while it is judged: what its arguments said, and what follows from that.
//
// Functions whose meaning goes beyond flags and prototype (model::KfuncSpecial) have a file per family:
//   object_calls.cc   objects the program makes
//   graph_calls.cc    lists and trees
//   dynptr_calls.cc   dynptrs
//   exceptions.cc     bpf_throw
#pragma once

#include <array>

#include "model/kernel_kfuncs.h"
#include "model/kfunc_args.h"
#include "verifier/call/call.h"
#include "verifier/kinds/dynptr.h"

namespace ring3::verifier {

struct KfuncCall {
  const model::Kfunc& kfunc;
  model::KfuncProto proto;
  model::KfuncSpecial special = model::KfuncSpecial::kNone;
  std::uint32_t released = 0;
  std::uint32_t ref_obj_id = 0;       // of an argument: what is returned lives as long
  bool rcu_iter = false;
  std::uint32_t ret_bytes = 0;
  bool ret_size_known = false;
  bool ret_writable = false;
  DynptrUse dynptr{};
  RegState buffer{};                  // memory that a slice may be copied into, and then lies in
  std::array<std::uint32_t, 6> uninit_bytes{};  // per register: memory the function writes without reading it
  std::uint64_t constant = 0;         // value of the __k argument
  std::uint32_t callback = UINT32_MAX;
  FieldMap work{};                    // of a bpf_wq argument
  // Object, list and tree functions: the object an argument points to, and the root.
  std::uint32_t object_btf = 0;
  btf::TypeId object_type = 0;
  bool owning = false;                // the argument owned it
  const model::Field* root = nullptr;

  bool has(std::uint32_t flag) const { return (kfunc.flags & flag) != 0; }
};

// Objects (object_calls.cc). Arguments:
Result<void> check_alloc_arg(Step& step, unsigned i, KfuncCall& call);
Result<void> check_refcounted_arg(Step& step, unsigned i, KfuncCall& call);
/// Results of object functions; acquiring is the caller's.
Result<void> set_object_result(Step& step, const KfuncCall& call, std::uint16_t null);
/// bpf_obj_drop and its like: what ends, for rewrite/.
Result<void> note_dropped_object(Step& step, const KfuncCall& call);

// Lists and trees (graph_calls.cc). Arguments, by model::KfuncArgKind:
Result<void> check_graph_root(Step& step, unsigned i, KfuncCall& call);
Result<void> check_graph_node(Step& step, unsigned i, KfuncCall& call);
/// Adding: the owner of the node becomes a user of it.
Result<void> give_node_to_root(Step& step, const KfuncCall& call);
/// r0 is the object around a node of call.root.
void set_node_result(Step& step, const KfuncCall& call, std::uint16_t null);

/// bpf_throw: the path ends here (exceptions.cc).
Result<void> throw_exception(Step& step);

// A pointer under another type (casts.cc).
bool is_cast(model::KfuncSpecial special);
Result<void> set_cast_result(Step& step, const KfuncCall& call);

// Dynptrs (dynptr_calls.cc).
Result<void> check_dynptr_arg(Step& step, unsigned i, KfuncCall& call);
/// r0 is a slice of the dynptr among the arguments.
Result<void> set_slice_result(Step& step, const KfuncCall& call);

}  // namespace ring3::verifier
