// Who holds what: holders are named, rings through storage are found, weak pointers close none.
#include "runtime/references.h"

#include <gtest/gtest.h>

#include "maps/object_storage.h"
#include "object/weak_table.h"
#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using namespace uapi;

class References : public KptrWorld {
 protected:
  long make_storage(const char* tag = "kptr") {
    ValueTypes types;
    const auto i32 = types.b.add_int("int", 4, 1);
    const auto value = types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", types.kptr(types.counted, tag), 64}});
    const long btf = load_btf(types);
    bpf_attr attr = map_attr(btf, BPF_MAP_TYPE_CGRP_STORAGE, i32, value, 16, BPF_F_NO_PREALLOC);
    attr.max_entries = 0;
    return bpf().create(attr);
  }
  /// `owner`'s storage gets the reference.
  void keep(maps::Map& storage, LiveThing* owner, LiveThing* reference) {
    ReadSection readers;
    auto* value = static_cast<Holder*>(maps::storage_get(storage, static_cast<counted_thing*>(owner), nullptr, 1));
    ASSERT_NE(value, nullptr);
    ASSERT_EQ(exchange(*value, reference), nullptr);
  }
  ReferenceReport report() { return references(runtime_->impl()).value(); }
  const KptrUse& use(const ReferenceReport& report) {
    for (const KptrUse& use : report.types)
      if (use.type == "counted_thing") return use;
    static const KptrUse kNone;
    return kNone;
  }
  void forget(LiveThing* owner) { runtime_->storage_owner_gone(static_cast<counted_thing*>(owner)); }
};

TEST_F(References, HoldersAndCountsAreNamed) {
  const long fd = make_holder(BPF_MAP_TYPE_ARRAY);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  put(*map, 2);
  const ReferenceReport found = report();
  ASSERT_EQ(found.references.size(), 1u);
  EXPECT_NE(found.references[0].holder.find(" [2].held"), std::string::npos) << found.references[0].holder;
  EXPECT_EQ(found.references[0].kind, "owned");
  EXPECT_TRUE(found.references[0].object.starts_with("counted_thing #")) << found.references[0].object;
  EXPECT_EQ(found.references[0].count, 1);
  EXPECT_EQ(use(found).owned, 1u);
  EXPECT_EQ(use(found).alive, 1u);
  EXPECT_TRUE(found.rings.empty());
}

TEST_F(References, AnObjectInItsOwnStorageIsARingAndALeak) {
  const long fd = make_storage();
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> storage = map_object(fd);
  auto* thing = new LiveThing;
  ASSERT_TRUE(thing->acquire());
  keep(*storage, thing, thing);
  ReferenceReport found = report();
  ASSERT_EQ(found.rings.size(), 1u);
  EXPECT_TRUE(found.rings[0].seen);
  EXPECT_TRUE(found.rings[0].leak_candidates.empty()) << "the host has it too";
  thing->release();
  found = report();
  ASSERT_EQ(found.rings.size(), 1u);
  EXPECT_EQ(found.rings[0].leak_candidates.size(), 1u);
  forget(thing);
  EXPECT_TRUE(report().rings.empty());
}

TEST_F(References, LongerRingsAreToldOnce) {
  const long fd = make_storage();
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> storage = map_object(fd);
  LiveThing* things[3] = {new LiveThing, new LiveThing, new LiveThing};
  for (int i = 0; i < 3; ++i) keep(*storage, things[i], things[(i + 1) % 3]);
  const ReferenceReport found = report();
  ASSERT_EQ(found.rings.size(), 1u);
  EXPECT_EQ(found.rings[0].steps.size(), 3u);
  EXPECT_EQ(found.rings[0].leak_candidates.size(), 3u);
  for (LiveThing* thing : things) forget(thing);
}

TEST_F(References, AChainIsNoRing) {
  const long fd = make_storage();
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> storage = map_object(fd);
  auto *a = new LiveThing, *b = new LiveThing;
  keep(*storage, a, b);
  EXPECT_TRUE(report().rings.empty());
  EXPECT_EQ(report().references.size(), 1u);
  forget(a);
  a->release();
}

TEST_F(References, WeakPointersCloseNoRing) {
  const long fd = make_storage("kptr_weak");
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> storage = map_object(fd);
  auto* thing = new LiveThing;
  {
    ReadSection readers;
    auto* value = static_cast<Holder*>(maps::storage_get(*storage, static_cast<counted_thing*>(thing), nullptr, 1));
    ASSERT_NE(value, nullptr);
    ASSERT_TRUE(thing->acquire());
    const model::Field& field = storage->spec().fields.fields[0];
    EXPECT_EQ(weak::exchange(reinterpret_cast<std::uint64_t*>(&value->held), thing, *runtime_->impl().weak_type(field)), nullptr);
  }
  const ReferenceReport found = report();
  EXPECT_TRUE(found.rings.empty());
  EXPECT_EQ(use(found).weak, 1u);
  EXPECT_EQ(use(found).owned, 0u);
  thing->release();
  EXPECT_EQ(use(report()).weak, 0u);
}

TEST_F(References, NothingIsWrittenAsEmptyLists) {
  JsonWriter json;
  write_json(json, report());
  EXPECT_NE(json.take().find("\"rings\":[]"), std::string::npos);
}

}  // namespace
}  // namespace ring3::test
