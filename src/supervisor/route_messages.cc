#include "supervisor/route_messages.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstring>

namespace ring3::supervisor {
namespace {

using View = std::span<const std::byte>;

constexpr std::size_t kHeaderBytes = sizeof(nlmsghdr);
constexpr std::size_t kLinkBytes = kHeaderBytes + sizeof(ifinfomsg);
constexpr std::size_t kAttributeBytes = sizeof(nlattr);
static_assert(NLMSG_ALIGN(kLinkBytes) == kLinkBytes);

template <typename T>
T read(View at) {
  T value;
  std::memcpy(&value, at.data(), sizeof value);
  return value;
}

std::size_t aligned(std::size_t bytes) { return (bytes + NLMSG_ALIGNTO - 1) / NLMSG_ALIGNTO * NLMSG_ALIGNTO; }

/// The first message of a datagram, whole; empty: there is none, or it is cut.
View first_message(View datagram) {
  if (datagram.size() < kHeaderBytes) return {};
  const auto header = read<nlmsghdr>(datagram);
  if (header.nlmsg_len < kHeaderBytes || header.nlmsg_len > datagram.size()) return {};
  return datagram.first(header.nlmsg_len);
}

View behind(View datagram, View message) { return datagram.subspan(std::min(aligned(message.size()), datagram.size())); }

struct Attribute {
  std::uint16_t type;
  View value;
  View whole;  // padding included
};

/// Takes the first one off; none: what is left is none.
std::optional<Attribute> take_attribute(View& rest) {
  if (rest.size() < kAttributeBytes) return std::nullopt;
  const auto header = read<nlattr>(rest);
  if (header.nla_len < kAttributeBytes || header.nla_len > rest.size()) return std::nullopt;
  const std::size_t whole = std::min(aligned(header.nla_len), rest.size());
  const Attribute out{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK), rest.first(header.nla_len).subspan(kAttributeBytes),
                      rest.first(whole)};
  rest = rest.subspan(whole);
  return out;
}

void append(Bytes& out, View bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  if (!bytes.empty()) std::memcpy(out.data() + at, bytes.data(), bytes.size());
}

template <typename T>
void append_value(Bytes& out, const T& value) {
  append(out, std::as_bytes(std::span(&value, 1)));
}

void append_attribute(Bytes& out, std::uint16_t type, View value) {
  append_value(out, nlattr{static_cast<std::uint16_t>(kAttributeBytes + value.size()), type});
  append(out, value);
  out.resize(aligned(out.size()));
}

template <typename T>
void append_number(Bytes& out, std::uint16_t type, T value) {
  append_attribute(out, type, std::as_bytes(std::span(&value, 1)));
}

/// The message's length is what `out` has grown since `start`.
void close_message(Bytes& out, std::size_t start) {
  const auto length = static_cast<std::uint32_t>(out.size() - start);
  std::memcpy(out.data() + start + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

Bytes xdp_facts(std::uint32_t program) {
  Bytes out;
  append_number(out, IFLA_XDP_ATTACHED, static_cast<std::uint8_t>(program != 0 ? XDP_ATTACHED_DRV : XDP_ATTACHED_NONE));
  if (program == 0) return out;
  append_number(out, IFLA_XDP_PROG_ID, program);
  append_number(out, IFLA_XDP_DRV_PROG_ID, program);
  return out;
}

void append_link(Bytes& out, View message, std::uint32_t program) {
  const std::size_t start = out.size();
  append(out, message.first(kLinkBytes));
  View rest = message.subspan(kLinkBytes);
  while (const std::optional<Attribute> each = take_attribute(rest))
    if (each->type != IFLA_XDP) append(out, each->whole);
  out.resize(start + aligned(out.size() - start));
  append_attribute(out, IFLA_XDP, xdp_facts(program));
  close_message(out, start);
}

}  // namespace

bool RouteHeader::dumps() const { return asks() && (flags & NLM_F_DUMP) == NLM_F_DUMP; }
bool RouteHeader::wants_acknowledgement() const { return (flags & NLM_F_ACK) != 0; }
// New, delete, get, set, in fours.
bool RouteHeader::asks() const { return type >= RTM_BASE && (type - RTM_BASE) % 4 == 2; }
bool RouteHeader::lists_devices() const { return type == RTM_GETLINK; }

std::optional<RouteHeader> route_header(View request) {
  const View message = first_message(request);
  if (message.empty()) return std::nullopt;
  const auto header = read<nlmsghdr>(message);
  return RouteHeader{header.nlmsg_type, header.nlmsg_flags, header.nlmsg_seq};
}

std::optional<syscall::DeviceRequest> device_request(View request) {
  const View message = first_message(request);
  if (message.size() < kLinkBytes || read<nlmsghdr>(message).nlmsg_type != RTM_SETLINK) return std::nullopt;
  syscall::DeviceRequest out;
  const auto index = read<ifinfomsg>(message.subspan(kHeaderBytes)).ifi_index;
  if (index <= 0) return std::nullopt;
  out.device = static_cast<std::uint32_t>(index);
  bool has_program = false;
  View attributes = message.subspan(kLinkBytes);
  while (const std::optional<Attribute> each = take_attribute(attributes)) {
    if (each->type != IFLA_XDP) continue;
    View nested = each->value;
    while (const std::optional<Attribute> word = take_attribute(nested)) {
      if (word->value.size() != sizeof(std::uint32_t)) continue;
      switch (word->type) {
        case IFLA_XDP_FD:
          out.program = read<std::int32_t>(word->value);
          has_program = true;
          break;
        case IFLA_XDP_FLAGS: out.flags = read<std::uint32_t>(word->value); break;
        case IFLA_XDP_EXPECTED_FD: out.expected = read<std::int32_t>(word->value); break;
        default: break;
      }
    }
  }
  return has_program ? std::optional(out) : std::nullopt;
}

Bytes acknowledge(View request, std::uint32_t port, int code, std::string_view why) {
  const auto asked = read<nlmsghdr>(request);
  Bytes out;
  nlmsghdr header{};
  header.nlmsg_type = NLMSG_ERROR;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_CAPPED | (why.empty() ? 0 : NLM_F_ACK_TLVS));
  header.nlmsg_seq = asked.nlmsg_seq;
  header.nlmsg_pid = port;
  append_value(out, header);
  append_value(out, nlmsgerr{code, asked});
  if (!why.empty()) {
    Bytes text(why.size() + 1);
    std::memcpy(text.data(), why.data(), why.size());
    append_attribute(out, NLMSGERR_ATTR_MSG, text);
  }
  close_message(out, 0);
  return out;
}

Bytes with_programs(View datagram, std::span<const syscall::DeviceProgram> devices) {
  Bytes out;
  while (true) {
    const View message = first_message(datagram);
    if (message.empty()) break;
    datagram = behind(datagram, message);
    const bool is_link = read<nlmsghdr>(message).nlmsg_type == RTM_NEWLINK && message.size() >= kLinkBytes;
    const auto index = is_link ? static_cast<std::uint32_t>(read<ifinfomsg>(message.subspan(kHeaderBytes)).ifi_index) : 0;
    const auto device = std::find_if(devices.begin(), devices.end(), [&](const auto& each) { return is_link && each.device == index; });
    if (device != devices.end()) append_link(out, message, device->program);
    else append(out, message);
    out.resize(aligned(out.size()));
  }
  return out;
}

bool is_last(View datagram, const RouteHeader& request) {
  while (true) {
    const View message = first_message(datagram);
    if (message.empty()) return false;
    const auto header = read<nlmsghdr>(message);
    if (header.nlmsg_seq == request.serial) {
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return true;
      if (!request.dumps() && !request.wants_acknowledgement()) return true;
    }
    datagram = behind(datagram, message);
  }
}

}  // namespace ring3::supervisor
