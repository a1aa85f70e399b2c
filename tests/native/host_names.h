// What stands in a random program for a function or a struct of whoever runs it, and the ids they have there.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "btf/btf.h"

namespace ring3::native {

/// In the imm of a call of a host function.
enum KfuncNumber : std::uint32_t {
  kCast = 1,
  kIterNew,
  kIterNext,
  kIterDestroy,
  kRcuLock,
  kRcuUnlock,
  kPreemptDisable,
  kPreemptEnable,
  kDynptrFromSkb,
  kSlice,
  kSliceRdwr,
  kAdjust,
  kIsNull,
  kIsRdonly,
  kDynptrSize,
  kClone,
  kObjNew,
  kObjDrop,
  kThrow,
  kFirstOfHost,  // from here on no kernel has them
  kHostU8 = kFirstOfHost,
  kHostS8,
  kHostU16,
  kHostS16,
  kHostU32,
  kHostS32,
  kHostU64,
  kHostBool,
  kHostNothing,
  kHostSum,
  kHostPlace,
  kHostNode,
  kKfuncNumbersEnd
};

/// In the imm of a wide immediate of kNamesType.
enum TypeNumber : std::uint32_t { kNodeType = 1, kFrameType, kTimeType, kTypeNumbersEnd };

class HostNames {
 public:
  HostNames() = default;
  explicit HostNames(const btf::Btf& btf);
  /// 0: not there.
  btf::TypeId kfunc(std::uint32_t number) const { return number < kKfuncNumbersEnd ? kfuncs_[number] : 0; }
  btf::TypeId type(std::uint32_t number) const { return number < kTypeNumbersEnd ? types_[number] : 0; }

 private:
  std::array<btf::TypeId, kKfuncNumbersEnd> kfuncs_{};
  std::array<btf::TypeId, kTypeNumbersEnd> types_{};
};

/// Those of the machine's kernel; none where it shows no BTF.
HostNames kernel_names();

}  // namespace ring3::native
