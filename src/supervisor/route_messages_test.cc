#include "supervisor/route_messages.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace ring3::supervisor {
namespace {

using syscall::DeviceProgram;
using syscall::DeviceRequest;

/// Messages as clients and the kernel write them, by the headers' own macros.
class Message {
 public:
  Message(std::uint16_t type, std::uint16_t flags, int device, std::uint32_t serial = 77) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = serial;
    ifinfomsg link{};
    link.ifi_index = device;
    add(header);
    add(link);
  }
  template <typename T>
  Message& add(const T& value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
    return *this;
  }
  template <typename T>
  Message& attribute(std::uint16_t type, const T& value) {
    return add(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + sizeof value), type}).add(value);
  }
  /// Attributes of numbers inside one.
  Message& nest(std::uint16_t type, std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> numbers) {
    add(nlattr{static_cast<std::uint16_t>(sizeof(nlattr) + numbers.size() * 8), type});
    for (const auto& [name, value] : numbers) attribute(name, value);
    return *this;
  }
  Bytes whole() const {
    Bytes out = bytes_;
    const auto length = static_cast<std::uint32_t>(out.size());
    std::memcpy(out.data(), &length, sizeof length);
    return out;
  }

 private:
  Bytes bytes_;
};

Bytes set_link(int device, std::initializer_list<std::pair<std::uint16_t, std::uint32_t>> xdp) {
  return Message(RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, device).nest(IFLA_XDP, xdp).whole();
}

/// A device as the kernel lists it: a name, and no XDP program.
Bytes listed(int device, char letter) {
  const char name[4] = {letter, letter, letter, 0};
  return Message(RTM_NEWLINK, NLM_F_MULTI, device).attribute(IFLA_IFNAME, name).nest(IFLA_XDP, {{IFLA_XDP_PROG_ID, 5}}).attribute(IFLA_MTU, 1500u).whole();
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes out;
  for (const Bytes& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

TEST(RouteMessagesTest, RequestsToSetAProgram) {
  EXPECT_EQ(device_request(set_link(7, {{IFLA_XDP_FD, 12}})), (DeviceRequest{7, 12, 0, -1}));
  EXPECT_EQ(device_request(set_link(7, {{IFLA_XDP_FD, 12}, {IFLA_XDP_FLAGS, XDP_FLAGS_REPLACE}, {IFLA_XDP_EXPECTED_FD, 13}})),
            (DeviceRequest{7, 12, XDP_FLAGS_REPLACE, 13}));
  EXPECT_EQ(device_request(set_link(7, {{IFLA_XDP_FD, UINT32_MAX}}))->program, -1);
  const Bytes marked = Message(RTM_SETLINK, NLM_F_REQUEST, 7).nest(IFLA_XDP | NLA_F_NESTED, {{IFLA_XDP_FD, 12}}).whole();
  EXPECT_EQ(device_request(marked), (DeviceRequest{7, 12, 0, -1})) << "newer clients mark what is nested";
}

TEST(RouteMessagesTest, OtherRequestsAreNone) {
  EXPECT_EQ(device_request(set_link(0, {{IFLA_XDP_FD, 12}})), std::nullopt) << "by its name, not its number";
  EXPECT_EQ(device_request(set_link(-1, {{IFLA_XDP_FD, 12}})), std::nullopt);
  EXPECT_EQ(device_request(set_link(7, {{IFLA_XDP_FLAGS, 0}})), std::nullopt) << "no program is named";
  EXPECT_EQ(device_request(Message(RTM_SETLINK, NLM_F_REQUEST, 7).attribute(IFLA_MTU, 1400u).whole()), std::nullopt);
  EXPECT_EQ(device_request(Message(RTM_NEWLINK, NLM_F_REQUEST, 7).nest(IFLA_XDP, {{IFLA_XDP_FD, 12}}).whole()), std::nullopt);
}

TEST(RouteMessagesTest, Headers) {
  const auto header = [](std::uint16_t type, int flags) {
    return *route_header(Message(type, static_cast<std::uint16_t>(NLM_F_REQUEST | flags), 7).whole());
  };
  EXPECT_TRUE(header(RTM_GETLINK, NLM_F_DUMP).dumps());
  EXPECT_TRUE(header(RTM_GETLINK, NLM_F_DUMP).lists_devices());
  EXPECT_FALSE(header(RTM_GETLINK, NLM_F_ACK).dumps());
  EXPECT_TRUE(header(RTM_GETLINK, NLM_F_ACK).wants_acknowledgement());
  EXPECT_TRUE(header(RTM_GETQDISC, NLM_F_DUMP).asks());
  EXPECT_FALSE(header(RTM_GETQDISC, NLM_F_DUMP).lists_devices());
  EXPECT_FALSE(header(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL).dumps()) << "the same bits mean other things there";
  EXPECT_FALSE(header(NLMSG_NOOP, 0).asks());
  EXPECT_EQ(header(RTM_GETLINK, 0).serial, 77u);
}

TEST(RouteMessagesTest, WhatIsCutIsNone) {
  const Bytes whole = set_link(7, {{IFLA_XDP_FD, 12}, {IFLA_XDP_FLAGS, 0}});
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const std::span<const std::byte> cut = std::span(whole).first(bytes);
    EXPECT_FALSE(route_header(cut)) << bytes;
    EXPECT_FALSE(device_request(cut)) << bytes;
    EXPECT_FALSE(is_last(cut, RouteHeader{})) << bytes;
    EXPECT_TRUE(with_programs(cut, {}).empty()) << bytes;
  }
}

/// Every length and type that a hostile message may have; sanitizers watch.
TEST(RouteMessagesTest, WhateverTheBytesAreNothingBehindThemIsRead) {
  std::mt19937 random(1);
  const DeviceProgram devices[] = {{7, 5}};
  for (const Bytes& whole : {set_link(7, {{IFLA_XDP_FD, 12}, {IFLA_XDP_FLAGS, 0}}), joined({listed(1, 'a'), listed(7, 'b')})})
    for (int round = 0; round < 20000; ++round) {
      Bytes bytes = whole;
      for (int change = 0; change < 3; ++change) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      bytes.resize(random() % (bytes.size() + 1));
      bytes.shrink_to_fit();
      const auto header = route_header(bytes);
      (void)device_request(bytes);
      if (header) {
        (void)is_last(bytes, *header);
        EXPECT_GE(acknowledge(bytes, 1, -EINVAL, "no").size(), sizeof(nlmsghdr) + sizeof(nlmsgerr));
      }
      EXPECT_LE(with_programs(bytes, devices).size(), bytes.size() + 2 * 64);
    }
}

TEST(RouteMessagesTest, Acknowledgements) {
  const Bytes request = set_link(7, {{IFLA_XDP_FD, 12}});
  const auto read = [](const Bytes& bytes, std::size_t at, auto& out) { std::memcpy(&out, bytes.data() + at, sizeof out); };
  const Bytes done = acknowledge(request, 4711, 0, "");
  nlmsghdr header;
  nlmsgerr body;
  ASSERT_EQ(done.size(), sizeof header + sizeof body);
  read(done, 0, header);
  read(done, sizeof header, body);
  EXPECT_EQ(header.nlmsg_len, done.size());
  EXPECT_EQ(header.nlmsg_type, NLMSG_ERROR);
  EXPECT_EQ(header.nlmsg_flags, NLM_F_CAPPED);
  EXPECT_EQ(header.nlmsg_seq, 77u);
  EXPECT_EQ(header.nlmsg_pid, 4711u);
  EXPECT_EQ(body.error, 0);
  EXPECT_EQ(body.msg.nlmsg_type, RTM_SETLINK);
  const Bytes refused = acknowledge(request, 4711, -EBUSY, "taken");
  read(refused, 0, header);
  read(refused, sizeof header, body);
  EXPECT_EQ(header.nlmsg_len, refused.size());
  EXPECT_EQ(header.nlmsg_flags, NLM_F_CAPPED | NLM_F_ACK_TLVS);
  EXPECT_EQ(body.error, -EBUSY);
  nlattr words;
  read(refused, sizeof header + sizeof body, words);
  EXPECT_EQ(words.nla_type, NLMSGERR_ATTR_MSG);
  EXPECT_EQ(words.nla_len, sizeof words + sizeof "taken");
  EXPECT_STREQ(reinterpret_cast<const char*>(refused.data()) + sizeof header + sizeof body + sizeof words, "taken");
}

TEST(RouteMessagesTest, ProgramsOfTheHostsDevicesAreShown) {
  const DeviceProgram devices[] = {{7, 21}, {9, 0}};
  const Bytes shown = with_programs(joined({listed(1, 'a'), listed(7, 'b'), listed(9, 'c')}), devices);
  const char b[4] = "bbb", c[4] = "ccc";
  const std::uint8_t by_driver = XDP_ATTACHED_DRV, none = XDP_ATTACHED_NONE;
  const Message second = Message(RTM_NEWLINK, NLM_F_MULTI, 7)
                             .attribute(IFLA_IFNAME, b)
                             .attribute(IFLA_MTU, 1500u)
                             .add(nlattr{4 + 8 + 8 + 8, IFLA_XDP})
                             .attribute(IFLA_XDP_ATTACHED, by_driver)
                             .attribute(IFLA_XDP_PROG_ID, 21u)
                             .attribute(IFLA_XDP_DRV_PROG_ID, 21u);
  const Message third = Message(RTM_NEWLINK, NLM_F_MULTI, 9)
                            .attribute(IFLA_IFNAME, c)
                            .attribute(IFLA_MTU, 1500u)
                            .add(nlattr{4 + 8, IFLA_XDP})
                            .attribute(IFLA_XDP_ATTACHED, none);
  EXPECT_EQ(shown, joined({listed(1, 'a'), second.whole(), third.whole()}));
}

TEST(RouteMessagesTest, WhereAnAnswerEnds) {
  const RouteHeader dump{RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 77}, single{RTM_GETLINK, NLM_F_REQUEST, 77},
      acknowledged{RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 77};
  const Bytes done = Message(NLMSG_DONE, NLM_F_MULTI, 0).whole(), error = Message(NLMSG_ERROR, 0, 0).whole(),
              of_another = Message(NLMSG_DONE, NLM_F_MULTI, 0, 76).whole();
  EXPECT_FALSE(is_last(listed(7, 'b'), dump));
  EXPECT_TRUE(is_last(joined({listed(7, 'b'), done}), dump));
  EXPECT_FALSE(is_last(of_another, dump));
  EXPECT_TRUE(is_last(error, dump));
  EXPECT_TRUE(is_last(listed(7, 'b'), single));
  EXPECT_FALSE(is_last(listed(7, 'b'), acknowledged));
  EXPECT_TRUE(is_last(error, acknowledged));
}

}  // namespace
}  // namespace ring3::supervisor
