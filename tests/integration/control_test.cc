// The control socket: a client that talks sense, and clients that do not.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "control/client.h"
#include "control/module_client.h"
#include "control/packet.h"
#include "control/pin_client.h"
#include "control/wire.h"
#include "ring3/hook.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

using control::Client;
using control::MessageType;
using control::WireWriter;

class ControlSocket : public ControlWorld {
 protected:
  static uapi::bpf_attr array(std::uint32_t flags = 0) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 4);
    attr.map_flags = flags;
    return attr;
  }
  static long create(Client& client, std::uint32_t flags = 0) {
    uapi::bpf_attr attr = array(flags);
    return client.bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
  }
  static std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
  static long element(Client& client, int cmd, long map, std::uint32_t key, std::uint64_t& value) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address(&key);
    attr.value = address(&value);
    return client.bpf(cmd, &attr, sizeof attr);
  }
  /// A socket without the library's manners.
  OwnedFd raw() {
    OwnedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static long result_of(int socket) {
    Result<control::Packet> packet = control::receive_packet(socket);
    if (!packet.ok()) return 1;  // cut off
    control::WireReader in(packet->bytes);
    EXPECT_EQ(in.get<control::Header>().type, MessageType::kReply);
    return static_cast<long>(in.get<std::int64_t>());
  }
  static void say(int socket, const WireWriter& message) {
    EXPECT_TRUE(control::send_packet(socket, message.bytes()).ok());
  }
  static void say_hello(int socket) {
    say(socket, WireWriter(MessageType::kHello, 1).put(control::kProtocolMagic).put(control::kProtocolVersion));
    EXPECT_EQ(result_of(socket), 0);
  }
};

TEST_F(ControlSocket, HelloTellsWhoTheHostIs) {
  auto client = connect();
  EXPECT_EQ(client->host().name, runtime_->impl().name());
  EXPECT_EQ(client->host().pid, ::getpid());
  EXPECT_EQ(client->host().uid, ::geteuid());
}

TEST_F(ControlSocket, MapsAreRealDescriptors) {
  auto client = connect();
  const long map = create(*client, uapi::BPF_F_MMAPABLE);
  ASSERT_GE(map, 0) << client->text();
  std::uint64_t value = 42;
  EXPECT_EQ(element(*client, uapi::BPF_MAP_UPDATE_ELEM, map, 1, value), 0);
  const int copy = ::dup(static_cast<int>(map));
  ::close(static_cast<int>(map));
  value = 0;
  EXPECT_EQ(element(*client, uapi::BPF_MAP_LOOKUP_ELEM, copy, 1, value), 0);
  EXPECT_EQ(value, 42u);
  void* memory = ::mmap(nullptr, 32, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(static_cast<const std::uint64_t*>(memory)[1], 42u);
  ::munmap(memory, 32);
  ::close(copy);
  EXPECT_EQ(first_map(), 0u) << "the map outlives its last descriptor";
}

TEST_F(ControlSocket, ErrorsAreTheSystemCallsOwn) {
  auto client = connect();
  uapi::bpf_attr attr = array();
  EXPECT_EQ(client->bpf(uapi::BPF_MAP_CREATE, nullptr, sizeof attr), -EFAULT);
  EXPECT_EQ(client->bpf(12345, &attr, sizeof attr), -EINVAL);
  EXPECT_EQ(client->bpf(uapi::BPF_MAP_CREATE, &attr, 8192), -E2BIG);
  std::uint64_t value = 0;
  EXPECT_EQ(element(*client, uapi::BPF_MAP_LOOKUP_ELEM, 9999, 0, value), -EBADF);
  EXPECT_EQ(element(*client, uapi::BPF_MAP_LOOKUP_ELEM, -1, 0, value), -EBADF);
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  EXPECT_EQ(element(*client, uapi::BPF_MAP_LOOKUP_ELEM, pipes[0], 0, value), -EINVAL);
  ::close(pipes[0]);
  ::close(pipes[1]);
}

TEST_F(ControlSocket, HostTypesAreBtf) {
  auto client = connect();
  Result<OwnedFd> file = client->host_btf();
  ASSERT_TRUE(file.ok());
  std::uint16_t magic = 0;
  ASSERT_EQ(::pread(file->get(), &magic, sizeof magic, 0), 2);
  EXPECT_EQ(magic, 0xeb9f);
  EXPECT_LT(::pwrite(file->get(), &magic, sizeof magic, 0), 0) << "the host's types can be changed";
}

TEST_F(ControlSocket, ALoadIsInvisibleAndEndsWithItsClient) {
  auto client = connect();
  EXPECT_TRUE(client->begin().ok());
  EXPECT_EQ(client->begin().error(), Errno::kBusy);
  const long map = create(*client);
  ASSERT_GE(map, 0);
  EXPECT_EQ(first_map(), 0u) << "others see a map that is not committed";
  uapi::bpf_map_info info{};
  uapi::bpf_attr attr = BpfClient::zero();
  attr.info.bpf_fd = static_cast<std::uint32_t>(map);
  attr.info.info = address(&info);
  attr.info.info_len = sizeof info;
  EXPECT_EQ(client->bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr), 0);
  EXPECT_NE(info.id, 0u);
  attr = BpfClient::zero();
  attr.map_id = info.id;
  EXPECT_GE(client->bpf(uapi::BPF_MAP_GET_FD_BY_ID, &attr, sizeof attr), 0) << "a load finds its own objects";
  EXPECT_EQ(bpf().fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, info.id), -ENOENT);
  EXPECT_TRUE(client->abort().ok());
  EXPECT_EQ(client->abort().error(), Errno::kNoEnt);
}

/// What a load makes cannot take the place of what is there, past the commit: an aborted load would leave it there.
TEST_F(ControlSocket, ALoadPutsNothingInItsPlaceBeforeTheCommit) {
  Hook in = Hook::add(*runtime_, {.kind = HookKind::kTcxIngress, .device = 7, .name = "in"}).value();
  const std::array<std::byte, 64> packet{};
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(bpf().load({.text = "r0 = 1\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS}));
  attr.link_create.target_ifindex = 7;
  attr.link_create.attach_type = uapi::BPF_TCX_INGRESS;
  const uapi::bpf_link_info there = bpf().link_info(bpf().create_with(uapi::BPF_LINK_CREATE, attr));
  ASSERT_NE(there.id, 0u);

  auto client = connect();
  const auto answer = [&](int command) { return client->bpf(command, &attr, sizeof attr); };
  ASSERT_TRUE(client->begin().ok());
  PreparedLoad load = bpf().prepare({.text = "r0 = 2\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  const long program = client->bpf(uapi::BPF_PROG_LOAD, &load.attr, sizeof load.attr);
  ASSERT_GE(program, 0) << load.log.data();
  attr = BpfClient::zero();
  attr.link_id = there.id;
  const long link = answer(uapi::BPF_LINK_GET_FD_BY_ID);
  ASSERT_GE(link, 0);
  attr = BpfClient::zero();
  attr.prog_id = there.prog_id;
  const long published = answer(uapi::BPF_PROG_GET_FD_BY_ID);
  ASSERT_GE(published, 0);

  attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(link);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(program);
  EXPECT_EQ(answer(uapi::BPF_LINK_UPDATE), -EOPNOTSUPP);
  EXPECT_NE(client->text().find("before the commit"), std::string::npos) << client->text();
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(published);
  EXPECT_EQ(answer(uapi::BPF_LINK_UPDATE), 0) << "nothing of the load's";
  attr = BpfClient::zero();
  attr.target_ifindex = 7;
  attr.attach_bpf_fd = static_cast<std::uint32_t>(program);
  attr.attach_type = uapi::BPF_TCX_INGRESS;
  attr.attach_flags = uapi::BPF_F_BEFORE;
  EXPECT_EQ(answer(uapi::BPF_PROG_ATTACH), -EOPNOTSUPP);
  EXPECT_EQ(in.run(packet).value(), 1u);
  EXPECT_EQ(in.size(), 1u);

  EXPECT_TRUE(client->abort().ok());
  EXPECT_EQ(in.run(packet).value(), 1u);
  EXPECT_EQ(answer(uapi::BPF_PROG_ATTACH), 0) << "without a load it is the client's own";
  EXPECT_EQ(in.run(packet).value(), 2u);
  for (const long fd : {program, link, published}) ::close(static_cast<int>(fd));
}

TEST_F(ControlSocket, ACommittedLoadIsAModule) {
  auto client = connect();
  auto other = connect();
  EXPECT_EQ(control::commit(*client, {.name = "early"}).error(), Errno::kInval) << "nothing was begun";
  EXPECT_TRUE(client->begin().ok());
  const long map = create(*client);
  ASSERT_GE(map, 0);
  Result<std::uint32_t> id = control::commit(*client, {.name = "first", .source = "first.bpf.o", .digest = "00"});
  ASSERT_TRUE(id.ok()) << client->text();
  ::close(static_cast<int>(map));
  client = nullptr;
  auto all = control::modules(*other);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(all->front().name, "first");
  EXPECT_EQ(all->front().id, *id);
  EXPECT_EQ(all->front().uid, ::geteuid());
  EXPECT_EQ(all->front().pid, ::getpid());
  EXPECT_EQ(all->front().source, "first.bpf.o");
  ASSERT_EQ(all->front().maps.size(), 1u);
  EXPECT_EQ(all->front().maps.front().max_entries, 4u);
  EXPECT_EQ(control::module_info(*other, "first")->maps.front().id, first_map());
  EXPECT_EQ(control::module_info(*other, "second").error(), Errno::kNoEnt);
  EXPECT_NE(other->text().find("second"), std::string::npos);
  EXPECT_EQ(control::remove(*other, "second", false).error(), Errno::kNoEnt);
  EXPECT_EQ(*control::remove(*other, "first", false), *id) << other->text();
  EXPECT_EQ(first_map(), 0u);
}

TEST_F(ControlSocket, ALoadDoesNotRegisterByUpdate) {
  auto client = connect();
  uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", 0);
  const std::uint32_t value_size = attr.value_size;
  ASSERT_TRUE(client->begin().ok());
  const long map = client->bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
  ASSERT_GE(map, 0) << client->text();
  std::vector<std::uint64_t> value(value_size / 8 + 1);
  EXPECT_EQ(element(*client, uapi::BPF_MAP_UPDATE_ELEM, map, 0, value.front()), -EOPNOTSUPP);
  EXPECT_NE(client->text().find("BPF_F_LINK"), std::string::npos) << client->text();
  EXPECT_EQ(calc_.registered.load(), 0);
  EXPECT_TRUE(client->abort().ok());
}

TEST_F(ControlSocket, ASessionModuleEndsWithItsClient) {
  auto client = connect();
  EXPECT_TRUE(client->begin().ok());
  const long map = create(*client);
  ASSERT_TRUE(control::commit(*client, {.name = "guest", .lifetime = module::Lifetime::kSession}).ok()) << client->text();
  ::close(static_cast<int>(map));
  EXPECT_NE(first_map(), 0u);
  client = nullptr;
  auto other = connect();
  // The host notices in its own time, so the listing is asked until it is empty.
  for (int i = 0; i < 20'000 && !control::modules(*other)->empty(); ++i) continue;
  EXPECT_EQ(first_map(), 0u);
}

TEST_F(ControlSocket, ManyModulesComeInPieces) {
  auto client = connect();
  std::vector<long> maps;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(client->begin().ok());
    for (int n = 0; n < 20; ++n) maps.push_back(create(*client));
    ASSERT_TRUE(control::commit(*client, {.name = "m" + std::to_string(i)}).ok()) << client->text();
  }
  auto all = control::modules(*client);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 60u);
  for (const auto& m : *all) EXPECT_EQ(m.maps.size(), 20u);
  for (const long map : maps) ::close(static_cast<int>(map));
}

TEST_F(ControlSocket, ThePinTreeIsSeenAndChanged) {
  auto client = connect();
  const long map = create(*client);
  ASSERT_TRUE(control::make_pin_directory(*client, "/sys/fs/bpf/dir", 0755).ok()) << client->text();
  EXPECT_EQ(control::make_pin_directory(*client, "/sys/fs/bpf/dir", 0755).error(), Errno::kExist);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.pathname = address("/sys/fs/bpf/dir/map");
  attr.bpf_fd = static_cast<std::uint32_t>(map);
  ASSERT_EQ(client->bpf(uapi::BPF_OBJ_PIN, &attr, sizeof attr), 0) << client->text();
  ::close(static_cast<int>(map));
  auto entries = control::list_pins(*client, "/sys/fs/bpf/dir");
  ASSERT_TRUE(entries.ok()) << client->text();
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ(entries->front().name, "map");
  EXPECT_EQ(entries->front().kind, control::PinnedKind::kObject);
  EXPECT_EQ(entries->front().object_id, first_map());
  EXPECT_EQ(entries->front().mode, 0600u);
  EXPECT_EQ(control::rename_pin(*client, "/sys/fs/bpf/dir/map", "/sys/fs/bpf/a.b").error(), Errno::kPerm);
  EXPECT_TRUE(control::rename_pin(*client, "/sys/fs/bpf/dir/map", "/sys/fs/bpf/moved").ok());
  EXPECT_TRUE(control::remove_pin(*client, "/sys/fs/bpf/dir").ok()) << client->text();
  EXPECT_TRUE(control::remove_pin(*client, "/sys/fs/bpf/moved").ok());
  EXPECT_EQ(control::remove_pin(*client, "/sys/fs/bpf/moved").error(), Errno::kNoEnt);
  EXPECT_EQ(first_map(), 0u);
}

TEST_F(ControlSocket, LogLinesArriveAndWaitersWake) {
  auto client = connect();
  runtime_->impl().log(Severity::kWarning, "first");
  auto lines = client->log(0, false);
  ASSERT_TRUE(lines.ok());
  ASSERT_FALSE(lines->empty());
  EXPECT_EQ(lines->back().text, "first");
  EXPECT_EQ(lines->back().severity, Severity::kWarning);
  const std::uint64_t next = lines->back().position + 1;
  EXPECT_TRUE(client->log(next, false)->empty());
  std::string got;
  std::thread waiter([&] {
    auto more = client->log(next, true);
    if (more.ok() && !more->empty()) got = more->front().text;
  });
  runtime_->impl().log(Severity::kInfo, "second");
  waiter.join();
  EXPECT_EQ(got, "second");
}

TEST_F(ControlSocket, WaitersEndWithTheHost) {
  auto client = connect();
  std::thread waiter([&] { EXPECT_EQ(client->log(UINT64_MAX, true).error(), Errno::kConnRefused); });
  client_ = nullptr;
  runtime_ = nullptr;
  waiter.join();
  EXPECT_FALSE(client->connected());
  EXPECT_EQ(create(*client), -ECONNREFUSED);
}

TEST_F(ControlSocket, ManyThreadsShareAClient) {
  auto client = connect();
  const long map = create(*client);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; ++i)
    threads.emplace_back([&client, map, i] {
      for (std::uint64_t n = 1; n <= 50; ++n) {
        std::uint64_t value = n, seen = 0;
        EXPECT_EQ(element(*client, uapi::BPF_MAP_UPDATE_ELEM, map, i, value), 0);
        EXPECT_EQ(element(*client, uapi::BPF_MAP_LOOKUP_ELEM, map, i, seen), 0);
        EXPECT_EQ(seen, n);
      }
    });
  for (std::thread& t : threads) t.join();
  ::close(static_cast<int>(map));
}

TEST_F(ControlSocket, ManyClientsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([this] {
      for (int n = 0; n < 10; ++n) {
        auto client = connect();
        const long map = create(*client);
        EXPECT_GE(map, 0);
        ::close(static_cast<int>(map));
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(first_map(), 0u);
}

TEST_F(ControlSocket, RubbishGetsAnAnswerAndHarmsNothing) {
  const OwnedFd socket = raw();
  const char byte = 'x';
  ASSERT_EQ(::send(socket.get(), &byte, 1, 0), 1);
  EXPECT_EQ(result_of(socket.get()), -EINVAL);
  say(socket.get(), WireWriter(MessageType::kBegin, 1));
  EXPECT_EQ(result_of(socket.get()), -EPROTO) << "something before hello";
  say(socket.get(), WireWriter(MessageType::kHello, 1).put(control::kProtocolMagic).put(std::uint32_t{99}));
  EXPECT_EQ(result_of(socket.get()), -EPROTO);
  say(socket.get(), WireWriter(MessageType::kHello, 1).put(control::kProtocolMagic));
  EXPECT_EQ(result_of(socket.get()), -EINVAL);
  say_hello(socket.get());
  say(socket.get(), WireWriter(static_cast<MessageType>(77), 1));
  EXPECT_EQ(result_of(socket.get()), -EOPNOTSUPP);
  say(socket.get(), WireWriter(MessageType::kAnswer, 1).put(std::int64_t{0}));
  EXPECT_EQ(result_of(socket.get()), -EOPNOTSUPP) << "an answer nobody asked for";
  say(socket.get(), WireWriter(MessageType::kBpf, 1).put(std::int32_t{0}));
  EXPECT_EQ(result_of(socket.get()), -EINVAL);
  const std::string much(100 * 1024, 'x');
  ASSERT_GT(::send(socket.get(), much.data(), much.size(), 0), 0);
  EXPECT_LT(result_of(socket.get()), 0);
  EXPECT_GE(create(*connect()), 0) << "another client suffers";
}

TEST_F(ControlSocket, AClientWithoutMemoryGetsFaults) {
  const OwnedFd socket = raw();
  say_hello(socket.get());
  const uapi::bpf_attr attr = array();
  say(socket.get(), WireWriter(MessageType::kBpf, 2)
                        .put(std::int32_t{uapi::BPF_MAP_CREATE})
                        .put(std::uint32_t{sizeof attr})
                        .put(address(&attr))
                        .put(std::uint64_t{0})
                        .put(std::uint32_t{0}));
  EXPECT_EQ(result_of(socket.get()), -EFAULT);
}

TEST_F(ControlSocket, AStrangeMemoryFileIsRefused) {
  for (const char* path : {"/dev/null", "/proc/self/status", "/proc/self/oom_score_adj"}) {
    const OwnedFd socket = raw();
    const OwnedFd file(::open(path, O_RDONLY | O_CLOEXEC));
    const WireWriter hello =
        WireWriter(MessageType::kHello, 1).put(control::kProtocolMagic).put(control::kProtocolVersion);
    ASSERT_TRUE(control::send_packet(socket.get(), hello.bytes(), file.get()).ok());
    EXPECT_EQ(result_of(socket.get()), -EINVAL) << path;
  }
}

TEST_F(ControlSocket, ASecondHostOfTheNameIsRefused) {
  EXPECT_EQ(runtime_->listen({.path = path_}).error(), Errno::kBusy);
  EXPECT_EQ(runtime_->listen({.path = folder_ + "/" + std::string(200, 'x')}).error(), Errno::kNameTooLong);
  EXPECT_EQ(runtime_->listen({.path = "/nonexistent/host.sock"}).error(), Errno::kNoEnt);
}

TEST_F(ControlSocket, NoHostNoClient) {
  std::string why;
  EXPECT_EQ(Client::connect(folder_ + "/other.sock", why).error(), Errno::kNoEnt);
  EXPECT_NE(why.find("no such host"), std::string::npos) << why;
}

}  // namespace
}  // namespace ring3::test
