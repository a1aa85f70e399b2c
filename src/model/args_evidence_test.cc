// Arguments and results of helpers against data/probe_args.tsv, what a 6.12 kernel's log says of them. A kernel that does
// not mark memory a helper writes (get_stack, fib_lookup, snprintf_btf and the like) is one we are stricter than: marks are
// demanded in one direction.
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "isa/helper_names.h"
#include "model/helper.h"
#include "model/prog_kind.h"
#include "tests/support/tsv.h"

namespace ring3::model {
namespace {

constexpr const char* kMemory = "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_";
constexpr const char* kSockets = "sock_common, sock, tcp_sock, xdp_sock";

/// What the log would say of an argument of this kind.
std::set<std::string> words_for(ArgKind kind) {
  switch (kind) {
    case ArgKind::kNone: return {"-"};
    case ArgKind::kAnything: return {"any"};
    case ArgKind::kScalar: return {"number"};
    case ArgKind::kConstMapPtr: return {"map_ptr"};
    case ArgKind::kMapKey:
    case ArgKind::kMapValue:
    case ArgKind::kMem:
    case ArgKind::kFixedMem: return {kMemory};
    case ArgKind::kMemSize: return {"size"};
    case ArgKind::kMemSizeOrZero: return {"size0"};
    case ArgKind::kConstAllocSize: return {"const"};
    case ArgKind::kCtx: return {"ctx"};
    case ArgKind::kConstStr:
    case ArgKind::kTimer: return {"map_value"};
    case ArgKind::kCallback: return {"func"};
    case ArgKind::kStackPtr: return {"fp"};
    case ArgKind::kRingbufMem: return {"ringbuf_mem"};
    case ArgKind::kHostStruct: return {"ptr_, trusted_ptr_, rcu_ptr_"};
    case ArgKind::kSpinLock:
    case ArgKind::kKptr: return {"map_value, ptr_"};
    case ArgKind::kKptrValue: return {"ptr_"};
    case ArgKind::kDynptr: return {"fp, dynptr_ptr"};
    case ArgKind::kPercpuVar: return {"percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_"};
    case ArgKind::kSocket: return {"sock"};
    case ArgKind::kSockCommon: return {kSockets};
    case ArgKind::kBtfSockCommon: return {std::string(kSockets) + ", ptr_, trusted_ptr_"};
  }
  return {};
}

/// "words[mark][mark]" taken apart.
struct Described {
  std::string words;
  std::set<std::string> marks;
  std::string host_struct;
  bool open_end = false;  // nothing at hand satisfied it

  explicit Described(const std::string& text) {
    words = text.substr(0, text.find('['));
    for (std::size_t at = text.find('['); at != std::string::npos; at = text.find('[', at + 1)) {
      const std::string mark = text.substr(at + 1, text.find(']', at) - at - 1);
      if (mark[0] == '=') host_struct = mark.substr(1);
      marks.insert(mark);
    }
    open_end = marks.count("?") != 0;
  }
};

/// The tool had nothing to satisfy it, and the kernel refused it in words that name no register: what follows was not read.
bool ends_the_probe(const ArgSpec& arg) {
  switch (arg.kind) {
    case ArgKind::kTimer:
    case ArgKind::kSpinLock:
    case ArgKind::kKptr:
    case ArgKind::kPercpuVar: return true;
    case ArgKind::kDynptr: return (arg.flags & kArgUninit) == 0;
    case ArgKind::kHostStruct: return arg.btf_name != nullptr && std::string_view(arg.btf_name) != "task_struct";
    default: return false;
  }
}

void compare(const HelperProto& row, const ArgSpec& arg, const Described& seen) {
  EXPECT_EQ(words_for(arg.kind).count(seen.words), 1u) << "the kernel: " << seen.words;
  const bool typed = arg.kind != ArgKind::kAnything && arg.kind != ArgKind::kNone && arg.kind != ArgKind::kMemSize &&
                     arg.kind != ArgKind::kMemSizeOrZero;
  if (typed) {
    EXPECT_EQ((arg.flags & kArgMaybeNull) != 0, seen.marks.count("null") != 0);
  }
  if (seen.marks.count("w") != 0) {
    EXPECT_NE(arg.flags & kArgWrite, 0);
  }
  if (seen.marks.count("pkt") != 0) {
    EXPECT_NE(row.flags & kHelperPacketArgs, 0u);
  }
  if (!seen.host_struct.empty()) {
    EXPECT_STREQ(arg.btf_name, seen.host_struct.c_str());
  }
}

TEST(ArgsEvidenceTest, ArgumentsAreWhatTheKernelSays) {
  std::map<std::string, ProgViews> views;
  for (const test::TsvRow& row : test::read_tsv("data/probe_kinds.tsv"))
    views[row.at("kind")] = prog_view(test::number(row.at("type")), test::number(row.at("attach")));
  int compared = 0;
  for (const test::TsvRow& probed : test::read_tsv("data/probe_args.tsv")) {
    const std::string& last = probed.at("last words");
    if (last.find("might sleep") != std::string::npos || last.find("not allowed in probe") != std::string::npos) continue;
    std::istringstream kinds(probed.at("kinds"));
    for (std::string kind; std::getline(kinds, kind, ',');) {
      SCOPED_TRACE(kind + " " + std::string(isa::helper_name(test::number(probed.at("helper")))));
      const HelperProto* row = helper_signature(test::number(probed.at("helper")), views.at(kind));
      ASSERT_NE(row, nullptr);
      for (unsigned i = 0; i < 5; ++i) {
        SCOPED_TRACE("argument " + std::to_string(i + 1));
        const Described seen(probed.at("arg" + std::to_string(i + 1)));
        if (seen.words == "?") break;
        compare(*row, row->args[i], seen);
        ++compared;
        if (seen.open_end || ends_the_probe(row->args[i])) break;
      }
    }
  }
  EXPECT_GT(compared, 1500);
}

}  // namespace
}  // namespace ring3::model
