// Names come from enum bpf_func_id, so they cannot drift from the numbers.
#include "isa/helper_names.h"

#include <array>

#include "uapi/bpf.h"

// In the order of enum bpf_func_id, which numbers without gaps from 1.
#define RING3_HELPERS(H) \
  H(map_lookup_elem) H(map_update_elem) H(map_delete_elem) H(probe_read) H(ktime_get_ns) H(trace_printk) \
  H(get_prandom_u32) H(get_smp_processor_id) H(skb_store_bytes) H(l3_csum_replace) H(l4_csum_replace) \
  H(tail_call) H(clone_redirect) H(get_current_pid_tgid) H(get_current_uid_gid) H(get_current_comm) \
  H(get_cgroup_classid) H(skb_vlan_push) H(skb_vlan_pop) H(skb_get_tunnel_key) H(skb_set_tunnel_key) \
  H(perf_event_read) H(redirect) H(get_route_realm) H(perf_event_output) H(skb_load_bytes) H(get_stackid) \
  H(csum_diff) H(skb_get_tunnel_opt) H(skb_set_tunnel_opt) H(skb_change_proto) H(skb_change_type) \
  H(skb_under_cgroup) H(get_hash_recalc) H(get_current_task) H(probe_write_user) H(current_task_under_cgroup) \
  H(skb_change_tail) H(skb_pull_data) H(csum_update) H(set_hash_invalid) H(get_numa_node_id) H(skb_change_head) \
  H(xdp_adjust_head) H(probe_read_str) H(get_socket_cookie) H(get_socket_uid) H(set_hash) H(setsockopt) \
  H(skb_adjust_room) H(redirect_map) H(sk_redirect_map) H(sock_map_update) H(xdp_adjust_meta) \
  H(perf_event_read_value) H(perf_prog_read_value) H(getsockopt) H(override_return) H(sock_ops_cb_flags_set) \
  H(msg_redirect_map) H(msg_apply_bytes) H(msg_cork_bytes) H(msg_pull_data) H(bind) H(xdp_adjust_tail) \
  H(skb_get_xfrm_state) H(get_stack) H(skb_load_bytes_relative) H(fib_lookup) H(sock_hash_update) \
  H(msg_redirect_hash) H(sk_redirect_hash) H(lwt_push_encap) H(lwt_seg6_store_bytes) H(lwt_seg6_adjust_srh) \
  H(lwt_seg6_action) H(rc_repeat) H(rc_keydown) H(skb_cgroup_id) H(get_current_cgroup_id) H(get_local_storage) \
  H(sk_select_reuseport) H(skb_ancestor_cgroup_id) H(sk_lookup_tcp) H(sk_lookup_udp) H(sk_release) \
  H(map_push_elem) H(map_pop_elem) H(map_peek_elem) H(msg_push_data) H(msg_pop_data) H(rc_pointer_rel) \
  H(spin_lock) H(spin_unlock) H(sk_fullsock) H(tcp_sock) H(skb_ecn_set_ce) H(get_listener_sock) H(skc_lookup_tcp) \
  H(tcp_check_syncookie) H(sysctl_get_name) H(sysctl_get_current_value) H(sysctl_get_new_value) \
  H(sysctl_set_new_value) H(strtol) H(strtoul) H(sk_storage_get) H(sk_storage_delete) H(send_signal) \
  H(tcp_gen_syncookie) H(skb_output) H(probe_read_user) H(probe_read_kernel) H(probe_read_user_str) \
  H(probe_read_kernel_str) H(tcp_send_ack) H(send_signal_thread) H(jiffies64) H(read_branch_records) \
  H(get_ns_current_pid_tgid) H(xdp_output) H(get_netns_cookie) H(get_current_ancestor_cgroup_id) H(sk_assign) \
  H(ktime_get_boot_ns) H(seq_printf) H(seq_write) H(sk_cgroup_id) H(sk_ancestor_cgroup_id) H(ringbuf_output) \
  H(ringbuf_reserve) H(ringbuf_submit) H(ringbuf_discard) H(ringbuf_query) H(csum_level) H(skc_to_tcp6_sock) \
  H(skc_to_tcp_sock) H(skc_to_tcp_timewait_sock) H(skc_to_tcp_request_sock) H(skc_to_udp6_sock) H(get_task_stack) \
  H(load_hdr_opt) H(store_hdr_opt) H(reserve_hdr_opt) H(inode_storage_get) H(inode_storage_delete) H(d_path) \
  H(copy_from_user) H(snprintf_btf) H(seq_printf_btf) H(skb_cgroup_classid) H(redirect_neigh) H(per_cpu_ptr) \
  H(this_cpu_ptr) H(redirect_peer) H(task_storage_get) H(task_storage_delete) H(get_current_task_btf) \
  H(bprm_opts_set) H(ktime_get_coarse_ns) H(ima_inode_hash) H(sock_from_file) H(check_mtu) H(for_each_map_elem) \
  H(snprintf) H(sys_bpf) H(btf_find_by_name_kind) H(sys_close) H(timer_init) H(timer_set_callback) H(timer_start) \
  H(timer_cancel) H(get_func_ip) H(get_attach_cookie) H(task_pt_regs) H(get_branch_snapshot) H(trace_vprintk) \
  H(skc_to_unix_sock) H(kallsyms_lookup_name) H(find_vma) H(loop) H(strncmp) H(get_func_arg) H(get_func_ret) \
  H(get_func_arg_cnt) H(get_retval) H(set_retval) H(xdp_get_buff_len) H(xdp_load_bytes) H(xdp_store_bytes) \
  H(copy_from_user_task) H(skb_set_tstamp) H(ima_file_hash) H(kptr_xchg) H(map_lookup_percpu_elem) \
  H(skc_to_mptcp_sock) H(dynptr_from_mem) H(ringbuf_reserve_dynptr) H(ringbuf_submit_dynptr) \
  H(ringbuf_discard_dynptr) H(dynptr_read) H(dynptr_write) H(dynptr_data) H(tcp_raw_gen_syncookie_ipv4) \
  H(tcp_raw_gen_syncookie_ipv6) H(tcp_raw_check_syncookie_ipv4) H(tcp_raw_check_syncookie_ipv6) \
  H(ktime_get_tai_ns) H(user_ringbuf_drain) H(cgrp_storage_get) H(cgrp_storage_delete)

namespace ring3::isa {
namespace {

constexpr std::array kNames = {
    std::string_view{"bpf_unspec"},
#define RING3_HELPER_NAME(name) std::string_view{"bpf_" #name},
    RING3_HELPERS(RING3_HELPER_NAME)
#undef RING3_HELPER_NAME
};
static_assert(kNames.size() == uapi::__BPF_FUNC_MAX_ID);

constexpr bool in_enum_order() {
  std::uint32_t id = 0;
#define RING3_HELPER_ORDER(name) \
  if (uapi::BPF_FUNC_##name != ++id) return false;
  RING3_HELPERS(RING3_HELPER_ORDER)
#undef RING3_HELPER_ORDER
  return true;
}
static_assert(in_enum_order());

}  // namespace

std::string_view helper_name(std::uint32_t id) { return id < kNames.size() ? kNames[id] : std::string_view{}; }

std::optional<std::uint32_t> helper_id(std::string_view name) {
  constexpr std::string_view prefix = "bpf_";
  if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  for (std::uint32_t id = 1; id < kNames.size(); ++id)
    if (kNames[id].substr(prefix.size()) == name) return id;
  return std::nullopt;
}

}  // namespace ring3::isa
