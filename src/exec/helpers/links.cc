// Lists and trees of programs' own objects. The program holds the lock beside the head or root.
#include "exec/engine.h"
#include "exec/helpers/kfunc_rows.h"
#include "maps/allocated_type.h"
#include "maps/object_links.h"

namespace ring3::exec {
namespace {

using maps::ListHead;
using maps::ListNode;
using maps::RbNode;
using maps::RbRoot;

/// A node that is somewhere already: the reference that was passed ends here.
std::uint64_t refused(std::uint64_t node, std::uint64_t type, std::uint64_t node_off) {
  pointer_register<const maps::AllocatedType>(type)->drop(pointer_register<std::byte>(node) - node_off);
  return error_register(Errno::kInval);
}

std::uint64_t push_front(std::uint64_t head, std::uint64_t node, std::uint64_t type, std::uint64_t node_off,
                         std::uint64_t, RunContext&) {
  const bool taken = maps::list_push_front(pointer_register<ListHead>(head), pointer_register<ListNode>(node));
  return taken ? 0 : refused(node, type, node_off);
}
std::uint64_t push_back(std::uint64_t head, std::uint64_t node, std::uint64_t type, std::uint64_t node_off,
                        std::uint64_t, RunContext&) {
  const bool taken = maps::list_push_back(pointer_register<ListHead>(head), pointer_register<ListNode>(node));
  return taken ? 0 : refused(node, type, node_off);
}
std::uint64_t pop_front(std::uint64_t head, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(maps::list_pop_front(pointer_register<ListHead>(head)));
}
std::uint64_t pop_back(std::uint64_t head, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(maps::list_pop_back(pointer_register<ListHead>(head)));
}

struct Compare {
  RunContext& run;
  std::uint32_t subprog;
};

bool ask_program(void* context, RbNode* a, RbNode* b) {
  const Compare& compare = *static_cast<Compare*>(context);
  return compare.run.code->call_subprog(compare.run, compare.subprog, address_register(a), address_register(b)) != 0;
}

std::uint64_t tree_add(std::uint64_t root, std::uint64_t node, std::uint64_t less, std::uint64_t type,
                       std::uint64_t node_off, RunContext& run) {
  Compare compare{run, static_cast<std::uint32_t>(less)};
  const bool taken = maps::tree_add(pointer_register<RbRoot>(root), pointer_register<RbNode>(node), ask_program, &compare);
  return taken ? 0 : refused(node, type, node_off);
}
std::uint64_t tree_remove(std::uint64_t root, std::uint64_t node, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return maps::tree_remove(pointer_register<RbRoot>(root), pointer_register<RbNode>(node)) ? node : 0;
}
std::uint64_t tree_first(std::uint64_t root, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(maps::tree_first(pointer_register<RbRoot>(root)));
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_list_push_front_impl", push_front}, {"bpf_list_push_back_impl", push_back},
    {"bpf_list_pop_front", pop_front},        {"bpf_list_pop_back", pop_back},
    {"bpf_rbtree_add_impl", tree_add},        {"bpf_rbtree_remove", tree_remove},
    {"bpf_rbtree_first", tree_first},
};

}  // namespace

KfuncRows link_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
