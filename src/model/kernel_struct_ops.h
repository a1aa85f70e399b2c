// Linux's own struct_ops types, for judging programs by a kernel's BTF: what is known of them beyond it (kernel_struct_ops.def).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ring3::model {

enum class OpsFact : std::uint8_t { kUnsupported, kSleepable, kDenied, kWritable, kKnown };

struct KernelOpsRow {
  OpsFact fact;
  std::string_view type;    // the ops struct
  std::string_view struct_name;  // kWritable, kKnown; else ""
  std::string_view name;    // member, field, or the struct that is known to be there
  std::uint32_t helper = 0; // kDenied
};

std::span<const KernelOpsRow> kernel_struct_ops();

}  // namespace ring3::model
