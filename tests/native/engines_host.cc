#include "engines_host.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "engines_host_functions.h"

namespace {

constexpr std::size_t kPage = 4096;

/// A page that may be read and one that nobody may touch.
char* half_mapped() {
  static char* const pages = [] {
    void* const at = ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RING3_CHECK(at != MAP_FAILED && ::mprotect(static_cast<char*>(at) + kPage, kPage, PROT_NONE) == 0, "memory for wrong addresses");
    for (std::size_t i = 0; i < kPage; ++i) static_cast<char*>(at)[i] = static_cast<char>(i * 151 + 7);
    return static_cast<char*>(at);
  }();
  return pages;
}

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
rb_node* node_at(std::uint64_t where) { return reinterpret_cast<rb_node*>(static_cast<std::uintptr_t>(where)); }

}  // namespace

__u8 host_u8(__u64 a, __u64 b) { return static_cast<__u8>(a * 3 + b); }
__s8 host_s8(__u64 a, __u64 b) { return static_cast<__s8>(a ^ b); }
__u16 host_u16(__u64 a, __u32 b) { return static_cast<__u16>(a - b); }
__s16 host_s16(__s16 a, __u64 b) { return static_cast<__s16>(static_cast<__u64>(a) + (b >> 3)); }
__u32 host_u32(__u32 a, __s32 b, __u8 c) { return a ^ static_cast<__u32>(b) ^ c; }
__s32 host_s32(__s32 a, __s8 b) { return static_cast<__s32>(static_cast<__u32>(a) * 5 - static_cast<__u32>(b)); }
__u64 host_u64(__u64 a, __u64 b, __u64 c, __u64 d, __u64 e) { return (((a * 31 + b) * 31 + c) * 31 + d) * 31 + e; }
bool host_bool(__u64 a, __u8 b) { return (a & b) != 0; }
void host_nothing(__u64) {}

__u32 host_sum(const void* data, __u32 bytes) {
  __u32 sum = 1;
  for (__u32 i = 0; i < bytes; ++i) sum = sum * 31 + static_cast<const __u8*>(data)[i];
  return sum;
}

__u64 host_place(__u64 n) {
  const std::uint64_t end = address(half_mapped()) + kPage;
  const std::uint64_t places[] = {0, end, end - 4, 0x8000'1234'5678'0000, ~std::uint64_t{8}, end - 256, end - 24, 0xffff'8880'0000'0000};
  return places[n % 8];
}

rb_node* host_node(__u64 n) {
  static rb_node nodes[4] = {
      {0x1122334455667788, &nodes[1], nullptr},
      {0x99aabbccddeeff00, &nodes[2], node_at(host_place(1))},
      {~0ul, node_at(host_place(2)), node_at(host_place(3))},
      {7, node_at(16), &nodes[0]},
  };
  return n % 5 == 4 ? nullptr : &nodes[n % 5];
}

namespace ring3::native {

Result<void> add_engines_host(Runtime& runtime) {
  for (const Result<void>& added : {runtime.kfunc<&host_u8>(), runtime.kfunc<&host_s8>(), runtime.kfunc<&host_u16>(), runtime.kfunc<&host_s16>(),
                                    runtime.kfunc<&host_u32>(), runtime.kfunc<&host_s32>(), runtime.kfunc<&host_u64>(), runtime.kfunc<&host_bool>(),
                                    runtime.kfunc<&host_nothing>(), runtime.kfunc<&host_sum>(), runtime.kfunc<&host_place>(),
                                    runtime.kfunc<&host_node>({.flags = kfunc::kRetNull})})
    if (!added.ok()) return added;
  return {};
}

}  // namespace ring3::native
