// Lists and trees of objects that programs allocate: what struct bpf_list_head, bpf_list_node, bpf_rb_root and
// bpf_rb_node hold. Zeroed memory is an empty list, an empty tree, a node that is nowhere.
//
// Callers hold the lock beside the head or root (the verifier makes sure), so links are plain memory. `owner` alone is
// atomic: a counted object may be put into two places under two locks, and one of them must win. Who adds a node of an
// object without a counter has the only reference there is (Sole), and nobody races with it.
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

/// Whether others may put the same node somewhere at the same time.
enum class Sharing : bool { kSole, kShared };

/// False: the node is in a list or tree already, and nothing was changed.
bool list_push_front(ListHead* head, ListNode* node, Sharing sharing = Sharing::kShared) noexcept;
bool list_push_back(ListHead* head, ListNode* node, Sharing sharing = Sharing::kShared) noexcept;
/// Null: the list is empty.
ListNode* list_pop_front(ListHead* head) noexcept;
ListNode* list_pop_back(ListHead* head) noexcept;
/// Empties the list; the nodes stay linked by `next`, and whoever walks them calls node_left() for each.
ListNode* list_take_all(ListHead* head) noexcept;

template <typename Node>
void node_left(Node* node) noexcept {
  __atomic_store_n(&node->owner, 0, __ATOMIC_RELEASE);
}

/// Takes a node for a place it will be put in. False: it is in one already.
inline bool claim_node(std::uintptr_t* owner, Sharing sharing) noexcept {
  constexpr std::uintptr_t kJoining = 1;  // taken, not yet in
  std::uintptr_t nobody = 0;
  if (sharing == Sharing::kSole) return __atomic_load_n(owner, __ATOMIC_ACQUIRE) == 0;
  return __atomic_compare_exchange_n(owner, &nobody, kJoining, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}
/// Puts a claimed node below `parent` (null: it is the first) at `*link` and balances the tree.
void tree_link(RbRoot* root, RbNode* node, RbNode* parent, RbNode** link, bool is_least) noexcept;

/// less(a, b): whether a comes before b; the order among equals is that of insertion.
/// False: the node is in a list or tree already, and nothing was changed.
template <typename Less>
bool tree_add(RbRoot* root, RbNode* node, Sharing sharing, Less less) noexcept {
  if (!claim_node(&node->owner, sharing)) return false;
  RbNode* parent = nullptr;
  RbNode** link = &root->top;
  bool is_least = true;
  while (*link != nullptr) {
    parent = *link;
    if (less(node, parent)) {
      link = &parent->left;
    } else {
      link = &parent->right;
      is_least = false;
    }
  }
  tree_link(root, node, parent, link, is_least);
  return true;
}
/// False: the node is not in this tree.
bool tree_remove(RbRoot* root, RbNode* node) noexcept;
inline RbNode* tree_first(const RbRoot* root) noexcept { return root->least; }
/// In order; null: it is the last.
RbNode* tree_next(RbNode* node) noexcept;
/// The first node of which `is_behind` holds, as it does of all behind it; null: none.
template <typename Behind>
RbNode* tree_after(const RbRoot* root, Behind is_behind) noexcept {
  RbNode* found = nullptr;
  for (RbNode* n = root->top; n != nullptr;) {
    if (is_behind(n)) {
      found = n;
      n = n->left;
    } else {
      n = n->right;
    }
  }
  return found;
}
/// Empties the tree; the nodes stay linked by `right`, in order, and whoever walks them calls node_left() for each.
RbNode* tree_take_all(RbRoot* root) noexcept;

}  // namespace ring3::maps
