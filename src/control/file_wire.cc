#include "control/file_wire.h"

namespace ring3::control {
namespace {

constexpr std::uint32_t kMaxGroups = 65536 / sizeof(std::uint32_t);

void put_attr(WireWriter& out, const bpffs::Attr& attr) {
  out.put(attr.node).put(attr.mode).put(std::uint32_t{attr.uid}).put(std::uint32_t{attr.gid}).put(attr.links);
  out.put(attr.accessed_ns).put(attr.modified_ns).put(attr.changed_ns);
}

bpffs::Attr get_attr(WireReader& in) {
  bpffs::Attr attr;
  attr.node = in.get<std::uint64_t>();
  attr.mode = in.get<std::uint32_t>();
  attr.uid = in.get<std::uint32_t>();
  attr.gid = in.get<std::uint32_t>();
  attr.links = in.get<std::uint32_t>();
  attr.accessed_ns = in.get<std::int64_t>();
  attr.modified_ns = in.get<std::int64_t>();
  attr.changed_ns = in.get<std::int64_t>();
  return attr;
}

}  // namespace

void put_file_request(WireWriter& out, const bpffs::Request& r) {
  out.put(static_cast<std::uint32_t>(r.op)).put(std::uint32_t{r.who.uid}).put(std::uint32_t{r.who.gid});
  out.put(static_cast<std::uint32_t>(r.who.umask)).put(static_cast<std::uint32_t>(r.who.groups.size()));
  for (const gid_t group : r.who.groups) out.put(std::uint32_t{group});
  out.put(r.node).put(r.node2).put(r.handle).put(r.offset).put(r.mode).put(r.flags).put(r.size);
  out.put(std::uint32_t{r.uid}).put(std::uint32_t{r.gid}).put(r.accessed_ns).put(r.modified_ns);
  out.text(r.name).text(r.name2).text(r.text);
}

bpffs::Request get_file_request(WireReader& in) {
  bpffs::Request r;
  r.op = static_cast<bpffs::Op>(in.get<std::uint32_t>());
  r.who.uid = in.get<std::uint32_t>();
  r.who.gid = in.get<std::uint32_t>();
  r.who.umask = in.get<std::uint32_t>() & 0777;
  const auto groups = in.get<std::uint32_t>();
  if (groups > kMaxGroups) in.fail();
  for (std::uint32_t i = 0; i < groups && in.ok(); ++i) r.who.groups.push_back(in.get<std::uint32_t>());
  r.node = in.get<std::uint64_t>();
  r.node2 = in.get<std::uint64_t>();
  r.handle = in.get<std::uint64_t>();
  r.offset = in.get<std::uint64_t>();
  r.mode = in.get<std::uint32_t>();
  r.flags = in.get<std::uint32_t>();
  r.size = in.get<std::uint32_t>();
  r.uid = in.get<std::uint32_t>();
  r.gid = in.get<std::uint32_t>();
  r.accessed_ns = in.get<std::int64_t>();
  r.modified_ns = in.get<std::int64_t>();
  r.name = in.text();
  r.name2 = in.text();
  r.text = in.text();
  return r;
}

void put_file_reply(WireWriter& out, const bpffs::Reply& reply) {
  put_attr(out, reply.attr);
  out.put(reply.handle).text(reply.text).put(static_cast<std::uint32_t>(reply.entries.size()));
  for (const bpffs::Entry& entry : reply.entries) out.text(entry.name).put(entry.node).put(entry.mode);
}

bpffs::Reply get_file_reply(WireReader& in) {
  bpffs::Reply reply;
  reply.attr = get_attr(in);
  reply.handle = in.get<std::uint64_t>();
  reply.text = in.text();
  const auto count = in.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    bpffs::Entry& entry = reply.entries.emplace_back();
    entry.name = in.text();
    entry.node = in.get<std::uint64_t>();
    entry.mode = in.get<std::uint32_t>();
  }
  return reply;
}

}  // namespace ring3::control
