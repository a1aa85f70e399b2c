// Records of a size the client chooses (behaviour.md E.4.1): what is known of them is told when there is more.
#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <string>

#include "btf/builder.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

/// The attribute's fields of one kind of record.
struct Kind {
  const char* name;
  std::uint32_t known_bytes;
  uapi::__u64 uapi::bpf_attr::*address;
  uapi::__u32 uapi::bpf_attr::*count;
  uapi::__u32 uapi::bpf_attr::*bytes;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

using A = uapi::bpf_attr;
const Kind kKinds[] = {{"func_info", 8, &A::func_info, &A::func_info_cnt, &A::func_info_rec_size},
                       {"line_info", 16, &A::line_info, &A::line_info_cnt, &A::line_info_rec_size},
                       {"core_relo", 16, &A::core_relos, &A::core_relo_cnt, &A::core_relo_rec_size}};

class Records : public World, public ::testing::WithParamInterface<Kind> {
 protected:
  Records() : load_(client_->prepare({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS})) {
    load_.attr.prog_btf_fd = static_cast<std::uint32_t>(client_->user_btf());
    load_.attr.*kind().address = reinterpret_cast<std::uintptr_t>(record_.data());
    load_.attr.*kind().count = 1;
  }
  static const Kind& kind() { return GetParam(); }
  long load(std::uint32_t record_bytes) {
    load_.attr.*kind().bytes = record_bytes;
    return bpf().bpf(uapi::BPF_PROG_LOAD, load_.attr);
  }

  alignas(8) std::array<std::byte, 256> record_{};
  PreparedLoad load_;
};

TEST_P(Records, E_17_LargerOnesMustBeZeroBehindWhatIsKnown) {
  record_[kind().known_bytes] = std::byte{1};
  EXPECT_EQ(load(kind().known_bytes + 4), -E2BIG);
  EXPECT_EQ(load_.attr.*kind().bytes, kind().known_bytes);
}

TEST_P(Records, E_17_SizesThatCannotBeAreRefusedAndStay) {
  for (const std::uint32_t bytes : {4u, kind().known_bytes + 2, 256u}) {
    EXPECT_EQ(load(bytes), -EINVAL) << bytes;
    EXPECT_EQ(load_.attr.*kind().bytes, bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Records, ::testing::ValuesIn(kKinds), [](const auto& each) { return std::string(each.param.name); });

/// The offset of a member of `thing`, by a record.
class CorePlaces : public World {
 protected:
  /// insn_off: the record's.
  long load_record(std::uint32_t insn_off, bool debug_info = true) {
    btf::Builder b;
    const auto i32 = b.add_int("int", 4, 1);
    const auto local = b.add_struct("thing", 8, {{"id", i32, 0}, {"nowhere", i32, 32}});
    const auto main = b.add_func("main", b.add_proto(i32, {}), btf::Linkage::kGlobal);
    const std::uint32_t record[] = {insn_off, local, b.string("0:0"), 0 /* byte offset of a field */};
    const std::uint32_t func[] = {0, main};
    constexpr std::string_view text = "r1 = 0\nr0 = 0\nexit";
    PreparedLoad load = bpf().prepare({.text = text, .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
    load.attr.prog_btf_fd = static_cast<std::uint32_t>(bpf().load_btf(b.finish()));
    load.attr.core_relos = reinterpret_cast<std::uintptr_t>(record);
    load.attr.core_relo_cnt = 1;
    load.attr.core_relo_rec_size = sizeof record;
    if (debug_info) {
      load.attr.func_info = reinterpret_cast<std::uintptr_t>(func);
      load.attr.func_info_cnt = 1;
      load.attr.func_info_rec_size = sizeof func;
    }
    const long result = bpf().bpf(uapi::BPF_PROG_LOAD, load.attr);
    log_text_ = load.log.data();
    return result;
  }
  bool said(std::string_view words) const { return log_text_.find(words) != std::string::npos; }

  std::string log_text_;
};

TEST_F(CorePlaces, E_17_RecordsStandAtInstructions) {
  EXPECT_GT(load_record(0), 0) << log_text_;
  EXPECT_EQ(load_record(4), -EINVAL);
  EXPECT_TRUE(said("instruction offset 4 is not in the program")) << log_text_;
  EXPECT_EQ(load_record(24), -EINVAL);
  EXPECT_EQ(load_record(0, false), -EINVAL);
  EXPECT_TRUE(said("need the program's BTF and function or line info")) << log_text_;
}

}  // namespace
}  // namespace ring3::test
