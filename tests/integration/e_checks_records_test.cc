// Records of a size the client chooses (behaviour.md E.4.1): what is known of them is told when there is more.
#include <gtest/gtest.h>

#include <array>
#include <ostream>
#include <string>

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

TEST_P(Records, LargerOnesMustBeZeroBehindWhatIsKnown) {
  record_[kind().known_bytes] = std::byte{1};
  EXPECT_EQ(load(kind().known_bytes + 4), -E2BIG);
  EXPECT_EQ(load_.attr.*kind().bytes, kind().known_bytes);
}

TEST_P(Records, SizesThatCannotBeAreRefusedAndStay) {
  for (const std::uint32_t bytes : {4u, kind().known_bytes + 2, 256u}) {
    EXPECT_EQ(load(bytes), -EINVAL) << bytes;
    EXPECT_EQ(load_.attr.*kind().bytes, bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Records, ::testing::ValuesIn(kKinds), [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace ring3::test
