#include "model/rights.h"

#include <gtest/gtest.h>

#include "model/prog_kind.h"
#include "uapi/bpf.h"

namespace ring3::model {
namespace {

TEST(RightsTest, NothingIsAllowedWithoutRights) {
  const Rights nobody;
  for (const Allowance what : {Allowance::kPointerLeaks, Allowance::kUninitStack, Allowance::kUnmaskedArithmetic,
                               Allowance::kUnfencedStores, Allowance::kHostFields, Allowance::kLoops,
                               Allowance::kFunctions, Allowance::kSpilledNumbers, Allowance::kImpreciseNumbers,
                               Allowance::kLongPrograms, Allowance::kAnyProgType})
    EXPECT_FALSE(is_allowed(nobody, what)) << allowance_text(what);
}

TEST(RightsTest, TheAdministratorMayEverything) {
  const Rights admin{.sys_admin = true};
  EXPECT_TRUE(is_allowed(admin, Allowance::kPointerLeaks));
  EXPECT_TRUE(is_allowed(admin, Allowance::kFunctions));
  EXPECT_TRUE(may_create_map(uapi::BPF_MAP_TYPE_SOCKMAP, admin));
}

TEST(RightsTest, CapBpfAloneStillHidesAddresses) {
  const Rights bpf{.bpf = true};
  EXPECT_TRUE(is_allowed(bpf, Allowance::kLoops));
  EXPECT_FALSE(is_allowed(bpf, Allowance::kPointerLeaks));
  EXPECT_FALSE(is_allowed(bpf, Allowance::kUnmaskedArithmetic));
}

TEST(RightsTest, AddressesMayBeGivenUp) {
  Rights rights = Rights::all();
  rights.keeps_addresses = true;
  EXPECT_FALSE(is_allowed(rights, Allowance::kPointerLeaks));
  EXPECT_FALSE(is_allowed(rights, Allowance::kUninitStack));
  EXPECT_TRUE(is_allowed(rights, Allowance::kUnmaskedArithmetic));
  EXPECT_TRUE(is_allowed(rights, Allowance::kHostFields));
  EXPECT_TRUE(is_allowed(rights, Allowance::kLoops));
}

TEST(RightsTest, MapsForEverybodyAndMapsForSome) {
  const Rights nobody, bpf{.bpf = true}, net{.net_admin = true};
  EXPECT_TRUE(may_create_map(uapi::BPF_MAP_TYPE_HASH, nobody));
  EXPECT_FALSE(may_create_map(uapi::BPF_MAP_TYPE_LRU_HASH, nobody));
  EXPECT_TRUE(may_create_map(uapi::BPF_MAP_TYPE_LRU_HASH, bpf));
  EXPECT_FALSE(may_create_map(uapi::BPF_MAP_TYPE_SOCKMAP, bpf));
  EXPECT_TRUE(may_create_map(uapi::BPF_MAP_TYPE_SOCKMAP, net));
  EXPECT_FALSE(may_create_map(12345, nobody));
}

TEST(RightsTest, OnlyTwoTypesOfProgramAreForEverybody) {
  const Rights nobody;
  for (std::uint32_t type = 1; type < uapi::__MAX_BPF_PROG_TYPE; ++type) {
    const ProgKindRow* kind = find_prog_kind(type);
    ASSERT_NE(kind, nullptr) << type;
    const bool everybody = type == uapi::BPF_PROG_TYPE_SOCKET_FILTER || type == uapi::BPF_PROG_TYPE_CGROUP_SKB;
    EXPECT_EQ(may_load(*kind, nobody), everybody) << kind->name;
  }
  EXPECT_EQ(max_program_insns(nobody), 4096u);
  EXPECT_EQ(max_program_insns(Rights::all()), 1'000'000u);
}

}  // namespace
}  // namespace ring3::model
