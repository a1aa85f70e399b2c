/* Names, numbers and layouts of the bpf(2) ABI, as a plain C header.
 *
 * Facts only, listed from a kernel's BTF: Linux 6.12, plus the signing set of 6.18
 * (exclusive maps, map hash, fd_array_cnt, signature, keyring_id).
 *
 * Compiled twice: by C++ inside namespace ring3::uapi (uapi/bpf.h), and by the BPF
 * compiler of ring3_add_btf(), so that a host's BTF holds the records stock tools
 * look for. The including file supplies __u8 … __s64.
 */
#ifndef RING3_UAPI_BPF_ABI_H
#define RING3_UAPI_BPF_ABI_H

enum bpf_cmd {
  BPF_MAP_CREATE = 0,
  BPF_MAP_LOOKUP_ELEM = 1,
  BPF_MAP_UPDATE_ELEM = 2,
  BPF_MAP_DELETE_ELEM = 3,
  BPF_MAP_GET_NEXT_KEY = 4,
  BPF_PROG_LOAD = 5,
  BPF_OBJ_PIN = 6,
  BPF_OBJ_GET = 7,
  BPF_PROG_ATTACH = 8,
  BPF_PROG_DETACH = 9,
  BPF_PROG_TEST_RUN = 10,
  BPF_PROG_RUN = 10,
  BPF_PROG_GET_NEXT_ID = 11,
  BPF_MAP_GET_NEXT_ID = 12,
  BPF_PROG_GET_FD_BY_ID = 13,
  BPF_MAP_GET_FD_BY_ID = 14,
  BPF_OBJ_GET_INFO_BY_FD = 15,
  BPF_PROG_QUERY = 16,
  BPF_RAW_TRACEPOINT_OPEN = 17,
  BPF_BTF_LOAD = 18,
  BPF_BTF_GET_FD_BY_ID = 19,
  BPF_TASK_FD_QUERY = 20,
  BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21,
  BPF_MAP_FREEZE = 22,
  BPF_BTF_GET_NEXT_ID = 23,
  BPF_MAP_LOOKUP_BATCH = 24,
  BPF_MAP_LOOKUP_AND_DELETE_BATCH = 25,
  BPF_MAP_UPDATE_BATCH = 26,
  BPF_MAP_DELETE_BATCH = 27,
  BPF_LINK_CREATE = 28,
  BPF_LINK_UPDATE = 29,
  BPF_LINK_GET_FD_BY_ID = 30,
  BPF_LINK_GET_NEXT_ID = 31,
  BPF_ENABLE_STATS = 32,
  BPF_ITER_CREATE = 33,
  BPF_LINK_DETACH = 34,
  BPF_PROG_BIND_MAP = 35,
  BPF_TOKEN_CREATE = 36,
  __MAX_BPF_CMD = 37,
};

enum bpf_map_type {
  BPF_MAP_TYPE_UNSPEC = 0,
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PROG_ARRAY = 3,
  BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
  BPF_MAP_TYPE_PERCPU_HASH = 5,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_STACK_TRACE = 7,
  BPF_MAP_TYPE_CGROUP_ARRAY = 8,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_LRU_PERCPU_HASH = 10,
  BPF_MAP_TYPE_LPM_TRIE = 11,
  BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
  BPF_MAP_TYPE_HASH_OF_MAPS = 13,
  BPF_MAP_TYPE_DEVMAP = 14,
  BPF_MAP_TYPE_SOCKMAP = 15,
  BPF_MAP_TYPE_CPUMAP = 16,
  BPF_MAP_TYPE_XSKMAP = 17,
  BPF_MAP_TYPE_SOCKHASH = 18,
  BPF_MAP_TYPE_CGROUP_STORAGE_DEPRECATED = 19,
  BPF_MAP_TYPE_CGROUP_STORAGE = 19,
  BPF_MAP_TYPE_REUSEPORT_SOCKARRAY = 20,
  BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE_DEPRECATED = 21,
  BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE = 21,
  BPF_MAP_TYPE_QUEUE = 22,
  BPF_MAP_TYPE_STACK = 23,
  BPF_MAP_TYPE_SK_STORAGE = 24,
  BPF_MAP_TYPE_DEVMAP_HASH = 25,
  BPF_MAP_TYPE_STRUCT_OPS = 26,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_INODE_STORAGE = 28,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
  BPF_MAP_TYPE_BLOOM_FILTER = 30,
  BPF_MAP_TYPE_USER_RINGBUF = 31,
  BPF_MAP_TYPE_CGRP_STORAGE = 32,
  BPF_MAP_TYPE_ARENA = 33,
  __MAX_BPF_MAP_TYPE = 34,
};

enum bpf_prog_type {
  BPF_PROG_TYPE_UNSPEC = 0,
  BPF_PROG_TYPE_SOCKET_FILTER = 1,
  BPF_PROG_TYPE_KPROBE = 2,
  BPF_PROG_TYPE_SCHED_CLS = 3,
  BPF_PROG_TYPE_SCHED_ACT = 4,
  BPF_PROG_TYPE_TRACEPOINT = 5,
  BPF_PROG_TYPE_XDP = 6,
  BPF_PROG_TYPE_PERF_EVENT = 7,
  BPF_PROG_TYPE_CGROUP_SKB = 8,
  BPF_PROG_TYPE_CGROUP_SOCK = 9,
  BPF_PROG_TYPE_LWT_IN = 10,
  BPF_PROG_TYPE_LWT_OUT = 11,
  BPF_PROG_TYPE_LWT_XMIT = 12,
  BPF_PROG_TYPE_SOCK_OPS = 13,
  BPF_PROG_TYPE_SK_SKB = 14,
  BPF_PROG_TYPE_CGROUP_DEVICE = 15,
  BPF_PROG_TYPE_SK_MSG = 16,
  BPF_PROG_TYPE_RAW_TRACEPOINT = 17,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18,
  BPF_PROG_TYPE_LWT_SEG6LOCAL = 19,
  BPF_PROG_TYPE_LIRC_MODE2 = 20,
  BPF_PROG_TYPE_SK_REUSEPORT = 21,
  BPF_PROG_TYPE_FLOW_DISSECTOR = 22,
  BPF_PROG_TYPE_CGROUP_SYSCTL = 23,
  BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE = 24,
  BPF_PROG_TYPE_CGROUP_SOCKOPT = 25,
  BPF_PROG_TYPE_TRACING = 26,
  BPF_PROG_TYPE_STRUCT_OPS = 27,
  BPF_PROG_TYPE_EXT = 28,
  BPF_PROG_TYPE_LSM = 29,
  BPF_PROG_TYPE_SK_LOOKUP = 30,
  BPF_PROG_TYPE_SYSCALL = 31,
  BPF_PROG_TYPE_NETFILTER = 32,
  __MAX_BPF_PROG_TYPE = 33,
};

enum bpf_attach_type {
  BPF_CGROUP_INET_INGRESS = 0,
  BPF_CGROUP_INET_EGRESS = 1,
  BPF_CGROUP_INET_SOCK_CREATE = 2,
  BPF_CGROUP_SOCK_OPS = 3,
  BPF_SK_SKB_STREAM_PARSER = 4,
  BPF_SK_SKB_STREAM_VERDICT = 5,
  BPF_CGROUP_DEVICE = 6,
  BPF_SK_MSG_VERDICT = 7,
  BPF_CGROUP_INET4_BIND = 8,
  BPF_CGROUP_INET6_BIND = 9,
  BPF_CGROUP_INET4_CONNECT = 10,
  BPF_CGROUP_INET6_CONNECT = 11,
  BPF_CGROUP_INET4_POST_BIND = 12,
  BPF_CGROUP_INET6_POST_BIND = 13,
  BPF_CGROUP_UDP4_SENDMSG = 14,
  BPF_CGROUP_UDP6_SENDMSG = 15,
  BPF_LIRC_MODE2 = 16,
  BPF_FLOW_DISSECTOR = 17,
  BPF_CGROUP_SYSCTL = 18,
  BPF_CGROUP_UDP4_RECVMSG = 19,
  BPF_CGROUP_UDP6_RECVMSG = 20,
  BPF_CGROUP_GETSOCKOPT = 21,
  BPF_CGROUP_SETSOCKOPT = 22,
  BPF_TRACE_RAW_TP = 23,
  BPF_TRACE_FENTRY = 24,
  BPF_TRACE_FEXIT = 25,
  BPF_MODIFY_RETURN = 26,
  BPF_LSM_MAC = 27,
  BPF_TRACE_ITER = 28,
  BPF_CGROUP_INET4_GETPEERNAME = 29,
  BPF_CGROUP_INET6_GETPEERNAME = 30,
  BPF_CGROUP_INET4_GETSOCKNAME = 31,
  BPF_CGROUP_INET6_GETSOCKNAME = 32,
  BPF_XDP_DEVMAP = 33,
  BPF_CGROUP_INET_SOCK_RELEASE = 34,
  BPF_XDP_CPUMAP = 35,
  BPF_SK_LOOKUP = 36,
  BPF_XDP = 37,
  BPF_SK_SKB_VERDICT = 38,
  BPF_SK_REUSEPORT_SELECT = 39,
  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE = 40,
  BPF_PERF_EVENT = 41,
  BPF_TRACE_KPROBE_MULTI = 42,
  BPF_LSM_CGROUP = 43,
  BPF_STRUCT_OPS = 44,
  BPF_NETFILTER = 45,
  BPF_TCX_INGRESS = 46,
  BPF_TCX_EGRESS = 47,
  BPF_TRACE_UPROBE_MULTI = 48,
  BPF_CGROUP_UNIX_CONNECT = 49,
  BPF_CGROUP_UNIX_SENDMSG = 50,
  BPF_CGROUP_UNIX_RECVMSG = 51,
  BPF_CGROUP_UNIX_GETPEERNAME = 52,
  BPF_CGROUP_UNIX_GETSOCKNAME = 53,
  BPF_NETKIT_PRIMARY = 54,
  BPF_NETKIT_PEER = 55,
  BPF_TRACE_KPROBE_SESSION = 56,
  __MAX_BPF_ATTACH_TYPE = 57,
};

enum bpf_link_type {
  BPF_LINK_TYPE_UNSPEC = 0,
  BPF_LINK_TYPE_RAW_TRACEPOINT = 1,
  BPF_LINK_TYPE_TRACING = 2,
  BPF_LINK_TYPE_CGROUP = 3,
  BPF_LINK_TYPE_ITER = 4,
  BPF_LINK_TYPE_NETNS = 5,
  BPF_LINK_TYPE_XDP = 6,
  BPF_LINK_TYPE_PERF_EVENT = 7,
  BPF_LINK_TYPE_KPROBE_MULTI = 8,
  BPF_LINK_TYPE_STRUCT_OPS = 9,
  BPF_LINK_TYPE_NETFILTER = 10,
  BPF_LINK_TYPE_TCX = 11,
  BPF_LINK_TYPE_UPROBE_MULTI = 12,
  BPF_LINK_TYPE_NETKIT = 13,
  BPF_LINK_TYPE_SOCKMAP = 14,
  __MAX_BPF_LINK_TYPE = 15,
};

enum bpf_core_relo_kind {
  BPF_CORE_FIELD_BYTE_OFFSET = 0,
  BPF_CORE_FIELD_BYTE_SIZE = 1,
  BPF_CORE_FIELD_EXISTS = 2,
  BPF_CORE_FIELD_SIGNED = 3,
  BPF_CORE_FIELD_LSHIFT_U64 = 4,
  BPF_CORE_FIELD_RSHIFT_U64 = 5,
  BPF_CORE_TYPE_ID_LOCAL = 6,
  BPF_CORE_TYPE_ID_TARGET = 7,
  BPF_CORE_TYPE_EXISTS = 8,
  BPF_CORE_TYPE_SIZE = 9,
  BPF_CORE_ENUMVAL_EXISTS = 10,
  BPF_CORE_ENUMVAL_VALUE = 11,
  BPF_CORE_TYPE_MATCHES = 12,
};

enum bpf_stats_type {
  BPF_STATS_RUN_TIME = 0,
};

enum xdp_action {
  XDP_ABORTED = 0,
  XDP_DROP = 1,
  XDP_PASS = 2,
  XDP_TX = 3,
  XDP_REDIRECT = 4,
};

enum bpf_func_id {
  BPF_FUNC_unspec = 0,
  BPF_FUNC_map_lookup_elem = 1,
  BPF_FUNC_map_update_elem = 2,
  BPF_FUNC_map_delete_elem = 3,
  BPF_FUNC_probe_read = 4,
  BPF_FUNC_ktime_get_ns = 5,
  BPF_FUNC_trace_printk = 6,
  BPF_FUNC_get_prandom_u32 = 7,
  BPF_FUNC_get_smp_processor_id = 8,
  BPF_FUNC_skb_store_bytes = 9,
  BPF_FUNC_l3_csum_replace = 10,
  BPF_FUNC_l4_csum_replace = 11,
  BPF_FUNC_tail_call = 12,
  BPF_FUNC_clone_redirect = 13,
  BPF_FUNC_get_current_pid_tgid = 14,
  BPF_FUNC_get_current_uid_gid = 15,
  BPF_FUNC_get_current_comm = 16,
  BPF_FUNC_get_cgroup_classid = 17,
  BPF_FUNC_skb_vlan_push = 18,
  BPF_FUNC_skb_vlan_pop = 19,
  BPF_FUNC_skb_get_tunnel_key = 20,
  BPF_FUNC_skb_set_tunnel_key = 21,
  BPF_FUNC_perf_event_read = 22,
  BPF_FUNC_redirect = 23,
  BPF_FUNC_get_route_realm = 24,
  BPF_FUNC_perf_event_output = 25,
  BPF_FUNC_skb_load_bytes = 26,
  BPF_FUNC_get_stackid = 27,
  BPF_FUNC_csum_diff = 28,
  BPF_FUNC_skb_get_tunnel_opt = 29,
  BPF_FUNC_skb_set_tunnel_opt = 30,
  BPF_FUNC_skb_change_proto = 31,
  BPF_FUNC_skb_change_type = 32,
  BPF_FUNC_skb_under_cgroup = 33,
  BPF_FUNC_get_hash_recalc = 34,
  BPF_FUNC_get_current_task = 35,
  BPF_FUNC_probe_write_user = 36,
  BPF_FUNC_current_task_under_cgroup = 37,
  BPF_FUNC_skb_change_tail = 38,
  BPF_FUNC_skb_pull_data = 39,
  BPF_FUNC_csum_update = 40,
  BPF_FUNC_set_hash_invalid = 41,
  BPF_FUNC_get_numa_node_id = 42,
  BPF_FUNC_skb_change_head = 43,
  BPF_FUNC_xdp_adjust_head = 44,
  BPF_FUNC_probe_read_str = 45,
  BPF_FUNC_get_socket_cookie = 46,
  BPF_FUNC_get_socket_uid = 47,
  BPF_FUNC_set_hash = 48,
  BPF_FUNC_setsockopt = 49,
  BPF_FUNC_skb_adjust_room = 50,
  BPF_FUNC_redirect_map = 51,
  BPF_FUNC_sk_redirect_map = 52,
  BPF_FUNC_sock_map_update = 53,
  BPF_FUNC_xdp_adjust_meta = 54,
  BPF_FUNC_perf_event_read_value = 55,
  BPF_FUNC_perf_prog_read_value = 56,
  BPF_FUNC_getsockopt = 57,
  BPF_FUNC_override_return = 58,
  BPF_FUNC_sock_ops_cb_flags_set = 59,
  BPF_FUNC_msg_redirect_map = 60,
  BPF_FUNC_msg_apply_bytes = 61,
  BPF_FUNC_msg_cork_bytes = 62,
  BPF_FUNC_msg_pull_data = 63,
  BPF_FUNC_bind = 64,
  BPF_FUNC_xdp_adjust_tail = 65,
  BPF_FUNC_skb_get_xfrm_state = 66,
  BPF_FUNC_get_stack = 67,
  BPF_FUNC_skb_load_bytes_relative = 68,
  BPF_FUNC_fib_lookup = 69,
  BPF_FUNC_sock_hash_update = 70,
  BPF_FUNC_msg_redirect_hash = 71,
  BPF_FUNC_sk_redirect_hash = 72,
  BPF_FUNC_lwt_push_encap = 73,
  BPF_FUNC_lwt_seg6_store_bytes = 74,
  BPF_FUNC_lwt_seg6_adjust_srh = 75,
  BPF_FUNC_lwt_seg6_action = 76,
  BPF_FUNC_rc_repeat = 77,
  BPF_FUNC_rc_keydown = 78,
  BPF_FUNC_skb_cgroup_id = 79,
  BPF_FUNC_get_current_cgroup_id = 80,
  BPF_FUNC_get_local_storage = 81,
  BPF_FUNC_sk_select_reuseport = 82,
  BPF_FUNC_skb_ancestor_cgroup_id = 83,
  BPF_FUNC_sk_lookup_tcp = 84,
  BPF_FUNC_sk_lookup_udp = 85,
  BPF_FUNC_sk_release = 86,
  BPF_FUNC_map_push_elem = 87,
  BPF_FUNC_map_pop_elem = 88,
  BPF_FUNC_map_peek_elem = 89,
  BPF_FUNC_msg_push_data = 90,
  BPF_FUNC_msg_pop_data = 91,
  BPF_FUNC_rc_pointer_rel = 92,
  BPF_FUNC_spin_lock = 93,
  BPF_FUNC_spin_unlock = 94,
  BPF_FUNC_sk_fullsock = 95,
  BPF_FUNC_tcp_sock = 96,
  BPF_FUNC_skb_ecn_set_ce = 97,
  BPF_FUNC_get_listener_sock = 98,
  BPF_FUNC_skc_lookup_tcp = 99,
  BPF_FUNC_tcp_check_syncookie = 100,
  BPF_FUNC_sysctl_get_name = 101,
  BPF_FUNC_sysctl_get_current_value = 102,
  BPF_FUNC_sysctl_get_new_value = 103,
  BPF_FUNC_sysctl_set_new_value = 104,
  BPF_FUNC_strtol = 105,
  BPF_FUNC_strtoul = 106,
  BPF_FUNC_sk_storage_get = 107,
  BPF_FUNC_sk_storage_delete = 108,
  BPF_FUNC_send_signal = 109,
  BPF_FUNC_tcp_gen_syncookie = 110,
  BPF_FUNC_skb_output = 111,
  BPF_FUNC_probe_read_user = 112,
  BPF_FUNC_probe_read_kernel = 113,
  BPF_FUNC_probe_read_user_str = 114,
  BPF_FUNC_probe_read_kernel_str = 115,
  BPF_FUNC_tcp_send_ack = 116,
  BPF_FUNC_send_signal_thread = 117,
  BPF_FUNC_jiffies64 = 118,
  BPF_FUNC_read_branch_records = 119,
  BPF_FUNC_get_ns_current_pid_tgid = 120,
  BPF_FUNC_xdp_output = 121,
  BPF_FUNC_get_netns_cookie = 122,
  BPF_FUNC_get_current_ancestor_cgroup_id = 123,
  BPF_FUNC_sk_assign = 124,
  BPF_FUNC_ktime_get_boot_ns = 125,
  BPF_FUNC_seq_printf = 126,
  BPF_FUNC_seq_write = 127,
  BPF_FUNC_sk_cgroup_id = 128,
  BPF_FUNC_sk_ancestor_cgroup_id = 129,
  BPF_FUNC_ringbuf_output = 130,
  BPF_FUNC_ringbuf_reserve = 131,
  BPF_FUNC_ringbuf_submit = 132,
  BPF_FUNC_ringbuf_discard = 133,
  BPF_FUNC_ringbuf_query = 134,
  BPF_FUNC_csum_level = 135,
  BPF_FUNC_skc_to_tcp6_sock = 136,
  BPF_FUNC_skc_to_tcp_sock = 137,
  BPF_FUNC_skc_to_tcp_timewait_sock = 138,
  BPF_FUNC_skc_to_tcp_request_sock = 139,
  BPF_FUNC_skc_to_udp6_sock = 140,
  BPF_FUNC_get_task_stack = 141,
  BPF_FUNC_load_hdr_opt = 142,
  BPF_FUNC_store_hdr_opt = 143,
  BPF_FUNC_reserve_hdr_opt = 144,
  BPF_FUNC_inode_storage_get = 145,
  BPF_FUNC_inode_storage_delete = 146,
  BPF_FUNC_d_path = 147,
  BPF_FUNC_copy_from_user = 148,
  BPF_FUNC_snprintf_btf = 149,
  BPF_FUNC_seq_printf_btf = 150,
  BPF_FUNC_skb_cgroup_classid = 151,
  BPF_FUNC_redirect_neigh = 152,
  BPF_FUNC_per_cpu_ptr = 153,
  BPF_FUNC_this_cpu_ptr = 154,
  BPF_FUNC_redirect_peer = 155,
  BPF_FUNC_task_storage_get = 156,
  BPF_FUNC_task_storage_delete = 157,
  BPF_FUNC_get_current_task_btf = 158,
  BPF_FUNC_bprm_opts_set = 159,
  BPF_FUNC_ktime_get_coarse_ns = 160,
  BPF_FUNC_ima_inode_hash = 161,
  BPF_FUNC_sock_from_file = 162,
  BPF_FUNC_check_mtu = 163,
  BPF_FUNC_for_each_map_elem = 164,
  BPF_FUNC_snprintf = 165,
  BPF_FUNC_sys_bpf = 166,
  BPF_FUNC_btf_find_by_name_kind = 167,
  BPF_FUNC_sys_close = 168,
  BPF_FUNC_timer_init = 169,
  BPF_FUNC_timer_set_callback = 170,
  BPF_FUNC_timer_start = 171,
  BPF_FUNC_timer_cancel = 172,
  BPF_FUNC_get_func_ip = 173,
  BPF_FUNC_get_attach_cookie = 174,
  BPF_FUNC_task_pt_regs = 175,
  BPF_FUNC_get_branch_snapshot = 176,
  BPF_FUNC_trace_vprintk = 177,
  BPF_FUNC_skc_to_unix_sock = 178,
  BPF_FUNC_kallsyms_lookup_name = 179,
  BPF_FUNC_find_vma = 180,
  BPF_FUNC_loop = 181,
  BPF_FUNC_strncmp = 182,
  BPF_FUNC_get_func_arg = 183,
  BPF_FUNC_get_func_ret = 184,
  BPF_FUNC_get_func_arg_cnt = 185,
  BPF_FUNC_get_retval = 186,
  BPF_FUNC_set_retval = 187,
  BPF_FUNC_xdp_get_buff_len = 188,
  BPF_FUNC_xdp_load_bytes = 189,
  BPF_FUNC_xdp_store_bytes = 190,
  BPF_FUNC_copy_from_user_task = 191,
  BPF_FUNC_skb_set_tstamp = 192,
  BPF_FUNC_ima_file_hash = 193,
  BPF_FUNC_kptr_xchg = 194,
  BPF_FUNC_map_lookup_percpu_elem = 195,
  BPF_FUNC_skc_to_mptcp_sock = 196,
  BPF_FUNC_dynptr_from_mem = 197,
  BPF_FUNC_ringbuf_reserve_dynptr = 198,
  BPF_FUNC_ringbuf_submit_dynptr = 199,
  BPF_FUNC_ringbuf_discard_dynptr = 200,
  BPF_FUNC_dynptr_read = 201,
  BPF_FUNC_dynptr_write = 202,
  BPF_FUNC_dynptr_data = 203,
  BPF_FUNC_tcp_raw_gen_syncookie_ipv4 = 204,
  BPF_FUNC_tcp_raw_gen_syncookie_ipv6 = 205,
  BPF_FUNC_tcp_raw_check_syncookie_ipv4 = 206,
  BPF_FUNC_tcp_raw_check_syncookie_ipv6 = 207,
  BPF_FUNC_ktime_get_tai_ns = 208,
  BPF_FUNC_user_ringbuf_drain = 209,
  BPF_FUNC_cgrp_storage_get = 210,
  BPF_FUNC_cgrp_storage_delete = 211,
  __BPF_FUNC_MAX_ID = 212,
};

enum {
  BPF_ANY = 0,
  BPF_NOEXIST = 1,
  BPF_EXIST = 2,
  BPF_F_LOCK = 4,
};

enum {
  BPF_F_NO_PREALLOC = 1,
  BPF_F_NO_COMMON_LRU = 2,
  BPF_F_NUMA_NODE = 4,
  BPF_F_RDONLY = 8,
  BPF_F_WRONLY = 16,
  BPF_F_STACK_BUILD_ID = 32,
  BPF_F_ZERO_SEED = 64,
  BPF_F_RDONLY_PROG = 128,
  BPF_F_WRONLY_PROG = 256,
  BPF_F_CLONE = 512,
  BPF_F_MMAPABLE = 1024,
  BPF_F_PRESERVE_ELEMS = 2048,
  BPF_F_INNER_MAP = 4096,
  BPF_F_LINK = 8192,
  BPF_F_PATH_FD = 16384,
  BPF_F_VTYPE_BTF_OBJ_FD = 32768,
  BPF_F_TOKEN_FD = 65536,
  BPF_F_SEGV_ON_FAULT = 131072,
  BPF_F_NO_USER_CONV = 262144,
};

enum {
  BPF_RB_NO_WAKEUP = 1,
  BPF_RB_FORCE_WAKEUP = 2,
};

enum {
  BPF_RB_AVAIL_DATA = 0,
  BPF_RB_RING_SIZE = 1,
  BPF_RB_CONS_POS = 2,
  BPF_RB_PROD_POS = 3,
};

enum {
  BPF_RINGBUF_BUSY_BIT = 2147483648,
  BPF_RINGBUF_DISCARD_BIT = 1073741824,
  BPF_RINGBUF_HDR_SZ = 8,
};

enum {
  BPF_F_TIMER_ABS = 1,
  BPF_F_TIMER_CPU_PIN = 2,
};

enum {
  BPF_F_INDEX_MASK = 4294967295ULL,
  BPF_F_CURRENT_CPU = 4294967295ULL,
  BPF_F_CTXLEN_MASK = 4503595332403200ULL,
};

enum {
  BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
  BPF_SK_STORAGE_GET_F_CREATE = 1,
};

union bpf_attr {
  struct {
    __u32 map_type;
    __u32 key_size;
    __u32 value_size;
    __u32 max_entries;
    __u32 map_flags;
    __u32 inner_map_fd;
    __u32 numa_node;
    char map_name[16];
    __u32 map_ifindex;
    __u32 btf_fd;
    __u32 btf_key_type_id;
    __u32 btf_value_type_id;
    __u32 btf_vmlinux_value_type_id;
    __u64 map_extra;
    __s32 value_type_btf_obj_fd;
    __s32 map_token_fd;
    __u64 excl_prog_hash;
    __u32 excl_prog_hash_size;
  };
  struct {
    __u32 map_fd;
    __u64 key;
    union {
      __u64 value;
      __u64 next_key;
    };
    __u64 flags;
  };
  struct {
    __u64 in_batch;
    __u64 out_batch;
    __u64 keys;
    __u64 values;
    __u32 count;
    __u32 map_fd;
    __u64 elem_flags;
    __u64 flags;
  } batch;
  struct {
    __u32 prog_type;
    __u32 insn_cnt;
    __u64 insns;
    __u64 license;
    __u32 log_level;
    __u32 log_size;
    __u64 log_buf;
    __u32 kern_version;
    __u32 prog_flags;
    char prog_name[16];
    __u32 prog_ifindex;
    __u32 expected_attach_type;
    __u32 prog_btf_fd;
    __u32 func_info_rec_size;
    __u64 func_info;
    __u32 func_info_cnt;
    __u32 line_info_rec_size;
    __u64 line_info;
    __u32 line_info_cnt;
    __u32 attach_btf_id;
    union {
      __u32 attach_prog_fd;
      __u32 attach_btf_obj_fd;
    };
    __u32 core_relo_cnt;
    __u64 fd_array;
    __u64 core_relos;
    __u32 core_relo_rec_size;
    __u32 log_true_size;
    __s32 prog_token_fd;
    __u32 fd_array_cnt;
    __u64 signature;
    __u32 signature_size;
    __s32 keyring_id;
  };
  struct {
    __u64 pathname;
    __u32 bpf_fd;
    __u32 file_flags;
    __s32 path_fd;
  };
  struct {
    union {
      __u32 target_fd;
      __u32 target_ifindex;
    };
    __u32 attach_bpf_fd;
    __u32 attach_type;
    __u32 attach_flags;
    __u32 replace_bpf_fd;
    union {
      __u32 relative_fd;
      __u32 relative_id;
    };
    __u64 expected_revision;
  };
  struct {
    __u32 prog_fd;
    __u32 retval;
    __u32 data_size_in;
    __u32 data_size_out;
    __u64 data_in;
    __u64 data_out;
    __u32 repeat;
    __u32 duration;
    __u32 ctx_size_in;
    __u32 ctx_size_out;
    __u64 ctx_in;
    __u64 ctx_out;
    __u32 flags;
    __u32 cpu;
    __u32 batch_size;
  } test;
  struct {
    union {
      __u32 start_id;
      __u32 prog_id;
      __u32 map_id;
      __u32 btf_id;
      __u32 link_id;
    };
    __u32 next_id;
    __u32 open_flags;
    __s32 fd_by_id_token_fd;
  };
  struct {
    __u32 bpf_fd;
    __u32 info_len;
    __u64 info;
  } info;
  struct {
    union {
      __u32 target_fd;
      __u32 target_ifindex;
    };
    __u32 attach_type;
    __u32 query_flags;
    __u32 attach_flags;
    __u64 prog_ids;
    union {
      __u32 prog_cnt;
      __u32 count;
    };
    __u64 prog_attach_flags;
    __u64 link_ids;
    __u64 link_attach_flags;
    __u64 revision;
  } query;
  struct {
    __u64 name;
    __u32 prog_fd;
    __u64 cookie;
  } raw_tracepoint;
  struct {
    __u64 btf;
    __u64 btf_log_buf;
    __u32 btf_size;
    __u32 btf_log_size;
    __u32 btf_log_level;
    __u32 btf_log_true_size;
    __u32 btf_flags;
    __s32 btf_token_fd;
  };
  struct {
    __u32 pid;
    __u32 fd;
    __u32 flags;
    __u32 buf_len;
    __u64 buf;
    __u32 prog_id;
    __u32 fd_type;
    __u64 probe_offset;
    __u64 probe_addr;
  } task_fd_query;
  struct {
    union {
      __u32 prog_fd;
      __u32 map_fd;
    };
    union {
      __u32 target_fd;
      __u32 target_ifindex;
    };
    __u32 attach_type;
    __u32 flags;
    union {
      __u32 target_btf_id;
      struct {
        __u64 iter_info;
        __u32 iter_info_len;
      };
      struct {
        __u64 bpf_cookie;
      } perf_event;
      struct {
        __u32 flags;
        __u32 cnt;
        __u64 syms;
        __u64 addrs;
        __u64 cookies;
      } kprobe_multi;
      struct {
        __u32 target_btf_id;
        __u64 cookie;
      } tracing;
      struct {
        __u32 pf;
        __u32 hooknum;
        __s32 priority;
        __u32 flags;
      } netfilter;
      struct {
        union {
          __u32 relative_fd;
          __u32 relative_id;
        };
        __u64 expected_revision;
      } tcx;
      struct {
        __u64 path;
        __u64 offsets;
        __u64 ref_ctr_offsets;
        __u64 cookies;
        __u32 cnt;
        __u32 flags;
        __u32 pid;
      } uprobe_multi;
      struct {
        union {
          __u32 relative_fd;
          __u32 relative_id;
        };
        __u64 expected_revision;
      } netkit;
      struct {
        union {
          __u32 relative_fd;
          __u32 relative_id;
        };
        __u64 expected_revision;
      } cgroup;
    };
  } link_create;
  struct {
    __u32 link_fd;
    union {
      __u32 new_prog_fd;
      __u32 new_map_fd;
    };
    __u32 flags;
    union {
      __u32 old_prog_fd;
      __u32 old_map_fd;
    };
  } link_update;
  struct {
    __u32 link_fd;
  } link_detach;
  struct {
    __u32 type;
  } enable_stats;
  struct {
    __u32 link_fd;
    __u32 flags;
  } iter_create;
  struct {
    __u32 prog_fd;
    __u32 map_fd;
    __u32 flags;
  } prog_bind_map;
  struct {
    __u32 flags;
    __u32 bpffs_fd;
  } token_create;
};

struct bpf_spin_lock {
  __u32 val;
};

struct bpf_timer {
  __u64 __opaque[2];
};

struct bpf_wq {
  __u64 __opaque[2];
};

struct bpf_list_head {
  __u64 __opaque[2];
};

struct bpf_list_node {
  __u64 __opaque[3];
};

struct bpf_rb_root {
  __u64 __opaque[2];
};

struct bpf_rb_node {
  __u64 __opaque[4];
};

struct bpf_refcount {
  __u32 __opaque[1];
};

struct bpf_dynptr {
  __u64 __opaque[2];
};

struct bpf_iter_num {
  __u64 __opaque[1];
};

struct bpf_iter_bits {
  __u64 __opaque[2];
};

struct bpf_iter_task {
  __u64 __opaque[3];
};

struct bpf_insn {
  __u8 code;
  __u8 dst_reg : 4;
  __u8 src_reg : 4;
  __s16 off;
  __s32 imm;
};

struct bpf_map_info {
  __u32 type;
  __u32 id;
  __u32 key_size;
  __u32 value_size;
  __u32 max_entries;
  __u32 map_flags;
  char name[16];
  __u32 ifindex;
  __u32 btf_vmlinux_value_type_id;
  __u64 netns_dev;
  __u64 netns_ino;
  __u32 btf_id;
  __u32 btf_key_type_id;
  __u32 btf_value_type_id;
  __u32 btf_vmlinux_id;
  __u64 map_extra;
  __u64 hash;
  __u32 hash_size;
};

struct bpf_prog_info {
  __u32 type;
  __u32 id;
  __u8 tag[8];
  __u32 jited_prog_len;
  __u32 xlated_prog_len;
  __u64 jited_prog_insns;
  __u64 xlated_prog_insns;
  __u64 load_time;
  __u32 created_by_uid;
  __u32 nr_map_ids;
  __u64 map_ids;
  char name[16];
  __u32 ifindex;
  __u32 gpl_compatible : 1;
  __u64 netns_dev;
  __u64 netns_ino;
  __u32 nr_jited_ksyms;
  __u32 nr_jited_func_lens;
  __u64 jited_ksyms;
  __u64 jited_func_lens;
  __u32 btf_id;
  __u32 func_info_rec_size;
  __u64 func_info;
  __u32 nr_func_info;
  __u32 nr_line_info;
  __u64 line_info;
  __u64 jited_line_info;
  __u32 nr_jited_line_info;
  __u32 line_info_rec_size;
  __u32 jited_line_info_rec_size;
  __u32 nr_prog_tags;
  __u64 prog_tags;
  __u64 run_time_ns;
  __u64 run_cnt;
  __u64 recursion_misses;
  __u32 verified_insns;
  __u32 attach_btf_obj_id;
  __u32 attach_btf_id;
};

struct bpf_btf_info {
  __u64 btf;
  __u32 btf_size;
  __u32 id;
  __u64 name;
  __u32 name_len;
  __u32 kernel_btf;
};

struct bpf_link_info {
  __u32 type;
  __u32 id;
  __u32 prog_id;
  union {
    struct {
      __u64 tp_name;
      __u32 tp_name_len;
      __u64 cookie;
    } raw_tracepoint;
    struct {
      __u32 attach_type;
      __u32 target_obj_id;
      __u32 target_btf_id;
      __u64 cookie;
    } tracing;
    struct {
      __u64 cgroup_id;
      __u32 attach_type;
    } cgroup;
    struct {
      __u64 target_name;
      __u32 target_name_len;
      union {
        struct {
          __u32 map_id;
        } map;
      };
      union {
        struct {
          __u64 cgroup_id;
          __u32 order;
        } cgroup;
        struct {
          __u32 tid;
          __u32 pid;
        } task;
      };
    } iter;
    struct {
      __u32 netns_ino;
      __u32 attach_type;
    } netns;
    struct {
      __u32 ifindex;
    } xdp;
    struct {
      __u32 map_id;
    } struct_ops;
    struct {
      __u32 pf;
      __u32 hooknum;
      __s32 priority;
      __u32 flags;
    } netfilter;
    struct {
      __u64 addrs;
      __u32 count;
      __u32 flags;
      __u64 missed;
      __u64 cookies;
    } kprobe_multi;
    struct {
      __u64 path;
      __u64 offsets;
      __u64 ref_ctr_offsets;
      __u64 cookies;
      __u32 path_size;
      __u32 count;
      __u32 flags;
      __u32 pid;
    } uprobe_multi;
    struct {
      __u32 type;
      union {
        struct {
          __u64 file_name;
          __u32 name_len;
          __u32 offset;
          __u64 cookie;
          __u64 ref_ctr_offset;
        } uprobe;
        struct {
          __u64 func_name;
          __u32 name_len;
          __u32 offset;
          __u64 addr;
          __u64 missed;
          __u64 cookie;
        } kprobe;
        struct {
          __u64 tp_name;
          __u32 name_len;
          __u64 cookie;
        } tracepoint;
        struct {
          __u64 config;
          __u32 type;
          __u64 cookie;
        } event;
      };
    } perf_event;
    struct {
      __u32 ifindex;
      __u32 attach_type;
    } tcx;
    struct {
      __u32 ifindex;
      __u32 attach_type;
    } netkit;
    struct {
      __u32 map_id;
      __u32 attach_type;
    } sockmap;
  };
};

struct bpf_func_info {
  __u32 insn_off;
  __u32 type_id;
};

struct bpf_line_info {
  __u32 insn_off;
  __u32 file_name_off;
  __u32 line_off;
  __u32 line_col;
};

struct bpf_core_relo {
  __u32 insn_off;
  __u32 type_id;
  __u32 access_str_off;
  __u32 kind;
};

struct xdp_md {
  __u32 data;
  __u32 data_end;
  __u32 data_meta;
  __u32 ingress_ifindex;
  __u32 rx_queue_index;
  __u32 egress_ifindex;
};

struct __sk_buff {
  __u32 len;
  __u32 pkt_type;
  __u32 mark;
  __u32 queue_mapping;
  __u32 protocol;
  __u32 vlan_present;
  __u32 vlan_tci;
  __u32 vlan_proto;
  __u32 priority;
  __u32 ingress_ifindex;
  __u32 ifindex;
  __u32 tc_index;
  __u32 cb[5];
  __u32 hash;
  __u32 tc_classid;
  __u32 data;
  __u32 data_end;
  __u32 napi_id;
  __u32 family;
  __u32 remote_ip4;
  __u32 local_ip4;
  __u32 remote_ip6[4];
  __u32 local_ip6[4];
  __u32 remote_port;
  __u32 local_port;
  __u32 data_meta;
  union {
    __u64 flow_keys;
  };
  __u64 tstamp;
  __u32 wire_len;
  __u32 gso_segs;
  union {
    __u64 sk;
  };
  __u32 gso_size;
  __u8 tstamp_type;
  __u64 hwtstamp;
};

/* Program load flags. */
enum {
  BPF_F_STRICT_ALIGNMENT = 1,
  BPF_F_ANY_ALIGNMENT = 2,
  BPF_F_TEST_RND_HI32 = 4,
  BPF_F_TEST_STATE_FREQ = 8,
  BPF_F_SLEEPABLE = 16,
  BPF_F_XDP_HAS_FRAGS = 32,
  BPF_F_XDP_DEV_BOUND_ONLY = 64,
  BPF_F_TEST_REG_INVARIANTS = 128,
};

/* Attach and link update flags. */
enum {
  BPF_F_ALLOW_OVERRIDE = 1,
  BPF_F_ALLOW_MULTI = 2,
  BPF_F_REPLACE = 4,
  BPF_F_BEFORE = 8,
  BPF_F_AFTER = 16,
  BPF_F_ID = 32,
  BPF_F_PREORDER = 64, /* since 6.15 */
  BPF_F_LINK_ATTACH = 8192, /* BPF_F_LINK in attach flags */
};

/* Query and run flags. */
enum {
  BPF_F_QUERY_EFFECTIVE = 1,
  BPF_F_TEST_RUN_ON_CPU = 1,
  BPF_F_TEST_XDP_LIVE_FRAMES = 2,
  BPF_F_TEST_SKB_CHECKSUM_COMPLETE = 4,
};

enum { BPF_OBJ_NAME_LEN = 16, BPF_TAG_SIZE = 8, BPF_COMMON_ATTRS = 65536 };

/* enum tc_action values a classifier may return. */
enum {
  TC_ACT_UNSPEC = -1,
  TC_ACT_OK = 0,
  TC_ACT_RECLASSIFY = 1,
  TC_ACT_SHOT = 2,
  TC_ACT_PIPE = 3,
  TC_ACT_REDIRECT = 7,
};

struct btf_ptr {
  __u64 ptr;
  __u32 type_id;
  __u32 flags;
};

#endif
