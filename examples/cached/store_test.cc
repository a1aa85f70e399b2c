#include "store.h"

#include <gtest/gtest.h>

namespace cached {
namespace {

TEST(StoreTest, FindsByKeyAndId) {
  Store store(4);
  Entry* a = store.insert("a", "1");
  EXPECT_EQ(store.find("a"), a);
  EXPECT_EQ(store.find_id(a->obj.id), a);
  EXPECT_EQ(store.find("b"), nullptr);
  EXPECT_EQ(store.find_id(0), nullptr);
  EXPECT_EQ(a->obj.size, 2u);
  store.set_value(a, "12345");
  EXPECT_EQ(a->obj.size, 6u);
}

TEST(StoreTest, KeysMayHoldAnyBytes) {
  Store store(4);
  const std::string_view odd("a\0b\r\n", 5);
  store.insert(odd, "");
  store.insert("", "empty key");
  EXPECT_EQ(store.find(odd)->value, "");
  EXPECT_EQ(store.find("")->value, "empty key");
  EXPECT_EQ(store.find("a"), nullptr);
}

TEST(StoreTest, OldestFollowsInsertion) {
  Store store(4);
  EXPECT_EQ(store.oldest(), nullptr);
  Entry* a = store.insert("a", "");
  Entry* b = store.insert("b", "");
  EXPECT_EQ(store.oldest(), a);
  store.erase(a);
  EXPECT_EQ(store.oldest(), b);
  store.insert("a", "");
  EXPECT_EQ(store.oldest(), b);
}

TEST(StoreTest, FullAtCapacity) {
  Store store(2);
  store.insert("a", "");
  EXPECT_FALSE(store.full());
  store.insert("b", "");
  EXPECT_TRUE(store.full());
  EXPECT_EQ(store.view()->objects, 2u);
  EXPECT_EQ(&Store::of(store.view()), &store);
}

TEST(StoreTest, ListsKeepOrderAtBothEnds) {
  Store store(8);
  Entry *a = store.insert("a", ""), *b = store.insert("b", ""), *c = store.insert("c", "");
  store.list_push(0, a, false);
  store.list_push(0, b, false);
  store.list_push(0, c, true);  // now oldest
  EXPECT_EQ(store.list_length(0), 3u);
  EXPECT_EQ(store.list_oldest(0), c);
  store.list_push(0, c, false);
  EXPECT_EQ(store.list_oldest(0), a);
  EXPECT_EQ(store.list_length(0), 3u);
  store.list_remove(a);
  store.list_remove(a);
  EXPECT_EQ(store.list_oldest(0), b);
  store.list_push(1, b, false);
  EXPECT_EQ(store.list_length(0), 1u);
  EXPECT_EQ(store.list_oldest(0), c);
  EXPECT_EQ(store.list_oldest(1), b);
  store.clear_lists();
  EXPECT_EQ(store.list_oldest(0), nullptr);
  EXPECT_EQ(store.list_length(1), 0u);
}

TEST(StoreTest, EraseLeavesItsList) {
  Store store(8);
  Entry *a = store.insert("a", ""), *b = store.insert("b", "");
  store.list_push(0, a, false);
  store.list_push(0, b, false);
  store.erase(a);
  EXPECT_EQ(store.list_oldest(0), b);
  store.erase(b);
  EXPECT_EQ(store.list_length(0), 0u);
}

TEST(StoreTest, AReferenceKeepsAnErasedEntry) {
  Store store(8);
  Entry* a = store.insert("a", "kept");
  Store::get(a);
  store.erase(a);
  EXPECT_EQ(store.find("a"), nullptr);
  EXPECT_EQ(a->value, "kept");
  Store::put(a);
}

TEST(StoreTest, KfuncsRefuseListsThatAreNot) {
  Store store(8);
  Entry* a = store.insert("a", "");
  EXPECT_EQ(cache_list_push(store.view(), CACHE_LISTS, &a->obj, 0), -EINVAL);
  EXPECT_EQ(cache_list_oldest(store.view(), CACHE_LISTS), nullptr);
  EXPECT_EQ(cache_list_length(store.view(), ~0u), 0u);
}

}  // namespace
}  // namespace cached
