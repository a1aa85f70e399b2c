#include "store.h"

#include <gtest/gtest.h>

namespace cached {
namespace {

TEST(StoreTest, FindsByKeyAndId) {
  Store store(4);
  Entry* a = store.insert("a", "1");
  EXPECT_EQ(store.find("a"), a);
  EXPECT_EQ(store.find_id(a->id), a);
  EXPECT_EQ(store.find("b"), nullptr);
  EXPECT_EQ(store.find_id(0), nullptr);
  EXPECT_EQ(a->size, 2u);
  store.set_value(a, "12345");
  EXPECT_EQ(a->size, 6u);
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

TEST(StoreTest, AReferenceKeepsAnErasedEntry) {
  ring3::wait_for_readers();  // what earlier tests left
  const std::uint64_t before = Entry::alive;
  {
    Store store(8);
    Entry* a = store.insert("a", "value");
    store.insert("b", "");
    EXPECT_EQ(cache_obj_get(a), a);
    store.erase(a);
    EXPECT_EQ(store.find("a"), nullptr);
    EXPECT_EQ(a->gone, 1u);
    EXPECT_EQ(a->value, "");
    EXPECT_EQ(Entry::alive, before + 2);
    cache_obj_put(a);
  }
  ring3::wait_for_readers();
  EXPECT_EQ(Entry::alive, before);
}

TEST(UseOrderTest, FollowsUseAndForgetsWhatIsRemoved) {
  UseOrder order;
  cache_obj a{}, b{}, c{};
  EXPECT_EQ(order.least_recent(), nullptr);
  for (cache_obj* obj : {&a, &b, &c}) order.touch(obj);
  EXPECT_EQ(order.least_recent(), &a);
  order.touch(&a);
  EXPECT_EQ(order.least_recent(), &b);
  order.remove(&b);
  order.remove(&b);
  EXPECT_EQ(order.least_recent(), &c);
  order.clear();
  EXPECT_EQ(order.least_recent(), nullptr);
  order.remove(&c);  // its place is another cache's, or nobody's
}

}  // namespace
}  // namespace cached
