#include "bench/adder_host.h"

#include <unistd.h>

#include <cstring>
#include <vector>

#include "adder_btf.h"
#include "base/check.h"
#include "base/text_sink.h"
#include "btf/btf.h"
#include "btf/builder.h"
#include "isa/assemble.h"
#include "uapi/bpf.h"

namespace ring3::bench {
namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

uapi::bpf_attr zero() {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof(attr));
  return attr;
}

/// Everything here must succeed: a benchmark of something else would be worse than none.
int must(Runtime& runtime, int cmd, uapi::bpf_attr attr) {
  const long result = runtime.bpf(cmd, &attr, sizeof(attr));
  RING3_CHECK(result >= 0, "the benchmark's module loads");
  return static_cast<int>(result);
}

int load(Runtime& runtime, std::string_view text, btf::TypeId type) {
  const std::vector<isa::RawInsn> insns = isa::assemble(text, nullptr, nullptr).value();
  uapi::bpf_attr attr = zero();
  attr.prog_type = uapi::BPF_PROG_TYPE_STRUCT_OPS;
  attr.insns = address(insns.data());
  attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.license = address("GPL");
  attr.attach_btf_id = type;
  return must(runtime, uapi::BPF_PROG_LOAD, attr);
}

int client_btf(Runtime& runtime) {
  btf::Builder builder;
  builder.add_int("int", 4, 1);
  const std::vector<std::byte> blob = builder.finish();
  uapi::bpf_attr attr = zero();
  attr.btf = address(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  return must(runtime, uapi::BPF_BTF_LOAD, attr);
}

}  // namespace

AdderHost::AdderHost(std::string_view program) {
  runtime_ = Runtime::create({.name = "bench", .btf = adder_btf}).value();
  point_ = runtime_->struct_ops<adder_ops>().value();
  StringSink text;
  const auto host = btf::Btf::parse({static_cast<const std::byte*>(adder_btf.data), adder_btf.size}, nullptr, text,
                                    btf::Origin::kHost)
                        .value();
  const btf::TypeId wrapper = host->find("bpf_struct_ops_adder_ops", btf::Kind::kStruct);
  uapi::bpf_attr attr = zero();
  attr.map_type = uapi::BPF_MAP_TYPE_STRUCT_OPS;
  attr.key_size = 4;
  attr.value_size = host->size_of(wrapper).value();
  attr.max_entries = 1;
  attr.map_flags = uapi::BPF_F_LINK;
  attr.btf_fd = static_cast<std::uint32_t>(client_btf(*runtime_));
  attr.btf_vmlinux_value_type_id = wrapper;
  const int map = must(*runtime_, uapi::BPF_MAP_CREATE, attr);

  std::vector<std::uint64_t> value(attr.value_size / sizeof(std::uint64_t));
  value[8] = static_cast<std::uint64_t>(load(*runtime_, program, host->find("adder_ops", btf::Kind::kStruct)));
  const std::uint32_t key = 0;
  attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&key);
  attr.value = address(value.data());
  must(*runtime_, uapi::BPF_MAP_UPDATE_ELEM, attr);

  attr = zero();
  attr.link_create.map_fd = static_cast<std::uint32_t>(map);
  attr.link_create.attach_type = uapi::BPF_STRUCT_OPS;
  link_ = must(*runtime_, uapi::BPF_LINK_CREATE, attr);
}

AdderHost::~AdderHost() { ::close(link_); }

}  // namespace ring3::bench
