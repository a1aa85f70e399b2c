#include "model/member_trust.h"

namespace ring3::model {
namespace {

struct Row {
  std::string_view owner, member;
  MemberTrust trust;
};
constexpr Row kRows[] = {
#define RING3_MEMBER_TRUST(owner, member, trust) {#owner, #member, MemberTrust::trust},
#include "model/member_trust.def"
#undef RING3_MEMBER_TRUST
};

}  // namespace

MemberTrust member_trust(std::string_view struct_name, std::string_view member) {
  for (const Row& row : kRows)
    if (row.owner == struct_name && row.member == member) return row.trust;
  return MemberTrust::kUnknown;
}

}  // namespace ring3::model
