#include "host_names.h"

#include <fstream>
#include <iterator>
#include <vector>

#include "base/text_sink.h"

namespace ring3::native {
namespace {

constexpr const char* kKfuncs[kKfuncNumbersEnd] = {
    nullptr, "bpf_rdonly_cast", "bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy", "bpf_rcu_read_lock", "bpf_rcu_read_unlock",
    "bpf_preempt_disable", "bpf_preempt_enable", "bpf_dynptr_from_skb", "bpf_dynptr_slice", "bpf_dynptr_slice_rdwr", "bpf_dynptr_adjust",
    "bpf_dynptr_is_null", "bpf_dynptr_is_rdonly", "bpf_dynptr_size", "bpf_dynptr_clone", "bpf_obj_new_impl", "bpf_obj_drop_impl", "bpf_throw",
    "host_u8", "host_s8", "host_u16", "host_s16", "host_u32", "host_s32", "host_u64", "host_bool", "host_nothing", "host_sum", "host_place",
    "host_node",
};
constexpr const char* kTypes[kTypeNumbersEnd] = {nullptr, "rb_node", "ethhdr", "timespec64"};

}  // namespace

HostNames::HostNames(const btf::Btf& btf) {
  for (std::uint32_t i = 1; i < kKfuncNumbersEnd; ++i) kfuncs_[i] = btf.find(kKfuncs[i], btf::Kind::kFunc);
  for (std::uint32_t i = 1; i < kTypeNumbersEnd; ++i) types_[i] = btf.find(kTypes[i], btf::Kind::kStruct);
}

HostNames kernel_names() {
  std::ifstream in("/sys/kernel/btf/vmlinux", std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  StringSink log;
  const auto btf = btf::Btf::parse(std::as_bytes(std::span(bytes)), nullptr, log, btf::Origin::kHost);
  return btf.ok() ? HostNames(**btf) : HostNames();
}

}  // namespace ring3::native
