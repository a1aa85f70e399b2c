// The E checks of syscall programs and of descriptor arrays: what loads, what runs, what is refused and how.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

constexpr std::string_view kReturnsSeven = "r0 = 7\nexit";
constexpr std::string_view kMapByIndex = ".raw 18 1 5 0 0\n.raw 00 0 0 0 0\nr0 = 0\nexit";
constexpr std::string_view kReadsValueByIndex = ".raw 18 1 6 0 0\n.raw 00 0 0 0 0\nr0 = *(u8 *)(r1 +0)\nexit";

class SyscallPrograms : public World {
 protected:
  long load_syscall(std::string_view text, std::uint32_t flags = uapi::BPF_F_SLEEPABLE, std::uint32_t attach_type = 0) {
    return bpf().load({.text = text, .member = attach_type, .flags = flags, .prog_type = uapi::BPF_PROG_TYPE_SYSCALL});
  }
  template <typename Set>
  long run(long program, Set set) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    set(attr.test);
    const long result = bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr);
    return result < 0 ? result : static_cast<long>(attr.test.retval);
  }
  bool logged(std::string_view text) { return bpf().log().find(text) != std::string::npos; }
};

TEST_F(SyscallPrograms, E_01_AreSleepableAndAttachNowhere) {
  EXPECT_GT(load_syscall(kReturnsSeven), 0);
  EXPECT_EQ(load_syscall(kReturnsSeven, 0), -EINVAL);
  EXPECT_TRUE(logged("Syscall programs can only be sleepable")) << bpf().log();
  EXPECT_EQ(load_syscall(kReturnsSeven, uapi::BPF_F_SLEEPABLE, 1), -EINVAL);
}

TEST_F(SyscallPrograms, E_03_TheContextIsWhatTheProgramReaches) {
  const long program = load_syscall("r0 = *(u64 *)(r1 +8)\nexit");
  ASSERT_GT(program, 0) << bpf().log();
  std::vector<std::uint64_t> ctx(8192, 3);
  const auto with = [&](const void* address, std::uint32_t bytes) {
    return run(program, [&](auto& test) {
      test.ctx_in = reinterpret_cast<std::uintptr_t>(address);
      test.ctx_size_in = bytes;
    });
  };
  EXPECT_EQ(with(ctx.data(), 16), 3);
  EXPECT_EQ(with(ctx.data(), 15), -EINVAL);
  EXPECT_EQ(with(ctx.data(), 0), -EINVAL);
  EXPECT_EQ(with(nullptr, 16), -EINVAL);
  EXPECT_EQ(with(nullptr, 0), -EINVAL);
  EXPECT_EQ(with(ctx.data(), 65'535), 3);
  EXPECT_EQ(with(ctx.data(), 65'536), -EINVAL);
  EXPECT_EQ(with(reinterpret_cast<const void*>(8), 16), -EFAULT);
  const long reaches_nothing = load_syscall(kReturnsSeven);
  EXPECT_EQ(run(reaches_nothing, [](auto&) {}), 7);
}

TEST_F(SyscallPrograms, E_04_NothingElseGoesInOrOut) {
  const long program = load_syscall(kReturnsSeven);
  ASSERT_GT(program, 0) << bpf().log();
  char bytes[64] = {};
  const auto address = reinterpret_cast<std::uintptr_t>(bytes);
  const auto refused = [&](auto set) { EXPECT_EQ(run(program, set), -EINVAL); };
  refused([&](auto& test) { test.data_in = address, test.data_size_in = sizeof bytes; });
  refused([&](auto& test) { test.data_out = address, test.data_size_out = sizeof bytes; });
  refused([&](auto& test) { test.ctx_out = address, test.ctx_size_out = sizeof bytes; });
  refused([](auto& test) { test.repeat = 1; });
  refused([](auto& test) { test.duration = 1; });
  refused([](auto& test) { test.flags = uapi::BPF_F_TEST_RUN_ON_CPU; });
  refused([](auto& test) { test.batch_size = 1; });
  EXPECT_EQ(run(program, [](auto& test) { test.cpu = 77; }), 7);  // not looked at
}

TEST_F(SyscallPrograms, E_06_TypesWithoutARunSaySo) {
  const long cgroup = bpf().load({.text = "r0 = 1\nexit", .member = uapi::BPF_CGROUP_DEVICE, .prog_type = uapi::BPF_PROG_TYPE_CGROUP_DEVICE});
  ASSERT_GT(cgroup, 0) << bpf().log();
  EXPECT_EQ(run(cgroup, [](auto&) {}), kENotSupp);
}

TEST_F(SyscallPrograms, E_31_TheLastWordOfTheLargestContext) {
  const long far = load_syscall("r2 = r1\nr2 += 65528\nr0 = *(u32 *)(r2 +0)\nexit");
  ASSERT_GT(far, 0) << bpf().log();
  std::vector<std::uint32_t> ctx(16'384, 0);
  ctx[65'528 / 4] = 99;
  const auto with = [&](std::uint32_t bytes) {
    return run(far, [&](auto& test) {
      test.ctx_in = reinterpret_cast<std::uintptr_t>(ctx.data());
      test.ctx_size_in = bytes;
    });
  };
  EXPECT_EQ(with(65'535), 99);
  EXPECT_EQ(with(65'531), -EINVAL);
  EXPECT_LT(load_syscall("r2 = r1\nr2 += 65532\nr0 = *(u32 *)(r2 +0)\nexit"), 0) << "its last byte is none of a context";
}

class FdArrays : public World {
 protected:
  static constexpr std::uint32_t kUncounted = 0;
  long load(std::string_view text, const std::vector<std::int32_t>& fds, std::uint32_t count = kUncounted) {
    return load_at(text, reinterpret_cast<std::uintptr_t>(fds.data()), count);
  }
  long load_at(std::string_view text, std::uint64_t fds, std::uint32_t count = kUncounted) {
    PreparedLoad sent = bpf().prepare({.text = text, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
    sent.attr.fd_array = fds;
    sent.attr.fd_array_cnt = count;
    const long fd = bpf().create_with(uapi::BPF_PROG_LOAD, sent.attr);
    log_text_ = sent.log.data();
    return fd;
  }
  std::int32_t array(std::uint32_t entries = 1) {
    return static_cast<std::int32_t>(bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, entries)));
  }
  std::int32_t hash() { return static_cast<std::int32_t>(bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 1))); }
  std::vector<std::uint32_t> maps_of(long program) {
    std::vector<std::uint32_t> ids(80);
    uapi::bpf_prog_info info{};
    info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
    EXPECT_EQ(bpf().info(program, &info, sizeof info), 0);
    ids.resize(info.nr_map_ids);
    return ids;
  }

  std::string log_text_;
};

TEST_F(FdArrays, E_12_AnIndexNeedsItsArray) {
  EXPECT_GT(load(kMapByIndex, {array()}), 0) << log_text_;
  EXPECT_EQ(load_at(kMapByIndex, 0), -EPROTO);
  EXPECT_FALSE(log_text_.empty());
  EXPECT_EQ(load_at(kMapByIndex, 8), -EFAULT);
  const long program = bpf().load({.text = kReturnsSeven, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  EXPECT_EQ(load(kMapByIndex, {static_cast<std::int32_t>(program)}), -EINVAL);
  EXPECT_EQ(load(kMapByIndex, {99'999}), -EBADF);
  EXPECT_EQ(load(".raw 18 1 5 0 0\n.raw 00 0 0 0 4\nr0 = 0\nexit", {array()}), -EINVAL) << "the second half of a plain map is zero";
  EXPECT_EQ(load(".raw 18 1 7 0 0\n.raw 00 0 0 0 0\nr0 = 0\nexit", {array()}), -EINVAL) << "no such source";
}

TEST_F(FdArrays, E_13_ValuesByIndexLieInsideTheMap) {
  const std::int32_t map = array();
  EXPECT_GT(load(kReadsValueByIndex, {map}), 0) << log_text_;
  EXPECT_GT(load(".raw 18 1 6 0 0\n.raw 00 0 0 0 7\nr0 = *(u8 *)(r1 +0)\nexit", {map}), 0) << log_text_;
  EXPECT_EQ(load(".raw 18 1 6 0 0\n.raw 00 0 0 0 8\nr0 = 0\nexit", {map}), -EINVAL);
  EXPECT_EQ(load(kReadsValueByIndex, {hash()}), -EINVAL);
}

TEST_F(FdArrays, E_14_ACountedArrayIsDenseAndAllOfItBelongsToTheProgram) {
  const std::int32_t first = array(), second = hash();
  const auto btf = static_cast<std::int32_t>(bpf().user_btf());
  const long program = load(kMapByIndex, {first, btf, second, first}, 4);
  ASSERT_GT(program, 0) << log_text_;
  EXPECT_EQ(maps_of(program), (std::vector<std::uint32_t>{bpf().map_info(first).id, bpf().map_info(second).id}));
  const long alone = load(kMapByIndex, {first, second});
  EXPECT_EQ(maps_of(alone), std::vector<std::uint32_t>{bpf().map_info(first).id}) << "without a count it is read where instructions point";
  EXPECT_EQ(load(kMapByIndex, {first, -1}, 2), -EBADF);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(load(kMapByIndex, {first, socket}, 2), -EINVAL);
  ::close(socket);
  EXPECT_EQ(load(kMapByIndex, {first}, 1u << 30), -EINVAL);
  std::vector<std::int32_t> many;
  for (int i = 0; i < 64; ++i) many.push_back(array());
  EXPECT_GT(load(kMapByIndex, many, 64), 0) << log_text_;
  many.push_back(array());
  EXPECT_EQ(load(kMapByIndex, many, 65), -E2BIG);
}

TEST_F(FdArrays, E_15_TheSameIndicesAreTheSameProgram) {
  const auto tag = [&](long program) {
    const uapi::bpf_prog_info info = bpf().prog_info(program);
    return std::string(reinterpret_cast<const char*>(info.tag), sizeof info.tag);
  };
  const long one = load(kMapByIndex, {array()}), other = load(kMapByIndex, {array()});
  ASSERT_GT(one, 0);
  ASSERT_GT(other, 0);
  EXPECT_EQ(tag(one), tag(other));
  EXPECT_NE(tag(one), tag(load(kReadsValueByIndex, {array()})));
}

TEST_F(FdArrays, E_16_FunctionsOfModulesNeedTheirTypes) {
  // call kernel-function#1 of the module whose types stand at index 1
  constexpr std::string_view kCalls = ".raw 85 0 2 1 1\nexit";
  EXPECT_EQ(load_at(kCalls, 0), -EPROTO) << log_text_;
  const auto btf = static_cast<std::int32_t>(bpf().user_btf());
  EXPECT_EQ(load(kCalls, {0, btf}), -EINVAL) << log_text_;  // a client's own types are no module's
  EXPECT_EQ(load(".raw 85 0 2 -1 1\nexit", {0, btf}), -EINVAL) << log_text_;
}

TEST_F(FdArrays, E_30_BindingAMap) {
  const std::int32_t map = array();
  const long program = bpf().load({.text = kReturnsSeven, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  const auto bind = [&](long to, long what, std::uint32_t flags) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.prog_bind_map.prog_fd = static_cast<std::uint32_t>(to);
    attr.prog_bind_map.map_fd = static_cast<std::uint32_t>(what);
    attr.prog_bind_map.flags = flags;
    return bpf().bpf(uapi::BPF_PROG_BIND_MAP, attr);
  };
  EXPECT_EQ(bind(program, map, 0), 0);
  EXPECT_EQ(bind(program, map, 0), 0);
  EXPECT_EQ(maps_of(program), std::vector<std::uint32_t>{bpf().map_info(map).id});
  EXPECT_EQ(bind(program, map, 1), -EINVAL);
  EXPECT_EQ(bind(99'999, map, 0), -EBADF);
  EXPECT_EQ(bind(program, 99'999, 0), -EBADF);
  EXPECT_EQ(bind(map, map, 0), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
