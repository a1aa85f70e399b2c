// The E checks of CO-RE records that come with a load (behaviour.md E.4): records that cannot be, and fields that this host lacks.
#include <gtest/gtest.h>

#include <vector>

#include "btf/builder.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

struct FuncRecord { std::uint32_t insn_off, type; };
struct CoreRecord { std::uint32_t insn_off, type, access, kind; };
constexpr std::uint32_t kByteOffset = 0, kFieldExists = 2;
constexpr std::uint32_t kInsnBytes = 8;

/// A program that asks for a member of `thing` which the host's has not.
class CoreRecords : public World {
 protected:
  CoreRecords() {
    btf::Builder b;
    const btf::TypeId word = b.add_int("unsigned int", 4), wide = b.add_int("unsigned long long", 8);
    thing_ = b.add_struct("thing", 16, {{"id", wide, 0}, {"gone", word, 64}});
    gone_ = b.string("0:1");
    const btf::TypeId number = b.add_int("int", 4, 1);
    main_ = b.add_func("main", b.add_proto(number, {{"ctx", b.add_ptr(0)}}), btf::Linkage::kGlobal);
    btf_ = client_->load_btf(b.finish());
    EXPECT_GT(btf_, 0) << client_->log();
  }
  CoreRecord gone(std::uint32_t insn_off, std::uint32_t kind) const { return {insn_off, thing_, gone_, kind}; }
  long load(std::string_view text, std::vector<CoreRecord> records, bool with_function = true) {
    PreparedLoad sent = bpf().prepare({.text = text, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
    const FuncRecord function{0, main_};
    sent.attr.prog_btf_fd = static_cast<std::uint32_t>(btf_);
    if (with_function) {
      sent.attr.func_info = reinterpret_cast<std::uintptr_t>(&function);
      sent.attr.func_info_cnt = 1;
      sent.attr.func_info_rec_size = sizeof function;
    }
    sent.attr.core_relos = reinterpret_cast<std::uintptr_t>(records.data());
    sent.attr.core_relo_cnt = static_cast<std::uint32_t>(records.size());
    sent.attr.core_relo_rec_size = sizeof(CoreRecord);
    const long fd = bpf().create_with(uapi::BPF_PROG_LOAD, sent.attr);
    text_ = sent.log.data();
    return fd;
  }
  bool says(std::string_view words) const { return text_.find(words) != std::string::npos; }

  std::uint32_t thing_ = 0, main_ = 0, gone_ = 0;
  long btf_ = -1;
  std::string text_;
};

constexpr std::string_view kAsksFirst = "r1 = 1\nif r1 == 0 goto pc+1\nr2 = 8\nr0 = 0\nexit";

TEST_F(CoreRecords, E_19_WhatIsMissingMayStandWhereNobodyComes) {
  EXPECT_GT(load(kAsksFirst, {gone(0, kFieldExists), gone(2 * kInsnBytes, kByteOffset)}), 0) << text_;
}

TEST_F(CoreRecords, E_19_WhatIsMissingIsRefusedWhereItIsReached) {
  EXPECT_EQ(load("r2 = 8\nr0 = 0\nexit", {gone(0, kByteOffset)}), -EINVAL);
  EXPECT_TRUE(says("CO-RE relocation #0") && says("thing")) << text_;
}

TEST_F(CoreRecords, E_17_RecordsStandAtInstructions) {
  EXPECT_EQ(load(kAsksFirst, {gone(4, kFieldExists)}), -EINVAL);
  EXPECT_EQ(load(kAsksFirst, {gone(5 * kInsnBytes, kFieldExists)}), -EINVAL);
  EXPECT_EQ(load(kAsksFirst, {gone(0, kFieldExists)}, false), -EINVAL) << "without function info nobody says which types are meant";
  EXPECT_FALSE(text_.empty());
  EXPECT_EQ(load(kAsksFirst, {{0, 99'999, gone_, kFieldExists}}), -EINVAL);
  EXPECT_EQ(load(kAsksFirst, {{0, thing_, 99'999, kFieldExists}}), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
