// Arguments a program does not pass itself: the rewriter loads them right before a call of one of Linux's own functions
// (their parameters named `…__ign`, and registers behind the last parameter).
//
// The contract between the three rooms:
//   verifier  sets, on the call's InsnFacts, what the row asks for: `object` (index into VerifiedProgram::objects) for
//             type_reg, `node_off` for node_off_reg, `dynptr_read_only` for read_only_reg, `shown_map` for shown_reg. All
//             paths through a call agree on them, else the program is refused (shown_map: judged and not run).
//             bpf_obj_drop_impl alone may end objects of several types (ObjectType::any_of): an object knows its own.
//   rewrite   puts them into the registers: a const maps::AllocatedType *, a byte offset, 0 or 1 for the last two.
//   exec      finds them there (exec/helpers/).
//
// Shapes at run time:
//   - bpf_obj_new_impl gives zeroed memory of the type's size; a refcount in it starts at 1. It keeps r1, the type id.
//   - list and tree functions take and give pointers to the *node* (struct bpf_list_node, bpf_rb_node) inside an object, as
//     their prototypes say: what is returned has the offset node_off. Push and add return 0 when the node was taken, and
//     a negative errno when it is in a list or tree already (then the object was dropped, once).
//   - a callback is a subprogram's index (rewrite/xlated.h); the one of bpf_rbtree_add_impl gets two node pointers.
//   - bpf_kptr_xchg, bpf_timer_*, bpf_wq_* and bpf_per_cpu_ptr take no hidden argument: the run knows the rest.
#pragma once

#include <cstdint>

#include "model/kernel_kfuncs.h"

namespace ring3::model {

struct HiddenArgs {
  KfuncSpecial special;
  std::uint8_t type_reg;       // 0: none
  std::uint8_t node_off_reg;   // 0: none
  std::uint8_t read_only_reg;  // 0: none
  std::uint8_t shown_reg;      // 0: none
};

/// Null: such a function takes none.
const HiddenArgs* hidden_args(KfuncSpecial special);

}  // namespace ring3::model
