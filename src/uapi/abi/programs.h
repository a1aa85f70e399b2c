/* What programs hold in their hands: special fields of map values, instructions, contexts. Part of bpf_abi.h. */
#ifndef RING3_UAPI_ABI_PROGRAMS_H
#define RING3_UAPI_ABI_PROGRAMS_H

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

struct btf_ptr {
  __u64 ptr;
  __u32 type_id;
  __u32 flags;
};

#endif /* RING3_UAPI_ABI_PROGRAMS_H */
