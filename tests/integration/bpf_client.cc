#include "tests/integration/bpf_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "btf/builder.h"
#include "isa/assemble.h"

namespace ring3::test {
namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

/// map[name:m0], map[name:m1] … are the program's own maps; kfuncs are functions of the host's BTF.
class HostSymbols final : public isa::Symbols {
 public:
  HostSymbols(const btf::Btf& host, const std::vector<std::int32_t>& maps) : host_(host), maps_(maps) {}
  bool kfunc(std::string_view name, std::int32_t& btf_id, std::int16_t& off) const override {
    btf_id = static_cast<std::int32_t>(host_.find(name, btf::Kind::kFunc));
    off = 0;
    return btf_id != 0;
  }
  bool map(std::string_view name, std::int32_t& fd) const override {
    const std::size_t index = name.empty() ? maps_.size() : static_cast<std::size_t>(name.back() - '0');
    if (index >= maps_.size()) return false;
    fd = maps_[index];
    return true;
  }

 private:
  const btf::Btf& host_;
  const std::vector<std::int32_t>& maps_;
};

}  // namespace

uapi::bpf_attr BpfClient::zero() {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof(attr));
  return attr;
}

long BpfClient::bpf(int cmd, uapi::bpf_attr& attr) { return runtime_.bpf(cmd, &attr, sizeof(attr)); }

long BpfClient::run_on_packet(long prog) {
  static const std::uint8_t packet[64] = {};
  uapi::bpf_attr attr = zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
  attr.test.data_size_in = sizeof packet;
  const long done = bpf(uapi::BPF_PROG_TEST_RUN, attr);
  return done < 0 ? done : static_cast<std::int32_t>(attr.test.retval);
}

long BpfClient::took(long fd) {
  if (fd >= 0) fds_.push_back(fd);
  return fd;
}

long BpfClient::keep(long fd) {
  fds_.erase(std::remove(fds_.begin(), fds_.end(), fd), fds_.end());
  return fd;
}

void BpfClient::close(long fd) {
  keep(fd);
  ::close(static_cast<int>(fd));
  (void)next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
}

void BpfClient::close_all() {
  for (const long fd : fds_) ::close(static_cast<int>(fd));
  fds_.clear();
  btf_fd_ = -1;
  (void)next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
}

PreparedLoad BpfClient::prepare(const ProgramText& program) {
  const HostSymbols symbols(host_, program.map_fds);
  isa::AssembleError error;
  Result<std::vector<isa::RawInsn>> insns = isa::assemble(program.text, &error, &symbols);
  EXPECT_TRUE(insns.ok()) << "line " << error.line << ": " << error.message;
  PreparedLoad load{zero(), insns.ok() ? std::move(insns).value() : std::vector<isa::RawInsn>{},
                    std::vector<char>(1 << 16)};
  uapi::bpf_attr& attr = load.attr;
  attr.prog_type = program.prog_type;
  attr.insn_cnt = static_cast<std::uint32_t>(load.insns.size());
  attr.insns = address(load.insns.data());
  attr.license = address(program.license);
  attr.log_level = program.log_level;
  attr.log_size = static_cast<std::uint32_t>(load.log.size());
  attr.log_buf = address(load.log.data());
  attr.prog_flags = program.flags;
  attr.expected_attach_type = program.member;
  attr.attach_btf_id = program.attach_btf_id;
  if (program.prog_type == uapi::BPF_PROG_TYPE_STRUCT_OPS && attr.attach_btf_id == 0)
    attr.attach_btf_id = host_.find(program.type, btf::Kind::kStruct);
  std::strcpy(attr.prog_name, "test");
  return load;
}

long BpfClient::load(const ProgramText& program) {
  PreparedLoad load = prepare(program);
  const long fd = took(bpf(uapi::BPF_PROG_LOAD, load.attr));
  log_ = load.log.data();
  return fd;
}

long BpfClient::user_btf() {
  if (btf_fd_ >= 0) return btf_fd_;
  btf::Builder builder;
  builder.add_int("int", 4, 1);
  return btf_fd_ = load_btf(builder.finish());
}

long BpfClient::load_btf(const std::vector<std::byte>& blob) {
  uapi::bpf_attr attr = zero();
  attr.btf = address(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  std::vector<char> text(4096);
  attr.btf_log_buf = address(text.data());
  attr.btf_log_size = static_cast<std::uint32_t>(text.size());
  attr.btf_log_level = 1;
  const long fd = took(bpf(uapi::BPF_BTF_LOAD, attr));
  log_ = text.data();
  return fd;
}

uapi::bpf_attr BpfClient::map_attr(std::uint32_t type, std::uint32_t key_size, std::uint32_t value_size, std::uint32_t max_entries,
                                   MapTypes types) {
  uapi::bpf_attr attr = zero();
  attr.map_type = type;
  attr.key_size = key_size;
  attr.value_size = value_size;
  attr.max_entries = max_entries;
  attr.btf_fd = static_cast<std::uint32_t>(types.btf);
  attr.btf_key_type_id = types.key;
  attr.btf_value_type_id = types.value;
  return attr;
}

uapi::bpf_attr BpfClient::ops_map_attr(std::string_view type, std::uint32_t flags) {
  const btf::TypeId wrapper = host_.find("bpf_struct_ops_" + std::string(type), btf::Kind::kStruct);
  uapi::bpf_attr attr = zero();
  attr.map_type = uapi::BPF_MAP_TYPE_STRUCT_OPS;
  attr.key_size = 4;
  attr.value_size = host_.size_of(wrapper).value_or(0);
  attr.max_entries = 1;
  attr.map_flags = flags;
  attr.btf_fd = static_cast<std::uint32_t>(user_btf());
  attr.btf_vmlinux_value_type_id = wrapper;
  std::strcpy(attr.map_name, "ops");
  return attr;
}

long BpfClient::create(uapi::bpf_attr attr) { return took(bpf(uapi::BPF_MAP_CREATE, attr)); }

long BpfClient::create_with(int cmd, uapi::bpf_attr attr) { return took(bpf(cmd, attr)); }

long BpfClient::update(long map, const void* value, std::uint32_t key, std::uint64_t flags) {
  uapi::bpf_attr attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&key);
  attr.value = address(value);
  attr.flags = flags;
  return bpf(uapi::BPF_MAP_UPDATE_ELEM, attr);
}

long BpfClient::lookup(long map, void* value, std::uint32_t key) {
  uapi::bpf_attr attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&key);
  attr.value = address(value);
  return bpf(uapi::BPF_MAP_LOOKUP_ELEM, attr);
}

long BpfClient::erase(long map, std::uint32_t key) {
  uapi::bpf_attr attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(&key);
  return bpf(uapi::BPF_MAP_DELETE_ELEM, attr);
}

long BpfClient::freeze(long map) {
  uapi::bpf_attr attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  return bpf(uapi::BPF_MAP_FREEZE, attr);
}

long BpfClient::link(long map) {
  uapi::bpf_attr attr = zero();
  attr.link_create.map_fd = static_cast<std::uint32_t>(map);
  attr.link_create.attach_type = uapi::BPF_STRUCT_OPS;
  return took(bpf(uapi::BPF_LINK_CREATE, attr));
}

long BpfClient::link_update(long link, long new_map, std::uint32_t flags, long old_map) {
  uapi::bpf_attr attr = zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_map_fd = static_cast<std::uint32_t>(new_map);
  attr.link_update.flags = flags;
  attr.link_update.old_map_fd = static_cast<std::uint32_t>(old_map);
  return bpf(uapi::BPF_LINK_UPDATE, attr);
}

long BpfClient::link_detach(long link) {
  uapi::bpf_attr attr = zero();
  attr.link_detach.link_fd = static_cast<std::uint32_t>(link);
  return bpf(uapi::BPF_LINK_DETACH, attr);
}

long BpfClient::info(long fd, void* into, std::uint32_t size) {
  uapi::bpf_attr attr = zero();
  attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
  attr.info.info_len = size;
  attr.info.info = address(into);
  return bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, attr);
}

uapi::bpf_link_info BpfClient::link_info(long link) {
  uapi::bpf_link_info i{};
  EXPECT_EQ(info(link, &i, sizeof(i)), 0);
  return i;
}
uapi::bpf_map_info BpfClient::map_info(long map) {
  uapi::bpf_map_info i{};
  EXPECT_EQ(info(map, &i, sizeof(i)), 0);
  return i;
}
uapi::bpf_prog_info BpfClient::prog_info(long prog) {
  uapi::bpf_prog_info i{};
  EXPECT_EQ(info(prog, &i, sizeof(i)), 0);
  return i;
}

long BpfClient::pin(long fd, const char* path) {
  uapi::bpf_attr attr = zero();
  attr.pathname = address(path);
  attr.bpf_fd = static_cast<std::uint32_t>(fd);
  return bpf(uapi::BPF_OBJ_PIN, attr);
}

long BpfClient::get(const char* path) {
  uapi::bpf_attr attr = zero();
  attr.pathname = address(path);
  return took(bpf(uapi::BPF_OBJ_GET, attr));
}

long BpfClient::fd_by_id(int cmd, std::uint32_t id) {
  uapi::bpf_attr attr = zero();
  attr.map_id = id;
  return took(bpf(cmd, attr));
}

std::uint32_t BpfClient::next_id(int cmd, std::uint32_t after) {
  uapi::bpf_attr attr = zero();
  attr.start_id = after;
  return bpf(cmd, attr) == 0 ? attr.next_id : 0;
}

}  // namespace ring3::test
