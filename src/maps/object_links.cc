#include "maps/object_links.h"

namespace ring3::maps {
namespace {

void set_owner(std::uintptr_t* owner, const void* place) noexcept {
  __atomic_store_n(owner, reinterpret_cast<std::uintptr_t>(place), __ATOMIC_RELEASE);
}
void leave(std::uintptr_t* owner) noexcept { __atomic_store_n(owner, 0, __ATOMIC_RELEASE); }

void unlink(ListHead* head, ListNode* node) noexcept {
  (node->prev != nullptr ? node->prev->next : head->first) = node->next;
  (node->next != nullptr ? node->next->prev : head->last) = node->prev;
  node->next = node->prev = nullptr;
  leave(&node->owner);
}

// Red-black trees. The colour shares a word with the parent, whose address is even.
constexpr std::uintptr_t kRed = 1;

RbNode* parent_of(const RbNode* n) { return reinterpret_cast<RbNode*>(n->parent & ~kRed); }
bool is_red(const RbNode* n) { return n != nullptr && (n->parent & kRed) != 0; }
void set_parent(RbNode* n, RbNode* p) { n->parent = reinterpret_cast<std::uintptr_t>(p) | (n->parent & kRed); }
void set_red(RbNode* n, bool red) { n->parent = (n->parent & ~kRed) | (red ? kRed : 0); }
void copy_colour(RbNode* to, const RbNode* from) { set_red(to, is_red(from)); }

using Side = RbNode* RbNode::*;
Side other(Side side) { return side == &RbNode::left ? &RbNode::right : &RbNode::left; }

/// What the parent (or the root) points to instead of `old`.
void put_in_place(RbRoot* root, RbNode* old, RbNode* now) {
  RbNode* const parent = parent_of(old);
  if (parent == nullptr) root->top = now;
  else (parent->left == old ? parent->left : parent->right) = now;
}

/// n moves down to `side`, its child on the other side takes its place.
void rotate(RbRoot* root, RbNode* n, Side side) {
  RbNode* const up = n->*other(side);
  put_in_place(root, n, up);
  set_parent(up, parent_of(n));
  n->*other(side) = up->*side;
  if (up->*side != nullptr) set_parent(up->*side, n);
  up->*side = n;
  set_parent(n, up);
}

/// n is red and linked in; two reds in a row are resolved upwards.
void balance_added(RbRoot* root, RbNode* n) {
  for (RbNode* parent = parent_of(n); is_red(parent); parent = parent_of(n)) {
    RbNode* const grand = parent_of(parent);  // a red node is never the top
    const Side side = grand->left == parent ? &RbNode::left : &RbNode::right;
    RbNode* const uncle = grand->*other(side);
    if (is_red(uncle)) {
      set_red(parent, false);
      set_red(uncle, false);
      set_red(grand, true);
      n = grand;
      continue;
    }
    if (parent->*other(side) == n) {
      rotate(root, parent, side);
      n = parent;
      parent = parent_of(n);
    }
    set_red(parent, false);
    set_red(grand, true);
    rotate(root, grand, other(side));
  }
  set_red(root->top, false);
}

/// The paths through `n` (may be null), a child of `parent`, lack one black node.
void balance_removed(RbRoot* root, RbNode* n, RbNode* parent) {
  while (n != root->top && !is_red(n)) {
    const Side side = parent->left == n ? &RbNode::left : &RbNode::right;
    RbNode* sibling = parent->*other(side);  // there is one: its paths have a black node more
    if (is_red(sibling)) {
      set_red(sibling, false);
      set_red(parent, true);
      rotate(root, parent, side);
      sibling = parent->*other(side);
    }
    if (!is_red(sibling->left) && !is_red(sibling->right)) {
      set_red(sibling, true);
      n = parent;
      parent = parent_of(n);
      continue;
    }
    if (!is_red(sibling->*other(side))) {
      set_red(sibling->*side, false);
      set_red(sibling, true);
      rotate(root, sibling, other(side));
      sibling = parent->*other(side);
    }
    copy_colour(sibling, parent);
    set_red(parent, false);
    set_red(sibling->*other(side), false);
    rotate(root, parent, side);
    return;
  }
  if (n != nullptr) set_red(n, false);
}

RbNode* leftmost(RbNode* n) {
  while (n->left != nullptr) n = n->left;
  return n;
}

RbNode* successor(RbNode* n) {
  if (n->right != nullptr) return leftmost(n->right);
  RbNode* up = parent_of(n);
  while (up != nullptr && up->left != n) {
    n = up;
    up = parent_of(n);
  }
  return up;
}

/// `n` has both children: its successor takes its place, colour and children. Returns where black is missing.
struct Gap {
  RbNode* child;
  RbNode* parent;
  bool was_black;
};
Gap replace_by_successor(RbRoot* root, RbNode* n) {
  RbNode* const next = leftmost(n->right);
  Gap gap{next->right, parent_of(next), !is_red(next)};
  if (gap.parent == n) {
    gap.parent = next;
  } else {
    gap.parent->left = next->right;
    if (next->right != nullptr) set_parent(next->right, gap.parent);
    next->right = n->right;
    set_parent(next->right, next);
  }
  put_in_place(root, n, next);
  next->left = n->left;
  set_parent(next->left, next);
  next->parent = n->parent;
  return gap;
}

void unlink(RbRoot* root, RbNode* n) {
  Gap gap;
  if (n->left != nullptr && n->right != nullptr) {
    gap = replace_by_successor(root, n);
  } else {
    RbNode* const child = n->left != nullptr ? n->left : n->right;
    gap = {child, parent_of(n), !is_red(n)};
    put_in_place(root, n, child);
    if (child != nullptr) set_parent(child, gap.parent);
  }
  if (gap.was_black && root->top != nullptr) balance_removed(root, gap.child, gap.parent);
}

}  // namespace

bool list_push_front(ListHead* head, ListNode* node, Sharing sharing) noexcept {
  if (!claim_node(&node->owner, sharing)) return false;
  node->prev = nullptr;
  node->next = head->first;
  (head->first != nullptr ? head->first->prev : head->last) = node;
  head->first = node;
  set_owner(&node->owner, head);
  return true;
}

bool list_push_back(ListHead* head, ListNode* node, Sharing sharing) noexcept {
  if (!claim_node(&node->owner, sharing)) return false;
  node->next = nullptr;
  node->prev = head->last;
  (head->last != nullptr ? head->last->next : head->first) = node;
  head->last = node;
  set_owner(&node->owner, head);
  return true;
}

ListNode* list_pop_front(ListHead* head) noexcept {
  ListNode* const node = head->first;
  if (node != nullptr) unlink(head, node);
  return node;
}

ListNode* list_pop_back(ListHead* head) noexcept {
  ListNode* const node = head->last;
  if (node != nullptr) unlink(head, node);
  return node;
}

ListNode* list_take_all(ListHead* head) noexcept {
  ListNode* const first = head->first;
  head->first = head->last = nullptr;
  return first;
}

void tree_link(RbRoot* root, RbNode* node, RbNode* parent, RbNode** link, bool is_least) noexcept {
  node->left = node->right = nullptr;
  node->parent = reinterpret_cast<std::uintptr_t>(parent) | kRed;
  *link = node;
  if (is_least) root->least = node;
  balance_added(root, node);
  set_owner(&node->owner, root);
}

RbNode* tree_next(RbNode* node) noexcept { return successor(node); }

bool tree_remove(RbRoot* root, RbNode* node) noexcept {
  if (__atomic_load_n(&node->owner, __ATOMIC_ACQUIRE) != reinterpret_cast<std::uintptr_t>(root)) return false;
  if (root->least == node) root->least = successor(node);
  unlink(root, node);
  node->left = node->right = nullptr;
  node->parent = 0;
  leave(&node->owner);
  return true;
}

RbNode* tree_take_all(RbRoot* root) noexcept {
  // In order, so that a node's `right` is changed once its successor is known; going up looks at `left` only.
  RbNode* const first = root->least;
  for (RbNode* n = first; n != nullptr;) {
    RbNode* const next = successor(n);
    n->right = next;
    n = next;
  }
  root->top = root->least = nullptr;
  return first;
}

}  // namespace ring3::maps
