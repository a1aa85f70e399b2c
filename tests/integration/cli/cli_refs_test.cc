// `ring3 refs`, in a process of its own.
#include <gtest/gtest.h>

#include "tests/integration/cli/cli_world.h"
#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

class CliRefs : public CliWorld {
 protected:
  CliRefs() {
    auto options = counted_kptr<counted_thing, LiveThing>();
    options.print = [](const counted_thing* thing, char* text, std::size_t bytes) {
      return std::snprintf(text, bytes, "%llu", thing->id);
    };
    EXPECT_TRUE(runtime_->kptr<counted_thing>(options).ok());
    ValueTypes types;
    const btf::TypeId value = types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", types.kptr(types.counted), 64}});
    const long btf = bpf().load_btf(types.b.finish());
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 16, 4, {btf, types.u32, value});
    std::memcpy(attr.map_name, "holders", 8);
    map_ = bpf().create(attr);
    EXPECT_GE(map_, 0);
    const Ref<maps::Map> map =
        ref_cast<maps::Map>(runtime_->impl().objects().find(ObjectKind::kMap, bpf().map_info(map_).id).value());
    auto* thing = new LiveThing;
    thing->id = 17;
    ReadSection readers;
    const std::uint32_t key = 3;
    auto* slot = static_cast<std::byte*>(map->ops().data.lookup(*map, &key)) + 8;
    __atomic_store_n(reinterpret_cast<LiveThing**>(slot), thing, __ATOMIC_RELEASE);
  }
  long map_ = -1;
};

TEST_F(CliRefs, SaysWhoHoldsWhat) {
  const Outcome all = ring3({"refs"});
  EXPECT_EQ(all.code, 0) << all;
  EXPECT_TRUE(all.says("counted_thing #17")) << all;
  EXPECT_TRUE(all.says("holders [3].held")) << all;
  EXPECT_FALSE(ring3({"refs", "session"}).says("#17"));
  const Outcome rings = ring3({"refs", "--cycles"});
  EXPECT_EQ(rings.code, 0) << rings;
  EXPECT_TRUE(rings.says("no cycles")) << rings;
  const Outcome json = ring3({"refs", "--json"});
  EXPECT_TRUE(json.says("\"object\": \"counted_thing #17\"")) << json;
}

}  // namespace
}  // namespace ring3::test
