// The BTF that ring3_add_btf() makes of a header holds what stock tools look for (behaviour.md 0.2.1, A.1.2).
#include <gtest/gtest.h>

#include <algorithm>

#include "btf/btf.h"
#include "sample_btf.h"
#include "sample_host.h"

namespace ring3::btf {
namespace {

class BtfHostTest : public testing::Test {
 protected:
  void SetUp() override {
    StringSink log;
    const auto* bytes = static_cast<const std::byte*>(sample_btf.data);
    auto parsed = Btf::parse({bytes, sample_btf.size}, nullptr, log);
    ASSERT_TRUE(parsed.ok()) << log.text();
    btf_ = parsed.value();
  }
  TypeId must_find(std::string_view name, Kind kind) {
    const TypeId id = btf_->find(name, kind);
    EXPECT_NE(id, kVoid) << name;
    return id;
  }
  std::shared_ptr<const Btf> btf_;
};

TEST_F(BtfHostTest, HoldsTheRecordsStockToolsLookFor) {
  for (const char* name : {"bpf_cmd", "bpf_map_type", "bpf_prog_type", "bpf_attach_type", "bpf_link_type"})
    must_find(name, Kind::kEnum);
  EXPECT_EQ(btf_->size_of(must_find("bpf_map_info", Kind::kStruct)), 104u);
  for (const char* name : {"bpf_spin_lock", "bpf_timer", "bpf_list_head", "xdp_md", "__sk_buff"})
    must_find(name, Kind::kStruct);
}

TEST_F(BtfHostTest, HoldsEveryTypeOfTheHeader) {
  const TypeId item = must_find("sample_item", Kind::kStruct);
  EXPECT_EQ(btf_->size_of(item), sizeof(sample_item));
  EXPECT_EQ(btf_->find_member(item, "high")->bitfield_bits, 5);
  EXPECT_EQ(btf_->find_member(item, "next")->bit_off, offsetof(sample_item, next) * 8);
  must_find("sample_unused", Kind::kStruct);
  must_find("sample_word", Kind::kUnion);
  must_find("sample_color", Kind::kEnum);
  must_find("sample_compare", Kind::kTypedef);
  must_find("__u64", Kind::kTypedef);
  must_find("sample_node", Kind::kFwd);
}

TEST_F(BtfHostTest, KeepsNamelessConstants) {
  for (TypeId id = 1; id < btf_->end_id(); ++id) {
    if (btf_->type(id)->kind != Kind::kEnum || !btf_->type(id)->name.empty()) continue;
    const std::vector<Enumerator> values = btf_->enumerators(id);
    if (values[0].name != "SAMPLE_SLOTS") continue;
    EXPECT_EQ(values[0].value, SAMPLE_SLOTS);
    EXPECT_EQ(values[1].value, SAMPLE_LAST);
    return;
  }
  FAIL() << "no enumerator SAMPLE_SLOTS";
}

TEST_F(BtfHostTest, WrapsOpsTypes) {
  const TypeId ops = must_find("sample_ops", Kind::kStruct);
  const TypeId wrapper = must_find("bpf_struct_ops_sample_ops", Kind::kStruct);
  ASSERT_EQ(btf_->type(wrapper)->vlen, 2);
  const Member common = btf_->member(wrapper, 0);
  EXPECT_EQ(btf_->type(common.type)->name, "bpf_struct_ops_common_value");
  EXPECT_EQ(btf_->find_member(common.type, "state")->bit_off, 32u);
  const Member data = btf_->member(wrapper, 1);
  EXPECT_EQ(data.type, ops);
  EXPECT_EQ(data.bit_off, 64u * 8);
  EXPECT_EQ(btf_->size_of(wrapper), 128u);
  EXPECT_EQ(btf_->find("bpf_struct_ops_sample_item", Kind::kStruct), kVoid);
}

TEST_F(BtfHostTest, DescribesVariablesAndWhereTheyAre) {
  const TypeId item = must_find("sample_default", Kind::kVar), hits = must_find("sample_hits", Kind::kVar);
  EXPECT_EQ(btf_->type(item)->type, must_find("sample_item", Kind::kStruct));
  EXPECT_EQ(btf_->linkage(item), Linkage::kGlobal);
  EXPECT_EQ(btf_->size_of(btf_->type(hits)->type), 8u);
  const auto plain = btf_->section_vars(must_find(".data", Kind::kDatasec));
  const auto percpu = btf_->section_vars(must_find(".data..percpu", Kind::kDatasec));
  ASSERT_EQ(plain.size(), 1u);
  ASSERT_EQ(percpu.size(), 1u);
  EXPECT_EQ(plain[0].var, item);
  EXPECT_EQ(percpu[0].var, hits);
  EXPECT_EQ(btf_->find("sample_not_shown", Kind::kVar), kVoid);
}

TEST_F(BtfHostTest, DescribesFunctionsWithTheirParameters) {
  const TypeId kfunc = must_find("sample_first", Kind::kFunc);
  EXPECT_EQ(btf_->linkage(kfunc), Linkage::kGlobal);
  EXPECT_EQ(btf_->decl_tags(kfunc, -1), std::vector<std::string_view>{"bpf_kfunc"});
  EXPECT_EQ(btf_->param(btf_->type(kfunc)->type, 0).name, "slot");
  const TypeId stub = must_find("sample_ops__admit", Kind::kFunc);
  EXPECT_EQ(btf_->param(btf_->type(stub)->type, 0).name, "item__nullable");
  EXPECT_TRUE(btf_->decl_tags(stub, -1).empty());
  must_find("sample_event", Kind::kFunc);
  EXPECT_EQ(btf_->find("sample_is_red", Kind::kFunc), kVoid);
}

TEST_F(BtfHostTest, LeavesNothingOfTheMachineryBehind) {
  for (TypeId id = 1; id < btf_->end_id(); ++id) {
    const Type& t = *btf_->type(id);
    if (t.name.starts_with("sample_") || t.name.starts_with(".data")) continue;  // the header's own
    EXPECT_NE(t.kind, Kind::kVar) << t.name;
    EXPECT_NE(t.kind, Kind::kDatasec) << t.name;
    EXPECT_EQ(t.name.find("mention"), std::string_view::npos) << t.name;
  }
}

}  // namespace
}  // namespace ring3::btf
