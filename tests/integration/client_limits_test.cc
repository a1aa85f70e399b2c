// What one user's clients may hold of a host (ClientLimits), by the socket; `ring3 run` has its own test (run/run_client_test.cc).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "control/client.h"
#include "test_host_btf.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

class ClientLimitsTest : public ControlWorld {
 protected:
  /// A host of its own with these limits, and a client of it.
  void start(const ClientLimits& limits) {
    auto created = Runtime::create({.name = "limited", .btf = test_host_btf, .log = &log_, .client_limits = limits});
    ASSERT_TRUE(created.ok());
    limited_ = std::move(*created);
    ASSERT_TRUE(limited_->listen({.path = folder_ + "/limited.sock", .policy = nullptr}).ok());
    std::string why;
    auto client = control::Client::connect(folder_ + "/limited.sock", why);
    ASSERT_TRUE(client.ok()) << why;
    limited_client_ = std::move(*client);
  }
  static uapi::bpf_attr hash(std::uint32_t entries, std::uint32_t value_size = 8) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 8, value_size, entries);
    attr.map_flags = uapi::BPF_F_NO_PREALLOC;
    return attr;
  }
  long create(std::uint32_t entries, std::uint32_t value_size = 8) {
    uapi::bpf_attr attr = hash(entries, value_size);
    const long fd = limited_client_->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
    if (fd >= 0) fds_.push_back(static_cast<int>(fd));
    return fd;
  }
  bool logged(const char* text) { return log_.take().find(text) != std::string::npos; }
  ~ClientLimitsTest() override {
    for (const int fd : fds_) ::close(fd);
    limited_client_ = nullptr;
    limited_ = nullptr;
  }

  std::unique_ptr<Runtime> limited_;
  std::unique_ptr<control::Client> limited_client_;
  std::vector<int> fds_;
};

TEST_F(ClientLimitsTest, OneMapMoreIsRefusedUntilOneGoes) {
  start({.maps = 3});
  for (int i = 0; i < 3; ++i) ASSERT_GE(create(1), 0);
  EXPECT_EQ(create(1), -EPERM);
  EXPECT_TRUE(logged("has 3 objects of kind map"));
  ::close(fds_.back());
  fds_.pop_back();
  EXPECT_GE(create(1), 0);
  EXPECT_EQ(create(1), -EPERM);
}

TEST_F(ClientLimitsTest, TheHostsOwnCallsDoNotCount) {
  start({.maps = 1});
  std::vector<int> own;
  for (int i = 0; i < 3; ++i) {
    uapi::bpf_attr attr = hash(1);
    const long fd = limited_->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
    ASSERT_GE(fd, 0);
    own.push_back(static_cast<int>(fd));
  }
  EXPECT_GE(create(1), 0);
  EXPECT_EQ(create(1), -EPERM);
  for (const int fd : own) ::close(fd);
}

TEST_F(ClientLimitsTest, BytesCountAsFullAsMapsMayGet) {
  start({.bytes = 100'000});
  EXPECT_EQ(create(100, 1016), -E2BIG);
  EXPECT_TRUE(logged("a map of 102400 bytes is larger than the 100000"));
  ASSERT_GE(create(60, 1016), 0);
  EXPECT_EQ(create(60, 1016), -ENOMEM);
  EXPECT_TRUE(logged("61440 more are over the 100000"));
  EXPECT_GE(create(20, 1016), 0);
  EXPECT_EQ(create(UINT32_MAX, 1 << 20), -E2BIG) << "the product is more than 64 bits have";
}

TEST_F(ClientLimitsTest, PagesOfAnArenaCountWhetherOrNotTheyAreThere) {
  start({.bytes = 100 * 4096});
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARENA, 0, 0, 101);
  attr.map_flags = uapi::BPF_F_MMAPABLE;
  EXPECT_EQ(limited_client_->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr), -E2BIG);
  EXPECT_TRUE(logged("a map of 413696 bytes is larger than the 409600"));
  attr.max_entries = 60;
  const long arena = limited_client_->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
  ASSERT_GE(arena, 0);
  fds_.push_back(static_cast<int>(arena));
  EXPECT_EQ(limited_client_->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr), -ENOMEM);
}

TEST_F(ClientLimitsTest, EveryConnectionOfAUserCounts) {
  start({.maps = 2});
  ASSERT_GE(create(1), 0);
  ASSERT_GE(create(1), 0);
  std::string why;
  auto second = control::Client::connect(folder_ + "/limited.sock", why);
  ASSERT_TRUE(second.ok()) << why;
  uapi::bpf_attr attr = hash(1);
  EXPECT_EQ((*second)->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr), -EPERM);
}

TEST_F(ClientLimitsTest, ProgramsAndTypesCountToo) {
  start({.programs = 1, .btfs = 1});
  const std::uint64_t code[] = {0xb7, 0x95};  // r0 = 0; exit
  const char license[] = "GPL";
  long got[2];
  for (long& fd : got) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insn_cnt = 2;
    attr.insns = reinterpret_cast<std::uintptr_t>(code);
    attr.license = reinterpret_cast<std::uintptr_t>(license);
    fd = limited_client_->bpf(uapi::BPF_PROG_LOAD, &attr, sizeof attr);
  }
  ASSERT_GE(got[0], 0);
  fds_.push_back(static_cast<int>(got[0]));
  EXPECT_EQ(got[1], -EPERM);
  // struct { u16 magic; u8 version, flags; u32 hdr_len, type_off, type_len, str_off, str_len } and an int.
  const std::uint32_t types[] = {0x0001eb9f, 24, 0, 16, 16, 5, 1, 0x01000000, 4, 0x01000020, 0x746e6900, 0};
  for (long& fd : got) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.btf = reinterpret_cast<std::uintptr_t>(types);
    attr.btf_size = 24 + 16 + 5;
    fd = limited_client_->bpf(uapi::BPF_BTF_LOAD, &attr, sizeof attr);
  }
  ASSERT_GE(got[0], 0) << log_.take();
  fds_.push_back(static_cast<int>(got[0]));
  EXPECT_EQ(got[1], -EPERM);
}

}  // namespace
}  // namespace ring3::test
