// Clients of the control socket that mean ill: the host neither waits for them, nor keeps what they leave, nor ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "control/client.h"
#include "control/packet.h"
#include "control/wire.h"
#include "tests/integration/control_world.h"

namespace ring3::test {
namespace {

using control::MessageType;
using control::WireWriter;

class HostileClient : public ControlWorld {
 protected:
  OwnedFd raw() {
    OwnedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) socket.reset();
    return socket;
  }
  static WireWriter hello() { return WireWriter(MessageType::kHello, 1).put(control::kProtocolMagic).put(control::kProtocolVersion); }
  static long create(control::Client& client) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 4);
    return client.bpf(uapi::BPF_MAP_CREATE, &attr, sizeof attr);
  }
  /// A connection whose host has been given this process' memory.
  OwnedFd runner() {
    OwnedFd socket = raw();
    const OwnedFd memory(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(control::send_packet(socket.get(), hello().bytes(), memory.get()).ok());
    EXPECT_TRUE(control::receive_packet(socket.get()).ok());
    return socket;
  }
  /// Asks for runs of a program; the host asks which file that is and is shown it, and then nobody else has it any more.
  void run_and_close(int socket, long program, std::uint32_t repeat) {
    std::memset(&attr_, 0, sizeof attr_);
    attr_.test.prog_fd = static_cast<std::uint32_t>(program);
    attr_.test.data_in = reinterpret_cast<std::uintptr_t>(packet_);
    attr_.test.data_size_in = sizeof packet_;
    attr_.test.repeat = repeat;
    ASSERT_TRUE(control::send_packet(socket, WireWriter(MessageType::kBpf, 2)
                                                 .put(std::int32_t{uapi::BPF_PROG_TEST_RUN})
                                                 .put(std::uint32_t{sizeof attr_})
                                                 .put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&attr_)))
                                                 .put(std::uint64_t{0})
                                                 .put(std::uint32_t{0})
                                                 .bytes())
                    .ok());
    ASSERT_TRUE(control::receive_packet(socket).ok());
    ASSERT_TRUE(control::send_packet(socket, WireWriter(MessageType::kAnswer, 2).put(std::int64_t{0}).bytes(), static_cast<int>(program)).ok());
    bpf().close(program);
  }
  /// The host answers somebody else as if nothing were.
  void others_are_served() {
    auto client = connect();
    ASSERT_NE(client, nullptr);
    const long map = create(*client);
    EXPECT_GE(map, 0);
    ::close(static_cast<int>(map));
  }

  // Read by the host while a request is answered.
  uapi::bpf_attr attr_{};
  char packet_[64] = {};
};

/// Whether the kernel makes a reader of /proc/PID/mem wait for such pages or not.
TEST_F(HostileClient, MemoryThatBlocksIsAFault) {
  const OwnedFd faults(static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC)));
  if (!faults) GTEST_SKIP() << "userfaultfd is not allowed here";
  void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  uffdio_api api{UFFD_API, 0, 0};
  uffdio_register range{{reinterpret_cast<std::uintptr_t>(page), 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
  ASSERT_EQ(::ioctl(faults.get(), UFFDIO_API, &api), 0);
  ASSERT_EQ(::ioctl(faults.get(), UFFDIO_REGISTER, &range), 0);
  auto client = connect();
  EXPECT_EQ(client->bpf(uapi::BPF_MAP_CREATE, page, sizeof(uapi::bpf_attr)), -EFAULT);
  others_are_served();
  // The page comes: this client is served again.
  uffdio_zeropage zero{{reinterpret_cast<std::uintptr_t>(page), 4096}, 0, 0};
  ASSERT_EQ(::ioctl(faults.get(), UFFDIO_ZEROPAGE, &zero), 0);
  long map = -1;
  EXPECT_TRUE(eventually([&] { return (map = create(*client)) >= 0; }));
  ::close(static_cast<int>(map));
  // It goes again, and this time the host ends meanwhile.
  ASSERT_EQ(::madvise(page, 4096, MADV_DONTNEED), 0);
  EXPECT_EQ(client->bpf(uapi::BPF_MAP_CREATE, page, sizeof(uapi::bpf_attr)), -EFAULT);
  client_ = nullptr;
  runtime_ = nullptr;
  client = nullptr;
  ASSERT_EQ(::ioctl(faults.get(), UFFDIO_ZEROPAGE, &zero), 0);
  ::munmap(page, 4096);
}

TEST_F(HostileClient, ThousandsOfHalfOpenLoadsLeaveNothing) {
  const std::size_t before = live();
  for (int i = 0; i < 2000; ++i) {
    auto client = connect();
    ASSERT_NE(client, nullptr);
    ASSERT_TRUE(client->begin().ok());
    const long map = create(*client);
    ASSERT_GE(map, 0);
    ::close(static_cast<int>(map));
  }
  EXPECT_TRUE(settles_at(before)) << leaks();
  others_are_served();
}

TEST_F(HostileClient, AsManyAsThereIsRoomForAndMoreAreTurnedAway) {
  const std::size_t before = live();
  {
    std::vector<OwnedFd> open;
    for (int i = 0; i < 400; ++i) {
      open.push_back(raw());
      if (open.back()) (void)control::send_packet(open.back().get(), hello().bytes()).ok();
    }
  }
  EXPECT_TRUE(settles_at(before)) << leaks();
  others_are_served();
}

TEST_F(HostileClient, QuestionsThatAreNotAnsweredHoldUpNobody) {
  std::vector<OwnedFd> silent;
  const uapi::bpf_attr attr = BpfClient::zero();
  for (int i = 0; i < 20; ++i) {
    silent.push_back(raw());
    const OwnedFd memory(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(control::send_packet(silent.back().get(), hello().bytes(), memory.get()).ok());
    ASSERT_TRUE(control::receive_packet(silent.back().get()).ok());
    // The host asks for the descriptor, and is not told.
    ASSERT_TRUE(control::send_packet(silent.back().get(), WireWriter(MessageType::kBpf, 2)
                                                              .put(std::int32_t{uapi::BPF_MAP_LOOKUP_ELEM})
                                                              .put(std::uint32_t{sizeof attr})
                                                              .put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(&attr)))
                                                              .put(std::uint64_t{0})
                                                              .put(std::uint32_t{0})
                                                              .bytes())
                    .ok());
  }
  others_are_served();
  client_ = nullptr;
  runtime_ = nullptr;  // ends although nobody has answered
}

/// A run that would take hours, and a client that does not stay for it.
TEST_F(HostileClient, RunsOfThoseWhoHaveGoneEnd) {
  const std::size_t before = live();
  for (const bool host_ends : {false, true}) {
    const long program = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
    ASSERT_GT(program, 0);
    const std::uint32_t id = bpf().prog_info(program).id;
    const OwnedFd socket = runner();
    ASSERT_NO_FATAL_FAILURE(run_and_close(socket.get(), program, UINT32_MAX));
    EXPECT_GT(bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id), 0) << "the run holds it";
    bpf().close_all();
    if (host_ends) break;
    ::shutdown(socket.get(), SHUT_RDWR);
    EXPECT_TRUE(settles_at(before)) << leaks();
    others_are_served();
  }
  client_ = nullptr;
  runtime_ = nullptr;  // does not wait for it either
}

/// The only descriptor of a program is on its way to the host while others' commands look for what nobody holds any more.
TEST_F(HostileClient, ADescriptorOnItsWayHoldsItsObject) {
  std::atomic<bool> over{false};
  std::thread others([&] {
    auto client = connect();
    while (client != nullptr && !over) ::close(static_cast<int>(create(*client)));
  });
  const OwnedFd socket = runner();
  for (int i = 0; i < 500; ++i) {
    const long program = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
    EXPECT_GT(program, 0);
    run_and_close(socket.get(), program, 1);
    const auto reply = control::receive_packet(socket.get());
    EXPECT_TRUE(reply.ok());
    if (!reply.ok()) break;
    control::WireReader in(reply->bytes);
    EXPECT_EQ(in.get<control::Header>().type, MessageType::kReply);
    EXPECT_EQ(in.get<std::int64_t>(), 0) << "round " << i;
    if (HasFailure()) break;
  }
  over = true;
  others.join();
}

/// Two ends of a connection that has more to send than anybody takes: closing the first waits for that, an hour long.
struct Lingering {
  Lingering() {
    const OwnedFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    near = OwnedFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listening.get(), any, size) != 0 || ::listen(listening.get(), 1) != 0 || ::getsockname(listening.get(), any, &size) != 0 ||
        ::connect(near.get(), any, size) != 0)
      return;
    far = OwnedFd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::vector<char> much(1 << 16);
    while (::send(near.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) continue;
    const linger an_hour{1, 3600};
    made = far && ::setsockopt(near.get(), SOL_SOCKET, SO_LINGER, &an_hour, sizeof an_hour) == 0;
  }
  /// By a thread that may wait: the host may have closed its own by now, and then this is the last.
  void let_go() {
    std::thread([last = near.release()] { ::close(last); }).detach();
  }
  OwnedFd near, far;
  bool made = false;
};

/// One packet with many descriptors, more than any request has.
bool send_files(int socket, std::span<const std::byte> bytes, const std::vector<int>& files) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  std::vector<std::uint64_t> room((CMSG_SPACE(files.size() * sizeof(int)) + 7) / 8);
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = CMSG_SPACE(files.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(files.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), files.data(), files.size() * sizeof(int));
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

TEST_F(HostileClient, SocketsThatLingerHoldUpNobody) {
  std::vector<Lingering> some(40);
  for (const Lingering& one : some) ASSERT_TRUE(one.made);
  const WireWriter cpus(MessageType::kHostCpus, 2);
  const OwnedFd socket = runner();
  const timeval patience{120, 0};
  ASSERT_EQ(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  // One, of which the client keeps a descriptor: it stays what it was.
  ASSERT_TRUE(control::send_packet(socket.get(), cpus.bytes(), some[0].near.get()).ok());
  ASSERT_TRUE(control::receive_packet(socket.get()).ok());
  linger kept{};
  socklen_t size = sizeof kept;
  EXPECT_EQ(::getsockopt(some[0].near.get(), SOL_SOCKET, SO_LINGER, &kept, &size), 0);
  EXPECT_EQ(kept.l_onoff, 1);
  EXPECT_EQ(kept.l_linger, 3600);
  // One that only the host has, and thirty in one packet.
  ASSERT_TRUE(control::send_packet(socket.get(), cpus.bytes(), some[1].near.get()).ok());
  some[1].let_go();
  ASSERT_TRUE(control::receive_packet(socket.get()).ok()) << "the host waits for the socket";
  std::vector<int> files;
  for (std::size_t i = 2; i < 32; ++i) files.push_back(some[i].near.get());
  ASSERT_TRUE(send_files(socket.get(), cpus.bytes(), files));
  for (std::size_t i = 2; i < 32; ++i) some[i].let_go();
  ASSERT_TRUE(control::receive_packet(socket.get()).ok()) << "the host waits for the sockets";
  // Left lying when the client goes, by one that was answered and one that was not.
  {
    const OwnedFd known = runner(), unknown = raw();
    for (std::size_t i = 32; i < 36; ++i) (void)control::send_packet(known.get(), cpus.bytes(), some[i].near.get()).ok();
    for (std::size_t i = 36; i < 40; ++i) (void)control::send_packet(unknown.get(), {}, some[i].near.get()).ok();
    for (std::size_t i = 32; i < 40; ++i) some[i].let_go();
  }
  others_are_served();
  client_ = nullptr;
  runtime_ = nullptr;  // ends although they linger
}

/// Packets of noise: headers that mean something here and there, bodies that seldom do, files of every kind.
TEST_F(HostileClient, PacketsOfNoise) {
  const std::size_t before = live();
  std::mt19937_64 random(7);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const OwnedFd reading(ends[0]), writing(ends[1]), folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), path(::open("/", O_PATH | O_CLOEXEC)),
      plain(::open("/proc/version", O_RDONLY | O_CLOEXEC)), memory(::memfd_create("noise", MFD_CLOEXEC)), null(::open("/dev/null", O_RDWR | O_CLOEXEC)),
      program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)), own(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  const int files[] = {-1, reading.get(), writing.get(), folder.get(), path.get(), plain.get(), memory.get(), null.get(), program.get(), own.get()};
  for (int round = 0; round < 60; ++round) {
    const OwnedFd socket = raw();
    ASSERT_TRUE(socket);
    if (round % 4 != 0) (void)control::send_packet(socket.get(), hello().bytes(), round % 2 != 0 ? own.get() : -1).ok();
    for (int i = 0; i < 50; ++i) {
      WireWriter packet(static_cast<MessageType>(random() % 48), static_cast<std::uint32_t>(random() % 4));
      for (std::uint64_t words = random() % 9; words > 0; --words) {
        if (random() % 2 != 0) packet.put(static_cast<std::uint32_t>(random() % 64));
        else packet.put(random());
      }
      if (!control::send_packet(socket.get(), packet.bytes(), files[random() % std::size(files)]).ok()) break;
      // Reads what has come, so that the host need not wait for room.
      char rest[4096];
      while (::recv(socket.get(), rest, sizeof rest, MSG_DONTWAIT) > 0) {
      }
    }
  }
  EXPECT_TRUE(settles_at(before)) << leaks();
  others_are_served();
}

}  // namespace
}  // namespace ring3::test
