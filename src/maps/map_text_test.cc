#include "maps/map_text.h"

#include <gtest/gtest.h>

#include <array>

#include "btf/builder.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

struct Value {
  std::uint32_t hits;
  std::int32_t left;
};

MapSpec typed(std::uint32_t type, std::uint32_t entries) {
  btf::Builder b;
  MapSpec s = spec(type, 4, sizeof(Value), entries);
  s.key_type = b.add_int("unsigned int", 4);
  const btf::TypeId i = b.add_int("int", 4, 1);
  s.value_type = b.add_struct("value", sizeof(Value), {{"hits", s.key_type, 0}, {"left", i, 32}});
  StringSink log;
  s.btf = btf::Btf::parse(b.finish(), nullptr, log).value();
  return s;
}

constexpr const char* kWarning =
    "# WARNING!! The output is for debug purpose only\n# WARNING!! The output format will change\n";

TEST(MapTextTest, ElementsPrintAsOnBpffs) {
  FakeHost host;
  auto m = make(host, typed(BPF_MAP_TYPE_ARRAY, 2)).value();
  EXPECT_EQ(update(*m, std::uint32_t{1}, Value{7, -1}), 0);
  StringSink text, json;
  EXPECT_TRUE(print_elements(*m, text).ok());
  EXPECT_EQ(text.text(), std::string(kWarning) + "0: {0,0}\n1: {7,-1}\n");
  EXPECT_TRUE(print_elements_json(*m, json).ok());
  EXPECT_EQ(json.text(), R"([{"key":0,"value":{"hits":0,"left":0}},{"key":1,"value":{"hits":7,"left":-1}}])");
}

TEST(MapTextTest, StoredReferencesPrintAsWhatTheyAre) {
  class Host final : public FakeHost {
   public:
    Releaser releaser(const model::Field&) override { return {[](void*, const void*) {}, nullptr}; }
    std::string object_text(const model::Field&, const void* object) override {
      return "thing #" + std::to_string(*static_cast<const int*>(object));
    }
  } host;
  btf::Builder b;
  MapSpec s = spec(BPF_MAP_TYPE_ARRAY, 4, 16, 2);
  s.key_type = b.add_int("unsigned int", 4);
  const btf::TypeId u64 = b.add_int("unsigned long long", 8);
  const btf::TypeId thing = b.add_struct("thing", 8, {{"id", u64, 0}});
  s.value_type = b.add_struct("value", 16, {{"n", u64, 0}, {"held", b.add_ptr(b.add_type_tag("kptr", thing)), 64}});
  StringSink log;
  s.btf = btf::Btf::parse(b.finish(), nullptr, log).value();
  s.fields.fields.push_back({model::FieldKind::kKptrRef, 8, 8, s.btf, thing, 0});
  auto m = make(host, s).value();
  const int object = 17;
  {
    rcu::ReadSection readers;
    find<const int*>(*m, std::uint32_t{1})[1] = &object;
  }
  StringSink text, json;
  EXPECT_TRUE(print_elements(*m, text).ok());
  EXPECT_EQ(text.text(), std::string(kWarning) + "0: {0,0x0}\n1: {0,0x0}\n") << "a pinned map shows zeros, as on Linux";
  EXPECT_TRUE(print_elements_json(*m, json).ok());
  EXPECT_EQ(json.text(), R"([{"key":0,"value":{"n":0,"held":0}},{"key":1,"value":{"n":0,"held":"thing #17"}}])");
}

TEST(MapTextTest, PerCpuValuesPrintPerCpu) {
  FakeHost host(2);
  auto m = make(host, typed(BPF_MAP_TYPE_PERCPU_HASH, 4)).value();
  EXPECT_EQ(update(*m, std::uint32_t{5}, std::array<Value, 2>{Value{1, 2}, Value{3, 4}}), 0);
  StringSink text, json;
  EXPECT_TRUE(print_elements(*m, text).ok());
  EXPECT_EQ(text.text(), std::string(kWarning) + "5: {\n\tcpu0: {1,2}\n\tcpu1: {3,4}\n}\n");
  EXPECT_TRUE(print_elements_json(*m, json).ok());
  EXPECT_EQ(json.text(), R"([{"key":5,"values":[{"cpu":0,"value":{"hits":1,"left":2}},)"
                         R"({"cpu":1,"value":{"hits":3,"left":4}}]}])");
}

TEST(MapTextTest, GlobalDataHasNoKey) {
  FakeHost host;
  MapSpec s = typed(BPF_MAP_TYPE_ARRAY, 1);
  auto plain = s;
  btf::Builder b;
  const btf::TypeId i = b.add_int("int", 4, 1);
  const btf::TypeId var = b.add_var("counter", i, btf::Linkage::kGlobal);
  const btf::SecVar in{var, 0, 4};
  s.value_type = b.add_datasec(".bss", 4, std::span(&in, 1));
  s.key_type = 0;
  s.value_size = 4;
  StringSink log;
  s.btf = btf::Btf::parse(b.finish(), nullptr, log).value();
  auto m = make(host, s).value();
  StringSink text;
  EXPECT_TRUE(print_elements(*m, text).ok());
  EXPECT_EQ(text.text().substr(std::string_view(kWarning).size()).find("0: "), std::string::npos) << text.text();
}

TEST(MapTextTest, MapsThatDoNotPrintSaySo) {
  FakeHost host;
  StringSink text;
  auto untyped = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 2)).value();
  EXPECT_EQ(print_elements(*untyped, text).error(), Errno::kIo);
  auto queue = make(host, spec(BPF_MAP_TYPE_QUEUE, 0, 4, 2)).value();
  EXPECT_EQ(print_elements_json(*queue, text).error(), Errno::kIo);
  EXPECT_TRUE(text.text().empty());
}

}  // namespace
}  // namespace ring3::maps
