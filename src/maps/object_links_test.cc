#include "maps/object_links.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace ring3::maps {
namespace {

struct Item {
  ListNode list{};
  RbNode tree{};
  int key = 0;
};

Item* of(ListNode* n) { return reinterpret_cast<Item*>(n); }
Item* of(RbNode* n) { return n ? reinterpret_cast<Item*>(reinterpret_cast<char*>(n) - offsetof(Item, tree)) : nullptr; }
bool add(RbRoot* root, RbNode* node, int& calls, Sharing sharing = Sharing::kShared) {
  return tree_add(root, node, sharing, [&](RbNode* a, RbNode* b) {
    ++calls;
    return of(a)->key < of(b)->key;
  });
}

TEST(ListTest, BothEnds) {
  ListHead head{};
  Item a, b, c;
  EXPECT_EQ(list_pop_front(&head), nullptr);
  EXPECT_TRUE(list_push_back(&head, &a.list));
  EXPECT_TRUE(list_push_back(&head, &b.list));
  EXPECT_TRUE(list_push_front(&head, &c.list));
  EXPECT_FALSE(list_push_front(&head, &b.list)) << "it is in a list";
  EXPECT_EQ(of(list_pop_front(&head)), &c);
  EXPECT_EQ(of(list_pop_back(&head)), &b);
  EXPECT_TRUE(list_push_back(&head, &b.list)) << "and may come back";
  EXPECT_EQ(of(list_pop_back(&head)), &b);
  EXPECT_EQ(of(list_pop_back(&head)), &a);
  EXPECT_EQ(list_pop_back(&head), nullptr);
  EXPECT_EQ(head.first, nullptr);
}

TEST(ListTest, WhoIsAloneWithANodeIsRefusedAsWell) {
  ListHead head{};
  RbRoot root{};
  Item a;
  int calls = 0;
  EXPECT_TRUE(list_push_back(&head, &a.list, Sharing::kSole));
  EXPECT_FALSE(list_push_back(&head, &a.list, Sharing::kSole)) << "it is in a list";
  EXPECT_FALSE(list_push_front(&head, &a.list));
  EXPECT_EQ(of(list_pop_front(&head)), &a);
  EXPECT_TRUE(list_push_front(&head, &a.list, Sharing::kSole)) << "and may come back";
  EXPECT_TRUE(add(&root, &a.tree, calls, Sharing::kSole));
  EXPECT_FALSE(add(&root, &a.tree, calls, Sharing::kSole));
}

TEST(ListTest, TakeAllKeepsTheOrder) {
  ListHead head{};
  Item items[3];
  for (Item& i : items) list_push_back(&head, &i.list);
  ListNode* n = list_take_all(&head);
  for (Item& i : items) {
    ASSERT_EQ(of(n), &i);
    ListNode* const next = n->next;
    node_left(n);
    n = next;
  }
  EXPECT_EQ(n, nullptr);
  EXPECT_EQ(list_pop_front(&head), nullptr);
  EXPECT_TRUE(list_push_back(&head, &items[0].list));
}

/// Black nodes on each path below, -1 when paths differ, two reds meet, or a parent is wrong.
int black_height(const RbNode* n, const RbNode* parent) {
  if (n == nullptr) return 1;
  const bool red = (n->parent & 1) != 0;
  if (reinterpret_cast<const RbNode*>(n->parent & ~std::uintptr_t{1}) != parent) return -1;
  if (red && parent != nullptr && (parent->parent & 1) != 0) return -1;
  const int left = black_height(n->left, n), right = black_height(n->right, n);
  return left < 0 || left != right ? -1 : left + (red ? 0 : 1);
}

TEST(TreeTest, StaysBalancedAndInOrder) {
  std::mt19937 random(7);
  std::vector<Item> items(600);
  RbRoot root{};
  std::multimap<int, Item*> model;
  int calls = 0;
  for (int step = 0; step < 20'000; ++step) {
    Item& item = items[random() % items.size()];
    const bool is_in = item.tree.owner != 0;
    if (is_in && random() % 2) {
      ASSERT_TRUE(tree_remove(&root, &item.tree));
      const auto [first, last] = model.equal_range(item.key);
      model.erase(std::find_if(first, last, [&](auto& e) { return e.second == &item; }));
    } else if (!is_in) {
      item.key = static_cast<int>(random() % 100);
      calls = 0;
      ASSERT_TRUE(add(&root, &item.tree, calls));
      ASSERT_LE(calls, 20) << "a tree of 600 is at most twice log2(601) deep";
      model.emplace(item.key, &item);
    } else {
      ASSERT_FALSE(add(&root, &item.tree, calls));
    }
    if (step % 50 == 0) {
      ASSERT_GT(black_height(root.top, nullptr), 0) << step;
    }
    ASSERT_EQ(of(tree_first(&root)), model.empty() ? nullptr : model.begin()->second) << step;
  }
  std::vector<Item*> want, got;
  for (auto& [key, item] : model) want.push_back(item);
  for (RbNode* n = tree_first(&root); n != nullptr; n = tree_next(n)) got.push_back(of(n));
  EXPECT_EQ(got, want);
  got.clear();
  for (int key = -1; key <= 100; ++key) {
    const auto next = model.upper_bound(key);
    EXPECT_EQ(of(tree_after(&root, [&](RbNode* n) { return of(n)->key > key; })), next == model.end() ? nullptr : next->second);
  }
  for (RbNode* n = tree_take_all(&root); n != nullptr; n = n->right) got.push_back(of(n));
  EXPECT_EQ(got, want);
  EXPECT_EQ(tree_first(&root), nullptr);
}

TEST(TreeTest, ANodeOfAnotherTreeStays) {
  RbRoot one{}, two{};
  Item a;
  int calls = 0;
  EXPECT_FALSE(tree_remove(&one, &a.tree));
  EXPECT_TRUE(add(&one, &a.tree, calls));
  EXPECT_FALSE(tree_remove(&two, &a.tree));
  EXPECT_TRUE(tree_remove(&one, &a.tree));
  EXPECT_EQ(tree_first(&one), nullptr);
}

}  // namespace
}  // namespace ring3::maps
