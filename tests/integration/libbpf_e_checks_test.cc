// The E checks of programs that act for the client that runs them: compiled by clang, loaded by libbpf, run as clients do.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

// Contexts: loaders.bpf.c has them.
struct Made {
  int map = -1, program = -1;
  int broken = 0;
  std::uint32_t log_size = 0;
  std::uint64_t log = 0;
};
struct Issued {
  int command = 0;
  int result = 0;
  std::uint64_t attr[8] = {};
};
struct Named {
  char name[16] = {};
  std::uint32_t size = 0;
  std::uint32_t kind = 0;
  std::uint64_t flags = 0;
  std::int64_t result = 1;
  std::uint64_t address = 1;
};

class Loaders : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    ASSERT_EQ(object_.load(), 0) << door_.take_text();
  }
  /// The command's result; what the program returned is in retval_.
  template <typename T>
  long run(const char* program, T& ctx, const model::Rights& rights = model::Rights::all()) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(object_.program(program));
    attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(&ctx);
    attr.test.ctx_size_in = sizeof ctx;
    const long result = issue_as(rights, uapi::BPF_PROG_TEST_RUN, attr);
    retval_ = static_cast<int>(attr.test.retval);
    return result;
  }
  long issue_as(const model::Rights& rights, int command, uapi::bpf_attr& attr) {
    syscall::OwnCaller caller(rights);
    return syscall::bpf(runtime_->impl().kernel(), caller, command, reinterpret_cast<std::uintptr_t>(&attr), sizeof attr);
  }
  long issue(int command, const uapi::bpf_attr& attr) {
    Issued ctx{.command = command};
    std::memcpy(ctx.attr, &attr, sizeof ctx.attr);
    EXPECT_EQ(run("issue", ctx), 0);
    return ctx.result;
  }
  static Named named(std::string_view name, btf::Kind kind = btf::Kind::kStruct) {
    Named ctx;
    name.copy(ctx.name, sizeof ctx.name - 1);
    ctx.size = static_cast<std::uint32_t>(name.size() + 1);
    ctx.kind = static_cast<std::uint32_t>(kind);
    return ctx;
  }
  std::uint32_t objects(int next_id) {
    std::uint32_t count = 0;
    for (std::uint32_t id = 0; (id = bpf().next_id(next_id, id)) != 0;) ++count;
    return count;
  }
  static bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

  LibbpfDoor door_{*runtime_, test_host_btf};
  ObjectFile object_{RING3_MODULE_DIR "/loaders.bpf.o"};
  int retval_ = 0;
};

TEST_F(Loaders, E_02_WhatAProgramMakesIsItsRunners) {
  Made ctx;
  ASSERT_EQ(run("make", ctx), 0);
  ASSERT_EQ(retval_, 0);
  EXPECT_EQ(::fcntl(ctx.map, F_GETFD), FD_CLOEXEC);
  std::uint64_t value = 0;
  EXPECT_EQ(bpf().lookup(ctx.map, &value, 1), 0);
  EXPECT_EQ(value, 42u);
  EXPECT_EQ(bpf().run_on_packet(ctx.program), 7);
  bpf().close(ctx.map);
  bpf().close(ctx.program);
}

TEST_F(Loaders, E_05_TheContextComesBackInPlace) {
  Issued ctx{.command = 99'999, .result = 5};
  ASSERT_EQ(run("close", ctx), 0);
  EXPECT_EQ(ctx.result, -EBADF);
  EXPECT_EQ(ctx.command, 99'999);
  EXPECT_EQ(retval_, 0);
}

TEST_F(Loaders, E_07_OnlyWhatALoaderNeedsIsACommandOfPrograms) {
  for (int command = -1; command <= uapi::__MAX_BPF_CMD; ++command) {
    switch (command) {
      case uapi::BPF_MAP_CREATE: case uapi::BPF_MAP_UPDATE_ELEM: case uapi::BPF_MAP_DELETE_ELEM: case uapi::BPF_MAP_FREEZE:
      case uapi::BPF_MAP_GET_FD_BY_ID: case uapi::BPF_PROG_LOAD: case uapi::BPF_BTF_LOAD: case uapi::BPF_LINK_CREATE:
      case uapi::BPF_RAW_TRACEPOINT_OPEN: continue;
      default: break;
    }
    EXPECT_EQ(issue(command, BpfClient::zero()), -EINVAL) << command;
  }
  // Those that are, answer as from anywhere else.
  uapi::bpf_attr attr = BpfClient::zero();
  attr.map_fd = 99'999;
  EXPECT_EQ(issue(uapi::BPF_MAP_FREEZE, attr), -EBADF);
  EXPECT_EQ(issue(uapi::BPF_MAP_DELETE_ELEM, attr), -EBADF);
  EXPECT_EQ(issue(uapi::BPF_MAP_CREATE, BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 8, 8, 1)), -EINVAL);
  attr = BpfClient::zero();
  attr.map_id = 99'999;
  EXPECT_EQ(issue(uapi::BPF_MAP_GET_FD_BY_ID, attr), -ENOENT);
  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1));
  attr.map_id = bpf().map_info(map).id;
  const long again = issue(uapi::BPF_MAP_GET_FD_BY_ID, attr);
  EXPECT_EQ(bpf().map_info(again).id, attr.map_id);
  bpf().close(again);
}

/// Pointers in attributes are addresses in the host, read as carefully as a client's.
TEST_F(Loaders, E_07_AddressesOutOfNowhereAreFaults) {
  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1));
  uapi::bpf_attr attr = BpfClient::zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = attr.value = 8;
  EXPECT_EQ(issue(uapi::BPF_MAP_UPDATE_ELEM, attr), -EFAULT);
  attr = BpfClient::zero();
  attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = 2;
  attr.insns = attr.license = ~0ull - 4096;
  EXPECT_EQ(issue(uapi::BPF_PROG_LOAD, attr), -EFAULT);
}

TEST_F(Loaders, E_08_AProgramRunsNoPrograms) {
  uapi::bpf_attr attr = BpfClient::zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(object_.program("issue"));
  EXPECT_EQ(issue(uapi::BPF_PROG_TEST_RUN, attr), -EINVAL);
}

TEST_F(Loaders, E_09_CommandsNeedTheRightsOfTracing) {
  const auto load = [&](const char* text, model::Rights rights) {
    PreparedLoad sent = bpf().prepare({.text = text, .flags = uapi::BPF_F_SLEEPABLE, .prog_type = uapi::BPF_PROG_TYPE_SYSCALL});
    const long fd = issue_as(rights, uapi::BPF_PROG_LOAD, sent.attr);
    if (fd >= 0) bpf().close(fd);
    return std::pair<long, std::string>(fd, sent.log.data());
  };
  constexpr const char* kCommand = "r1 = 0\nr2 = r10\nr2 += -8\n*(u64 *)(r10 -8) = r1\nr3 = 8\ncall bpf_sys_bpf\nexit";
  EXPECT_GT(load(kCommand, model::Rights::all()).first, 0);
  const auto [result, log] = load(kCommand, model::Rights{.bpf = true});
  EXPECT_EQ(result, -EINVAL) << log;
  EXPECT_NE(log.find("program of this type cannot use helper bpf_sys_bpf#166"), std::string::npos) << log;
  EXPECT_GT(load("r1 = 99999\ncall bpf_sys_close\nr0 = 0\nexit", model::Rights{.bpf = true}).first, 0);
  // The rights of a command are those of who runs the program, not of who loaded it.
  Made ctx;
  ASSERT_EQ(run("make", ctx, model::Rights{}), 0);
  EXPECT_EQ(retval_, -EPERM);
}

TEST_F(Loaders, E_10_TypesOfTheHostByName) {
  Named ctx = named("thing");
  ASSERT_EQ(run("find_type", ctx), 0);
  EXPECT_EQ(ctx.result, host_btf_->find("thing", btf::Kind::kStruct));
  const auto answer = [&](Named asked) {
    EXPECT_EQ(run("find_type", asked), 0);
    return asked.result;
  };
  EXPECT_EQ(answer(named("thing", btf::Kind::kUnion)), -ENOENT);
  EXPECT_EQ(answer(named("nobody")), -ENOENT);
  Named odd = named("thing");
  odd.kind = 1u << 31;
  EXPECT_EQ(answer(odd), -ENOENT);
  for (const std::uint32_t size : {0u, 1u, 5u}) {
    odd = named("thing");
    odd.size = size;  // none, an empty one, one without its end
    EXPECT_EQ(answer(odd), -EINVAL) << size;
  }
  odd = named("thing");
  odd.flags = 1;
  EXPECT_EQ(answer(odd), -EINVAL);
}

TEST_F(Loaders, E_11_SymbolsAreWhatTheHostHasRegistered) {
  ASSERT_TRUE(runtime_->variable<&test_level>().ok()) << log_.take();
  Named ctx = named("test_level");
  ASSERT_EQ(run("find_symbol", ctx), 0);
  EXPECT_EQ(ctx.result, 0);
  EXPECT_EQ(ctx.address, reinterpret_cast<std::uintptr_t>(&test_level));
  ctx = named("test_limits");  // in the BTF, not registered
  ASSERT_EQ(run("find_symbol", ctx), 0);
  EXPECT_EQ(ctx.result, -ENOENT);
  EXPECT_EQ(ctx.address, 0u);
  ctx = named("test_level");
  ASSERT_EQ(run("find_symbol", ctx, model::Rights{.bpf = true}), 0);
  EXPECT_EQ(ctx.result, -EPERM);
  EXPECT_EQ(ctx.address, 0u);
  ctx = named("test_level");
  ctx.flags = 1;
  ASSERT_EQ(run("find_symbol", ctx), 0);
  EXPECT_EQ(ctx.result, -EINVAL);
  EXPECT_EQ(ctx.address, 0u);
}

TEST_F(Loaders, E_21_ALoaderThatFailsLeavesNothing) {
  // One map and five programs: what libbpf tried out while it loaded the file goes when the runtime hears that it is closed.
  const auto only_the_files = [&] {
    return objects(uapi::BPF_MAP_GET_NEXT_ID) == 1 && objects(uapi::BPF_PROG_GET_NEXT_ID) == 5;
  };
  ASSERT_TRUE(eventually(only_the_files));
  const int next_free = ::dup(0);
  ::close(next_free);
  std::string log(4096, '\0');
  Made ctx{.broken = 1, .log_size = 4096, .log = reinterpret_cast<std::uintptr_t>(log.data())};
  ASSERT_EQ(run("make", ctx), 0);
  EXPECT_EQ(retval_, -EACCES);
  EXPECT_EQ(ctx.map, -1);
  EXPECT_FALSE(is_open(next_free));
  EXPECT_NE(log.find("R0 !read_ok"), std::string::npos) << log.c_str();
  EXPECT_TRUE(only_the_files());
}

TEST_F(Loaders, E_34_NoiseAsContextIsErrorsOnly) {
  std::mt19937_64 random(20'261);
  for (int i = 0; i < 2'000; ++i) {
    struct { std::uint64_t words[12]; } ctx;
    for (std::uint64_t& word : ctx.words) word = (random() & 3) == 0 ? random() & 63 : random();
    for (const char* program : {"make", "issue", "find_type", "find_symbol"}) {
      auto copy = ctx;
      if (program == std::string_view("issue")) copy.words[0] = copy.words[0] & 63;
      EXPECT_EQ(run(program, copy), 0) << program;
      if (program == std::string_view("make") && retval_ == 0) {
        bpf().close(static_cast<int>(copy.words[0]));
        bpf().close(static_cast<int>(copy.words[0] >> 32));
      }
      if (const auto result = static_cast<int>(copy.words[0] >> 32); program == std::string_view("issue") && result > 0) bpf().close(result);
    }
  }
}

}  // namespace
}  // namespace ring3::test
