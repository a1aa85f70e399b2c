#include "syscall/call.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "base/try.h"

namespace ring3::syscall {

Birth Call::birth() {
  const Credentials& who = caller_.credentials();
  return Birth{who.uid, who.pid, kernel_.services().now_ns()};
}

Result<OpenObject> Call::object(int fd) {
  OwnedFd open;
  return kernel_.descriptors().find(RING3_TRY(caller_.files().identify(fd, open)));
}

Result<Call::OpenMap> Call::map(int fd) {
  OpenObject open = RING3_TRY(object(fd));
  if (open.object->kind() != ObjectKind::kMap) return Errno::kInval;
  return OpenMap{Ref<maps::Map>::adopt(static_cast<maps::Map*>(open.object.release())), open.access};
}

namespace {

template <typename T>
Result<Ref<T>> as(Result<OpenObject> open, ObjectKind kind) {
  if (!open.ok()) return open.error();
  if (open->object->kind() != kind) return Errno::kInval;
  return Ref<T>::adopt(static_cast<T*>(open->object.release()));
}

}  // namespace

Result<Ref<prog::Program>> Call::program(int fd) { return as<prog::Program>(object(fd), ObjectKind::kProg); }
Result<Ref<attach::Link>> Call::link(int fd) { return as<attach::Link>(object(fd), ObjectKind::kLink); }
Result<Ref<prog::BtfObject>> Call::btf(int fd) { return as<prog::BtfObject>(object(fd), ObjectKind::kBtf); }

namespace {

int memory_of(Object& object) {
  return object.kind() == ObjectKind::kMap ? static_cast<maps::Map&>(object).memory_fd() : -1;
}

}  // namespace

Result<long> Call::give(Ref<Object> object, Access access) {
  const int memory = memory_of(*object);
  OwnedFd fd = RING3_TRY(kernel_.descriptors().open(std::move(object), access, memory));
  return long{RING3_TRY(caller_.files().install(std::move(fd)))};
}

Result<long> Call::publish_and_give(Ref<Object> object, Access access) {
  RING3_TRY(admit(*object));
  // The descriptor comes first: once published, an object must not be taken back.
  if (LoadSession* session = caller_.session(); session != nullptr && session->open()) {
    RING3_TRY(session->add(object));
    return give(std::move(object), access);
  }
  RING3_TRY(kernel_.objects().reserve_id(*object));
  const long fd = RING3_TRY(give(object, access));
  RING3_TRY(kernel_.objects().publish(*object));
  return fd;
}

Result<Ref<Object>> Call::find_by_id(ObjectKind kind, std::uint32_t id) {
  if (LoadSession* session = caller_.session(); session != nullptr) {
    Result<Ref<Object>> own = session->transaction().find(kind, id);
    if (own.ok()) return own;
  }
  return kernel_.objects().find(kind, id);
}

Result<std::string> Call::object_name(const char (&field)[16]) {
  const char* end = static_cast<const char*>(std::memchr(field, 0, sizeof field));
  if (end == nullptr) return Errno::kInval;
  const bool valid = std::all_of(field, end, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  if (!valid) return Errno::kInval;
  return std::string(field, end);
}

Result<CommandLog> Call::open_log(std::uint32_t level, std::uint32_t size, std::uint64_t buffer) {
  if (common_.buffer != 0 && buffer != 0 && common_.buffer != buffer) return Errno::kInval;
  const bool use_common = buffer == 0 && common_.buffer != 0;
  if (use_common) {
    level = common_.level;
    size = common_.size;
    buffer = common_.buffer;
  }
  RING3_TRY(prog::LogBuffer::check_attr(level, size, buffer != 0));
  return CommandLog{prog::LogBuffer(level, size, buffer != 0), buffer};
}

Result<void> Call::close_log(const CommandLog& log, std::uint32_t& true_size) {
  true_size = log.text.true_size();
  if (common_.present) common_.true_size = true_size;
  if (log.buffer == 0) return {};
  const std::string image = log.text.image();
  RING3_TRY(caller_.log_memory().write(log.buffer, std::as_bytes(std::span(image))));
  if (log.text.truncated()) return Errno::kNoSpc;
  return {};
}

void Call::explain(std::string_view text) {
  kernel_.services().log(Severity::kInfo, text);
  caller_.explain(text);
  if (common_.buffer == 0) return;
  // The common log of a command that has none of its own (MAP_CREATE, LINK_CREATE): one line, cut to fit.
  std::string line(text);
  line.push_back('\n');
  common_.true_size = static_cast<std::uint32_t>(line.size() + 1);
  if (common_.size == 0) return;
  line.resize(std::min<std::size_t>(line.size(), common_.size - 1));
  line.push_back('\0');
  (void)memory().write(common_.buffer, std::as_bytes(std::span(line))).ok();
}

}  // namespace ring3::syscall
