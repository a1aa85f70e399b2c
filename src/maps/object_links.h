// Lists and trees of objects that programs allocate: what struct bpf_list_head, bpf_list_node, bpf_rb_root and
// bpf_rb_node hold. Zeroed memory is an empty list, an empty tree, a node that is nowhere.
//
// Callers hold the lock beside the head or root (the verifier makes sure), so links are plain memory. `owner` alone is
// atomic: a counted object may be put into two places under two locks, and one of them must win.
#pragma once

#include <cstdint>

namespace ring3::maps {

struct ListNode {
  ListNode* next;
  ListNode* prev;
  std::uintptr_t owner;  // the head it is in; 0: none
};
struct ListHead {
  ListNode* first;
  ListNode* last;
};

struct RbNode {
  RbNode* left;
  RbNode* right;
  std::uintptr_t parent;  // bit 0: red
  std::uintptr_t owner;   // the root it is in; 0: none
};
struct RbRoot {
  RbNode* top;
  RbNode* least;
};

/// False: the node is in a list or tree already, and nothing was changed.
bool list_push_front(ListHead* head, ListNode* node) noexcept;
bool list_push_back(ListHead* head, ListNode* node) noexcept;
/// Null: the list is empty.
ListNode* list_pop_front(ListHead* head) noexcept;
ListNode* list_pop_back(ListHead* head) noexcept;
/// Empties the list; the nodes stay linked by `next`, and whoever walks them calls node_left() for each.
ListNode* list_take_all(ListHead* head) noexcept;

template <typename Node>
void node_left(Node* node) noexcept {
  __atomic_store_n(&node->owner, 0, __ATOMIC_RELEASE);
}

/// Whether a comes before b; the order among equals is that of insertion.
using RbLess = bool (*)(void* context, RbNode* a, RbNode* b);
/// False: the node is in a list or tree already, and nothing was changed.
bool tree_add(RbRoot* root, RbNode* node, RbLess less, void* context) noexcept;
/// False: the node is not in this tree.
bool tree_remove(RbRoot* root, RbNode* node) noexcept;
inline RbNode* tree_first(const RbRoot* root) noexcept { return root->least; }
/// Empties the tree; the nodes stay linked by `right`, in order, and whoever walks them calls node_left() for each.
RbNode* tree_take_all(RbRoot* root) noexcept;

}  // namespace ring3::maps
