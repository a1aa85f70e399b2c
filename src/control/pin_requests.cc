// PIN_…: the tree of pins as a file system would show it, with the peer's own rights. Paths are absolute and lie
// under /sys/fs/bpf or the runtime's own root.
#include "base/try.h"
#include "control/requests.h"

namespace ring3::control {
namespace {

syscall::PinIdentity identity(const Conversation& with) {
  const syscall::Credentials& who = with.caller.credentials();
  return {who.uid, who.gid, who.groups, who.uid == 0 || with.caller.rights().sys_admin};
}

syscall::PinTree& pins(Conversation& with) { return with.runtime.kernel().pins(); }

/// The answer to an operation without a result.
Result<long> done(const Result<void>& status, const std::string& path, Response& out) {
  if (status.ok()) return 0L;
  out.text = path + ": " + errno_name(status.error()) + "\n";
  return status.error();
}

void put_entry(WireWriter& out, const syscall::PinEntry& entry) {
  const syscall::PinStat& st = entry.stat;
  out.text(entry.name).put(static_cast<std::uint32_t>(st.kind)).put(static_cast<std::uint32_t>(st.mode));
  out.put(std::uint32_t{st.uid}).put(std::uint32_t{st.gid}).put(std::uint32_t{st.links});
  out.put(st.object ? static_cast<std::uint32_t>(st.object->kind()) : 0u).put(st.object ? st.object->id() : 0u);
  out.text(st.target);
}

}  // namespace

Result<long> answer_pin_list(Conversation& with, WireReader& in, Response& out) {
  const std::string path = in.text();
  if (!in.finished()) return malformed(out);
  Result<std::vector<syscall::PinEntry>> entries = pins(with).list(path, identity(with));
  if (!entries.ok()) return done(entries.error(), path, out);
  for (const syscall::PinEntry& entry : *entries) put_entry(out.body, entry);
  return static_cast<long>(entries->size());
}

Result<long> answer_pin_make_directory(Conversation& with, WireReader& in, Response& out) {
  const std::string path = in.text();
  const auto mode = in.get<std::uint32_t>();
  if (!in.finished()) return malformed(out);
  return done(pins(with).make_directory(path, identity(with), mode & 07777, with.caller.umask()), path, out);
}

Result<long> answer_pin_remove(Conversation& with, WireReader& in, Response& out) {
  const std::string path = in.text();
  if (!in.finished()) return malformed(out);
  Result<void> removed = pins(with).unlink(path, identity(with));
  if (!removed.ok() && removed.error() == Errno::kIsDir) removed = pins(with).remove_directory(path, identity(with));
  return done(removed, path, out);
}

Result<long> answer_pin_rename(Conversation& with, WireReader& in, Response& out) {
  const std::string from = in.text();
  const std::string to = in.text();
  const auto flags = in.get<std::uint32_t>();
  if (!in.finished()) return malformed(out);
  return done(pins(with).rename(from, to, identity(with), flags), from + " to " + to, out);
}

}  // namespace ring3::control
