// What is known of pointers inside host structs beyond their type, as rows: member_trust.def.
#pragma once

#include <cstdint>
#include <string_view>

namespace ring3::model {

enum class MemberTrust : std::uint8_t {
  kUnknown,
  kTrusted,        // valid as long as the struct is
  kTrustedOrNull,
  kRcu,            // valid for a read section
  kRcuOrNull,
};

MemberTrust member_trust(std::string_view struct_name, std::string_view member);

}  // namespace ring3::model
