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

maps::Sharing sharing_of(std::uint64_t type) {
  return pointer_register<const maps::AllocatedType>(type)->is_counted() ? maps::Sharing::kShared : maps::Sharing::kSole;
}

std::uint64_t push_front(std::uint64_t head, std::uint64_t node, std::uint64_t type, std::uint64_t node_off,
                         std::uint64_t, RunContext&) {
  const bool taken = maps::list_push_front(pointer_register<ListHead>(head), pointer_register<ListNode>(node), sharing_of(type));
  return taken ? 0 : refused(node, type, node_off);
}
std::uint64_t push_back(std::uint64_t head, std::uint64_t node, std::uint64_t type, std::uint64_t node_off,
                        std::uint64_t, RunContext&) {
  const bool taken = maps::list_push_back(pointer_register<ListHead>(head), pointer_register<ListNode>(node), sharing_of(type));
  return taken ? 0 : refused(node, type, node_off);
}
std::uint64_t pop_front(std::uint64_t head, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(maps::list_pop_front(pointer_register<ListHead>(head)));
}
std::uint64_t pop_back(std::uint64_t head, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return address_register(maps::list_pop_back(pointer_register<ListHead>(head)));
}

/// The program's less(): a plain function where the tier has one for it.
bool add_in_order(RbRoot* root, RbNode* node, maps::Sharing sharing, std::uint32_t less, RunContext& run) {
  const Code& code = *run.code;
  if (const rewrite::HelperFn plain = code.plain_function(less))
    return maps::tree_add(root, node, sharing, [&](RbNode* a, RbNode* b) {
      return Code::call_plain(plain, run, address_register(a), address_register(b)) != 0;
    });
  return maps::tree_add(root, node, sharing, [&](RbNode* a, RbNode* b) {
    return code.call_subprog(run, less, address_register(a), address_register(b)) != 0;
  });
}

std::uint64_t tree_add(std::uint64_t root, std::uint64_t node, std::uint64_t less, std::uint64_t type,
                       std::uint64_t node_off, RunContext& run) {
  const bool taken = add_in_order(pointer_register<RbRoot>(root), pointer_register<RbNode>(node), sharing_of(type),
                                  static_cast<std::uint32_t>(less), run);
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
