// The rows against data/probe_*.tsv, what a 6.12 kernel answered: a row that disagrees with the evidence fails, in either
// direction.
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "isa/helper_names.h"
#include "model/ctx_layout.h"
#include "model/helper.h"
#include "model/kernel_kfuncs.h"
#include "model/map_helpers.h"
#include "model/prog_kind.h"
#include "model/sock_fields.h"
#include "model/target_lists.h"
#include "tests/support/tsv.h"
#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using test::number;
using Row = test::TsvRow;

std::vector<Row> read_table(const std::string& name) {
  std::vector<Row> rows = test::read_tsv("data/" + name);
  EXPECT_FALSE(rows.empty()) << name << " is missing or empty";
  return rows;
}

struct ProbedKind {
  std::uint32_t type = 0, attach = 0;
  ProgViews view() const { return prog_view(type, attach); }
};

/// The kinds of probe_kinds.tsv, by name.
std::map<std::string, ProbedKind> probed_kinds() {
  std::map<std::string, ProbedKind> kinds;
  for (const Row& row : read_table("probe_kinds.tsv"))
    kinds[row.at("kind")] = {number(row.at("type")), number(row.at("attach"))};
  return kinds;
}

Rights with(bool perfmon, bool sys_admin) { return {true, perfmon, true, sys_admin}; }

TEST(EvidenceTest, KindsReturnAndNeedWhatTheKernelSays) {
  for (const Row& row : read_table("probe_kinds.tsv")) {
    SCOPED_TRACE(row.at("kind"));
    const ProgKindRow* kind = find_prog_kind(number(row.at("type")));
    ASSERT_NE(kind, nullptr);
    EXPECT_EQ((kind->rights & kRightBpf) != 0, row.at("bpf") == "1");
    EXPECT_EQ((kind->rights & kRightPerfmon) != 0, row.at("perfmon") == "1");
    EXPECT_EQ((kind->rights & kRightNetAdmin) != 0, row.at("net_admin") == "1");
    const std::uint32_t attach = number(row.at("attach"));
    ReturnRange range = return_range(*kind, attach);
    if (row.at("kind") == "LSM/bprm") range = lsm_return_range(attach, "bpf_lsm_bprm_committed_creds", true);
    if (row.at("kind") == "LSM/cgroup_void") range = lsm_return_range(attach, "bpf_lsm_sk_free_security", true);
    EXPECT_EQ(range.any, row.at("min") == "-");
    if (!range.any) {
      EXPECT_EQ(std::to_string(range.min), row.at("min"));
      EXPECT_EQ(std::to_string(range.max), row.at("max"));
    }
  }
}

/// Helpers that the probed struct_ops type offers beyond those of every program.
bool is_offered_by_struct_ops(std::uint32_t helper) {
  for (std::uint32_t id : struct_ops_helpers("tcp_congestion_ops"))
    if (id == helper) return true;
  return false;
}

TEST(EvidenceTest, EveryHelperTheKernelOffersIsOfferedHereAndNoOther) {
  std::map<std::pair<std::string, std::uint32_t>, Row> probed;
  for (const Row& row : read_table("probe_helpers.tsv")) probed[{row.at("kind"), number(row.at("helper"))}] = row;
  for (const auto& [name, kind] : probed_kinds()) {
    for (std::uint32_t id = 1; id < uapi::__BPF_FUNC_MAX_ID; ++id) {
      SCOPED_TRACE(name + " " + std::string(isa::helper_name(id)));
      const HelperProto* row = find_helper(id, kind.view());
      const auto seen = probed.find({name, id});
      if (kind.view() == kViewStructOps && is_offered_by_struct_ops(id)) {
        EXPECT_NE(seen, probed.end());
        continue;
      }
      if (id == uapi::BPF_FUNC_override_return) continue;  // only where the kernel is configured for it
      if (row != nullptr && kind.view() == kViewLsmCgroup && !helper_allows_target(*row, kind.view(), "bpf_lsm_socket_bind"))
        continue;  // known to the kind, but not to the probed hook
      if (row != nullptr && kind.view() == kViewTraceIter && !helper_allows_target(*row, kind.view(), "bpf_iter_task"))
        continue;  // the same
      EXPECT_EQ(row != nullptr, seen != probed.end());
      if (row == nullptr || seen == probed.end()) continue;
      const std::string& needs = seen->second.at("needs");
      EXPECT_TRUE(may_call(*row, kind.view(), Rights::all()));
      EXPECT_EQ(may_call(*row, kind.view(), with(true, false)), needs != "sys_admin");
      const bool traces = (find_prog_kind(kind.type)->rights & kRightPerfmon) != 0;
      if (!traces) {
        EXPECT_EQ(may_call(*row, kind.view(), with(false, false)), needs == "-" || needs == "bpf");
      }
      if (kind.type == uapi::BPF_PROG_TYPE_SOCKET_FILTER) {
        EXPECT_EQ(may_call(*row, kind.view(), Rights{}), needs == "-");
      }
      // LSM and struct_ops programs are refused for their licence before a helper is looked at.
      // bpf_get_func_ip of the newer attach types of kprobes is free of the licence: stricter here.
      const bool func_ip_of_kprobe = id == uapi::BPF_FUNC_get_func_ip && kind.type == uapi::BPF_PROG_TYPE_KPROBE;
      if (kind.type != uapi::BPF_PROG_TYPE_LSM && kind.type != uapi::BPF_PROG_TYPE_STRUCT_OPS && !func_ip_of_kprobe) {
        EXPECT_EQ((row->flags & kHelperGplOnly) != 0, seen->second.at("gpl_only") == "1");
      }
      if (seen->second.at("sleeps") == "1") {
        EXPECT_NE(row->flags & kHelperMaySleep, 0u);
      }
    }
  }
}

std::string kind_name_of(const CtxAccess& access) {
  std::string host;
  if (access.kind == RegKind::kHostStruct) host = ctx_fields()[access.row].host_struct;
  return kind_text(access.kind, access.flags) + host;
}

TEST(EvidenceTest, ContextsAreReadAndWrittenAsTheKernelSays) {
  const auto kinds = probed_kinds();
  std::map<std::string, std::map<std::pair<std::uint32_t, std::uint32_t>, Row>> probed;
  for (const Row& row : read_table("probe_ctx.tsv"))
    probed[row.at("kind")][{number(row.at("offset")), number(row.at("size"))}] = row;
  for (const auto& [name, accesses] : probed) {
    const ProbedKind& kind = kinds.at(name);
    const ProgKindRow& row = *find_prog_kind(kind.type);
    for (std::uint32_t off = 0; off < 256; ++off) {
      for (const std::uint32_t size : {1u, 2u, 4u, 8u}) {
        SCOPED_TRACE(name + " offset " + std::to_string(off) + " size " + std::to_string(size));
        const auto seen = accesses.find({off, size});
        const std::string load = seen == accesses.end() ? "-" : seen->second.at("load");
        const std::string store = seen == accesses.end() ? "-" : seen->second.at("store");
        const std::string needs = seen == accesses.end() ? "-" : seen->second.at("needs_bpf");
        if (row.ctx_rule == CtxRule::kReadBytes) {
          EXPECT_EQ(load, off % size == 0 && off + size <= row.ctx_bytes ? "scalar" : "-");
          EXPECT_EQ(store, "-");
          continue;
        }
        ASSERT_EQ(row.ctx_rule, CtxRule::kLayout);
        const auto at = static_cast<std::int32_t>(off);
        const CtxAccess read = check_ctx_layout(kind.view(), at, size, false, true);
        EXPECT_EQ(read.row == kNoCtxRow ? "-" : kind_name_of(read), load);
        const CtxAccess write = check_ctx_layout(kind.view(), at, size, true, true);
        EXPECT_EQ(write.row != kNoCtxRow, store == "yes");
        const bool poor_read = check_ctx_layout(kind.view(), at, size, false, false).row != kNoCtxRow;
        EXPECT_EQ(poor_read, load != "-" && needs.find('l') == std::string::npos);
        const bool poor_write = check_ctx_layout(kind.view(), at, size, true, false).row != kNoCtxRow;
        EXPECT_EQ(poor_write, store != "-" && needs.find('s') == std::string::npos);
      }
    }
  }
}

TEST(EvidenceTest, EveryHelperNumberHasARow) {
  for (std::uint32_t id = 1; id < uapi::__BPF_FUNC_MAX_ID; ++id) {
    const HelperProto* row = find_helper(id);
    ASSERT_NE(row, nullptr) << isa::helper_name(id);
    EXPECT_EQ(row->id, id);
  }
  EXPECT_EQ(find_helper(0), nullptr);
  EXPECT_EQ(find_helper(uapi::__BPF_FUNC_MAX_ID), nullptr);
  EXPECT_EQ(find_helper(UINT32_MAX, kViewXdp), nullptr);
}

TEST(EvidenceTest, RowsOfOneHelperAgreeInTheirFlags) {
  constexpr std::uint32_t kByKind = kHelperGplOnly | kHelperTargetList;
  for (const HelperProto& row : helper_rows())
    EXPECT_EQ(row.flags | kByKind, find_helper(row.id)->flags | kByKind) << isa::helper_name(row.id);
}

TEST(EvidenceTest, KernelFunctionsHaveTheFlagsAndTheCallersTheKernelSays) {
  const auto kinds = probed_kinds();
  std::set<std::string> seen;
  for (const Row& row : read_table("probe_kfuncs.tsv")) {
    SCOPED_TRACE(row.at("kfunc"));
    seen.insert(row.at("kfunc"));
    const KernelKfunc* kfunc = find_kernel_kfunc(row.at("kfunc"));
    ASSERT_NE(kfunc, nullptr);
    EXPECT_EQ(kfunc->flags, std::stoul(row.at("flags"), nullptr, 16));
    std::set<std::uint32_t> may;
    std::istringstream names(row.at("kinds"));
    for (std::string name; std::getline(names, name, ',');) may.insert(kinds.at(name).type);
    for (const auto& [name, kind] : kinds)
      EXPECT_EQ(kfunc->prog_types >> kind.type & 1, may.count(kind.type)) << name;
  }
  for (const KernelKfunc& kfunc : kernel_kfuncs()) EXPECT_EQ(seen.count(std::string(kfunc.name)), 1u) << kfunc.name;
}

TEST(EvidenceTest, SocketFieldsAreWhatTheKernelShows) {
  const std::map<std::string, RegKind> kinds{
      {"sock_common", RegKind::kSockCommon}, {"sock", RegKind::kSocket}, {"tcp_sock", RegKind::kTcpSock}};
  std::set<std::tuple<std::string, std::uint32_t, std::uint32_t>> shown;
  for (const Row& row : read_table("probe_pointers.tsv"))
    shown.insert({row.at("pointer"), number(row.at("offset")), number(row.at("size"))});
  for (const auto& [name, kind] : kinds)
    for (std::uint32_t off = 0; off < 128; ++off)
      for (const std::uint32_t size : {1u, 2u, 4u, 8u})
        EXPECT_EQ(sock_field_readable(kind, static_cast<std::int32_t>(off), size), shown.count({name, off, size}) != 0)
            << name << " " << off << " " << size;
  EXPECT_TRUE(shown.count({"flow_keys", kFlowKeysBytes - 8, 8}) != 0 && shown.count({"flow_keys", kFlowKeysBytes - 7, 8}) == 0);
}

TEST(EvidenceTest, ListsOfTheKernelAreOurs) {
  std::map<std::string, std::set<std::string>> sets;
  for (const Row& row : read_table("kernel_sets.tsv")) sets[row.at("set")].insert(row.at("name"));
  for (const std::string& name : sets.at("rcu_protected_types")) EXPECT_TRUE(is_rcu_protected_type(name)) << name;
  EXPECT_FALSE(is_rcu_protected_type("inode"));
  for (const std::string& hook : sets.at("bool_lsm_hooks"))
    EXPECT_EQ(lsm_return_range(uapi::BPF_LSM_MAC, hook, false).max, 1) << hook;
  for (const std::string& hook : sets.at("sleepable_lsm_hooks")) EXPECT_TRUE(is_on(TargetList::kSleepableHooks, hook)) << hook;
  for (const std::string& hook : sets.at("bpf_lsm_disabled_hooks")) EXPECT_TRUE(is_on(TargetList::kDisabledHooks, hook)) << hook;
  for (const std::string& name : sets.at("btf_allowlist_d_path")) EXPECT_TRUE(is_on(TargetList::kDPathFunctions, name)) << name;
  for (const std::string& hook : sets.at("untrusted_lsm_hooks")) EXPECT_TRUE(is_on(TargetList::kUntrustedHooks, hook)) << hook;
  for (const char* set : {"bpf_test_modify_return_ids", "bpf_mptcp_fmodret_ids"})
    for (const std::string& name : sets.at(set)) EXPECT_TRUE(result_is_modifiable(name)) << name;
  for (const std::string& hook : sets.at("bpf_lsm_hooks"))
    EXPECT_EQ(lsm_return_range(uapi::BPF_LSM_MAC, hook, false).max, sets.at("bool_lsm_hooks").count(hook) != 0 ? 1 : 0) << hook;
}

/// A size follows memory, and memory that has no size of its own is followed by one.
TEST(EvidenceTest, SizesFollowMemory) {
  for (const HelperProto& row : helper_rows()) {
    SCOPED_TRACE(std::string(isa::helper_name(row.id)));
    for (unsigned i = 0; i < 5; ++i) {
      const bool is_size = row.args[i].kind == ArgKind::kMemSize || row.args[i].kind == ArgKind::kMemSizeOrZero;
      if (is_size && i > 0 && row.args[i - 1].kind != ArgKind::kMem) {
        EXPECT_EQ(row.id, std::uint32_t{uapi::BPF_FUNC_tcp_raw_gen_syncookie_ipv4} + (row.args[0].size == 40)) << i;
      }
      if (row.args[i].kind == ArgKind::kMem) {
        ASSERT_LT(i, 4u);
        EXPECT_TRUE(row.args[i + 1].kind == ArgKind::kMemSize || row.args[i + 1].kind == ArgKind::kMemSizeOrZero);
      }
    }
  }
}

}  // namespace
}  // namespace ring3::model
