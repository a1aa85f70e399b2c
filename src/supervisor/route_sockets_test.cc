#include "supervisor/route_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>

namespace ring3::supervisor {
namespace {

OwnedFd open_route() { return OwnedFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)); }

struct Ask {
  nlmsghdr header{};
  ifinfomsg link{};
};
Ask ask_of(std::uint16_t type, std::uint16_t flags) {
  Ask ask;
  ask.header.nlmsg_len = sizeof ask;
  ask.header.nlmsg_type = type;
  ask.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  ask.header.nlmsg_seq = 9;
  return ask;
}
Result<std::vector<Bytes>> answer(const RouteSocket& socket, const Ask& ask) {
  const auto bytes = std::as_bytes(std::span(&ask, 1));
  return socket.ask(bytes, *route_header(bytes));
}

TEST(RouteSocketTest, KnowsWhichSocketIsOne) {
  EXPECT_TRUE(RouteSocket::is_one(open_route().get()));
  EXPECT_FALSE(RouteSocket::is_one(OwnedFd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)).get()));
  EXPECT_FALSE(RouteSocket::is_one(OwnedFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)).get()));
  EXPECT_FALSE(RouteSocket::is_one(OwnedFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get()));
  EXPECT_FALSE(RouteSocket::is_one(-1));
}

TEST(RouteSocketTest, TheMachineAnswersOnTheClientsSocket) {
  const RouteSocket socket(open_route());
  const auto list = answer(socket, ask_of(RTM_GETLINK, NLM_F_DUMP));
  ASSERT_TRUE(list.ok()) << errno_name(list.error());
  EXPECT_EQ(route_header(list->front())->type, RTM_NEWLINK) << "every machine has a loopback device";
  EXPECT_TRUE(is_last(list->back(), {RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 9}));
  EXPECT_NE(socket.port(), 0u) << "sending has bound it";
  const auto again = answer(socket, ask_of(RTM_GETLINK, NLM_F_DUMP));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->size(), list->size()) << "nothing was left";
  const auto single = answer(socket, ask_of(RTM_GETLINK, 0));
  ASSERT_TRUE(single.ok());
  EXPECT_EQ(route_header(single->front())->type, NLMSG_ERROR) << "no device is named";
  EXPECT_EQ(answer(socket, ask_of(RTM_SETLINK, NLM_F_ACK)).error(), Errno::kInval) << "changes are the client's own to ask for";
}

TEST(RouteSocketTest, ThePairCarriesDatagramsUntilTheClientCloses) {
  RouteSocket socket(open_route());
  OwnedFd theirs = socket.open_pair().value();
  EXPECT_EQ(::fcntl(theirs.get(), F_GETFL) & O_NONBLOCK, 0);
  const Bytes one(5, std::byte{1}), two(70000, std::byte{2});
  EXPECT_FALSE(socket.has_unread());
  ASSERT_TRUE(socket.give(std::vector<Bytes>{one, two}).ok());
  Bytes room(100000);
  EXPECT_EQ(::recv(theirs.get(), room.data(), 1, MSG_PEEK | MSG_TRUNC), 5) << "as libbpf asks for the length";
  EXPECT_EQ(::recv(theirs.get(), room.data(), room.size(), 0), 5);
  EXPECT_TRUE(socket.has_unread());
  EXPECT_EQ(::recv(theirs.get(), room.data(), room.size(), 0), 70000);
  EXPECT_FALSE(socket.has_unread());
  EXPECT_FALSE(socket.ended());
  theirs.reset();
  EXPECT_TRUE(socket.ended());
  EXPECT_EQ(socket.give(std::vector<Bytes>{one}).error(), Errno::kNoMem);
}

TEST(RouteSocketTest, WhoDoesNotReadGetsAnError) {
  const OwnedFd kernels = open_route();
  ASSERT_EQ(::fcntl(kernels.get(), F_SETFL, O_NONBLOCK), 0);
  RouteSocket socket(OwnedFd(::fcntl(kernels.get(), F_DUPFD_CLOEXEC, 0)));
  const OwnedFd theirs = socket.open_pair().value();
  EXPECT_NE(::fcntl(theirs.get(), F_GETFL) & O_NONBLOCK, 0) << "as the socket was";
  const std::vector<Bytes> much(64, Bytes(32768));
  Result<void> given;
  for (int i = 0; i < 64 && given.ok(); ++i) given = socket.give(much);
  EXPECT_EQ(given.ok() ? Errno{} : given.error(), Errno::kNoMem);
}

TEST(RouteSocketsTest, AreForgottenWhenTheirClientsCloseThem) {
  RouteSockets sockets;
  const auto first = std::make_shared<RouteSocket>(open_route()), second = std::make_shared<RouteSocket>(open_route());
  OwnedFd one = first->open_pair().value(), other = second->open_pair().value();
  sockets.add(1, first);
  sockets.add(2, second);
  EXPECT_EQ(sockets.find(1), first);
  EXPECT_EQ(sockets.find(3), nullptr);
  one.reset();
  sockets.drop_ended();
  EXPECT_EQ(sockets.find(1), nullptr);
  EXPECT_EQ(sockets.find(2), second);
}

}  // namespace
}  // namespace ring3::supervisor
