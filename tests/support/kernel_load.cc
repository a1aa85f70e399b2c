#include "tests/support/kernel_load.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace ring3::native {

Bpf kernel_bpf() {
  return [](int cmd, void* attr, std::uint32_t size) {
    const long result = ::syscall(SYS_bpf, cmd, attr, size);
    return result < 0 ? -static_cast<long>(errno) : result;
  };
}

uapi::bpf_attr zero_attr() {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof(attr));
  return attr;
}

long create_map(const Bpf& bpf, std::uint32_t type, std::uint32_t key_bytes, std::uint32_t value_bytes, std::uint32_t entries) {
  uapi::bpf_attr attr = zero_attr();
  attr.map_type = type;
  attr.key_size = key_bytes;
  attr.value_size = value_bytes;
  attr.max_entries = entries;
  return bpf(uapi::BPF_MAP_CREATE, &attr, sizeof(attr));
}

long load_program(const Bpf& bpf, std::uint32_t prog_type, std::uint32_t flags, std::span<const isa::RawInsn> insns, std::string* log,
                  const FunctionRecords* functions) {
  static std::vector<char> text(1 << 20);
  text[0] = '\0';
  uapi::bpf_attr attr = zero_attr();
  attr.prog_type = prog_type;
  attr.prog_flags = flags;
  attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.insns = address_of(insns.data());
  attr.license = address_of("GPL");
  if (functions != nullptr) {
    attr.prog_btf_fd = static_cast<std::uint32_t>(functions->btf);
    attr.func_info = address_of(functions->records.data());
    attr.func_info_cnt = static_cast<std::uint32_t>(functions->records.size());
    attr.func_info_rec_size = sizeof(uapi::bpf_func_info);
  }
  if (log != nullptr) {
    attr.log_level = 1;
    attr.log_size = static_cast<std::uint32_t>(text.size());
    attr.log_buf = address_of(text.data());
  }
  const long fd = bpf(uapi::BPF_PROG_LOAD, &attr, sizeof(attr));
  if (log != nullptr) *log = text.data();
  return fd;
}

bool gave_up(long error) { return error == -E2BIG || error == -ENOMEM || error == -EFAULT; }

}  // namespace ring3::native
