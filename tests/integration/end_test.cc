// A runtime that ends while clients of its socket run programs.
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "tests/integration/control_world.h"
#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

class RuntimeEnd : public ControlWorld {};

/// Their runs are ended or waited for; then their connections are cut.
TEST_F(RuntimeEnd, ClientsAreCutOffBetweenRuns) {
  uapi::bpf_attr hash = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 1);
  const long map = bpf().create(hash);
  ASSERT_GE(map, 0);
  const long program = bpf().load({.text = "*(u32 *)(r10 -4) = 0\n*(u64 *)(r10 -16) = 7\nr1 = map[name:m0]\nr2 = r10\nr2 += -4\nr3 = r10\n"
                                           "r3 += -16\nr4 = 0\ncall bpf_map_update_elem\nr1 = map[name:m0]\nr2 = r10\nr2 += -4\n"
                                           "call bpf_map_delete_elem\nr0 = 0\nexit",
                                   .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS,
                                   .map_fds = {static_cast<std::int32_t>(map)}});
  ASSERT_GE(program, 0) << bpf().log();
  const std::uint32_t id = bpf().prog_info(program).id;
  std::atomic<int> runs{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    // Before the first of them runs: the end may come before the last thread has begun.
    std::unique_ptr<control::Client> client = connect();
    ASSERT_NE(client, nullptr);
    uapi::bpf_attr by_id = BpfClient::zero();
    by_id.prog_id = id;
    const long fd = client->bpf(uapi::BPF_PROG_GET_FD_BY_ID, &by_id, sizeof by_id);
    ASSERT_GE(fd, 0);
    threads.emplace_back([&runs, fd, client = std::move(client)] {
      static const std::uint8_t packet[64] = {};
      uapi::bpf_attr attr = BpfClient::zero();
      attr.test.prog_fd = static_cast<std::uint32_t>(fd);
      attr.test.data_in = reinterpret_cast<std::uintptr_t>(packet);
      attr.test.data_size_in = sizeof packet;
      attr.test.repeat = 1000;
      while (client->bpf(uapi::BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0) ++runs;
      ::close(static_cast<int>(fd));
    });
  }
  EXPECT_TRUE(eventually([&] { return runs > 20; }));
  client_ = nullptr;
  runtime_ = nullptr;
  for (std::thread& thread : threads) thread.join();
}

/// What is nearest to behaviour.md C-36. A host is one BTF and cannot lose a part of it: what can go while a map with its types is
/// made is the host itself. Each map is made whole, or its maker is cut off.
TEST_F(RuntimeEnd, MapsAreMadeWholeOrTheirMakersAreCutOff) {
  ASSERT_TRUE((runtime_->kptr<counted_thing>(counted_kptr<counted_thing, LiveThing>()).ok())) << log_.take();
  ValueTypes types;
  const auto value = types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", types.kptr(types.counted), 64}});
  const long btf = bpf().load_btf(types.b.finish());
  ASSERT_GE(btf, 0) << bpf().log();
  uapi::bpf_btf_info info{};
  ASSERT_EQ(bpf().info(btf, &info, sizeof info), 0);
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      auto client = connect();
      uapi::bpf_attr by_id = BpfClient::zero();
      by_id.btf_id = info.id;
      const long types_fd = client->bpf(uapi::BPF_BTF_GET_FD_BY_ID, &by_id, sizeof by_id);
      EXPECT_GE(types_fd, 0);
      uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 16, 4, {types_fd, types.u32, value});
      for (;;) {
        const long map = client->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
        if (map < 0) {
          EXPECT_EQ(map, -ECONNREFUSED);
          break;
        }
        ++made;
        ::close(static_cast<int>(map));
      }
      ::close(static_cast<int>(types_fd));
    });
  EXPECT_TRUE(eventually([&] { return made > 20; }));
  client_ = nullptr;
  runtime_ = nullptr;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace ring3::test
