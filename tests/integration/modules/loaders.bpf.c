/* Syscall programs that act for the client that runs them: commands of bpf(2), names, descriptors. Contexts are those of
 * libbpf_e_checks_test.cc. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct made {
  int map;
  int program;
  int broken; /* make the third step fail */
  __u32 log_size;
  __u64 log; /* in the client's memory */
};

static const struct bpf_insn accepted[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 7},
    {.code = BPF_JMP | BPF_EXIT},
};
static const struct bpf_insn refused[] = {
    {.code = BPF_JMP | BPF_EXIT},
};
static const char terms[] = "GPL";

SEC("syscall") int make(struct made *ctx) {
  union bpf_attr create = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
  union bpf_attr update = {};
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};
  __u32 key = 1;
  __u64 value = 42;
  int map = bpf_sys_bpf(BPF_MAP_CREATE, &create, sizeof(create));
  if (map < 0) return map;
  update.map_fd = map;
  update.key = (unsigned long)&key;
  update.value = (unsigned long)&value;
  int result = bpf_sys_bpf(BPF_MAP_UPDATE_ELEM, &update, sizeof(update));
  if (result < 0) goto failed;
  load.insns = ctx->broken ? (unsigned long)refused : (unsigned long)accepted;
  load.insn_cnt = ctx->broken ? 1 : 2;
  load.license = (unsigned long)terms;
  if (ctx->log) {
    load.log_level = 1;
    load.log_buf = ctx->log;
    load.log_size = ctx->log_size;
  }
  result = bpf_sys_bpf(BPF_PROG_LOAD, &load, sizeof(load));
  if (result < 0) goto failed;
  ctx->map = map;
  ctx->program = result;
  return 0;
failed:
  bpf_sys_close(map);
  return result;
}

struct issued {
  int command;
  int result;
  __u64 attr[8];
};

SEC("syscall") int issue(struct issued *ctx) {
  __u64 attr[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) attr[i] = ctx->attr[i];
  ctx->result = bpf_sys_bpf(ctx->command, attr, sizeof(attr));
  return 0;
}

SEC("syscall") int close(struct issued *ctx) {
  ctx->result = bpf_sys_close(ctx->command);
  return 0;
}

struct named {
  char name[16];
  __u32 size;
  __u32 kind;
  __u64 flags;
  __s64 result;
  __u64 address;
};

SEC("syscall") int find_type(struct named *ctx) {
  char name[16];
  __u32 size = ctx->size & 15;
  if (!size) size = 1; /* the verifier wants a byte at least */
  __builtin_memcpy(name, ctx->name, sizeof(name));
  ctx->result = bpf_btf_find_by_name_kind(name, size, ctx->kind, ctx->flags);
  return 0;
}

SEC("syscall") int find_symbol(struct named *ctx) {
  char name[16];
  __u64 address = 1;
  __builtin_memcpy(name, ctx->name, sizeof(name));
  ctx->result = bpf_kallsyms_lookup_name(name, ctx->size & 15, ctx->flags, &address);
  ctx->address = address;
  return 0;
}
