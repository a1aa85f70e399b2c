// The bpf(2) ABI for C++: the names of bpf_abi.h inside ring3::uapi, verbatim.
// A translation unit that also needs <linux/bpf.h> (the libbpf tools) must not include this one:
// the system header defines some of these names as macros.
#pragma once

#include <cstdint>

namespace ring3::uapi {

using __u8 = std::uint8_t;
using __u16 = std::uint16_t;
using __u32 = std::uint32_t;
using __u64 = std::uint64_t;
using __s16 = std::int16_t;
using __s32 = std::int32_t;
using __s64 = std::int64_t;

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpedantic"
#pragma clang diagnostic ignored "-Wgnu-anonymous-struct"
#pragma clang diagnostic ignored "-Wnested-anon-types"
#pragma clang diagnostic ignored "-Wreserved-identifier"
#else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include "uapi/bpf_abi.h"
#if defined(__clang__)
#pragma clang diagnostic pop
#else
#pragma GCC diagnostic pop
#endif

}  // namespace ring3::uapi
