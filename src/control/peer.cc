#include "control/peer.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "base/try.h"
#include "verifier/log_sink.h"

namespace ring3::control {
namespace {

model::Rights rights_of(const Capabilities& may) {
  return {.bpf = may.bpf, .perfmon = may.perfmon, .net_admin = may.net_admin, .sys_admin = may.sys_admin};
}

constexpr mode_t kDefaultUmask = 022;

}  // namespace

Result<syscall::Credentials> peer_credentials(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return Errno::kPerm;
  syscall::Credentials credentials;
  credentials.uid = who.uid;
  credentials.gid = who.gid;
  credentials.pid = who.pid;
  socklen_t bytes = 0;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno == ERANGE) {
    credentials.groups.resize(bytes / sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, credentials.groups.data(), &bytes) != 0)
      credentials.groups.clear();
  }
  return credentials;
}

Result<OwnedFd> PeerFiles::fetch(int fd) {
  if (fd < 0 && fd != -100 /* AT_FDCWD */) return Errno::kBadF;
  WireWriter question = channel_.message(MessageType::kWantFile);
  question.put(std::int32_t{fd});
  Result<Answer> answer = channel_.ask(question);
  if (!answer.ok() || answer->value < 0 || !answer->file) return Errno::kBadF;
  return std::move(answer->file);
}

Result<syscall::FileIdentity> PeerFiles::identify(int fd, OwnedFd& open) {
  if (fd < 0) return Errno::kBadF;
  open = RING3_TRY(fetch(fd));
  return syscall::identify_own(open.get());
}

Result<int> PeerFiles::install(OwnedFd fd) {
  Result<Answer> answer = channel_.ask(channel_.message(MessageType::kTakeFile), fd.get());
  if (!answer.ok() || answer->value < 0 || answer->value > INT32_MAX) return Errno::kMFile;
  return static_cast<int>(answer->value);
}

Result<void> PeerFiles::close(int fd) {
  WireWriter request = channel_.message(MessageType::kCloseFile);
  request.put(std::int32_t{fd});
  const Result<Answer> answer = channel_.ask(request);
  return answer.ok() && answer->value >= 0 ? Result<void>() : Errno::kBadF;
}

Result<std::string> PeerFiles::directory_path(int fd) {
  const OwnedFd file = RING3_TRY(fetch(fd));
  return syscall::own_directory_path(file.get());
}

Result<pid_t> PeerFiles::process(int fd) {
  if (fd < 0) return Errno::kBadF;
  const OwnedFd file = RING3_TRY(fetch(fd));
  return syscall::own_pidfd(file.get());
}

Result<void> NoMemory::read(std::uint64_t, std::span<std::byte> out) {
  return out.empty() ? Result<void>() : Errno::kFault;
}
Result<void> NoMemory::write(std::uint64_t, std::span<const std::byte> in) {
  return in.empty() ? Result<void>() : Errno::kFault;
}

PeerCaller::PeerCaller(syscall::Credentials who, Capabilities may, Channel& channel)
    : credentials_(std::move(who)),
      rights_(rights_of(may)),
      channel_(channel),
      files_(channel) {}

void PeerCaller::begin() {
  if (own_memory_ != nullptr) own_memory_->begin();
}

// Asked when it matters and not once: a process can enter a namespace at any time. What cannot be seen is not foreign.
bool PeerCaller::foreign() {
  struct stat own, theirs;
  const std::string path = "/proc/" + std::to_string(credentials_.pid) + "/ns/user";
  return ::stat("/proc/self/ns/user", &own) == 0 && ::stat(path.c_str(), &theirs) == 0 && own.st_ino != theirs.st_ino;
}

model::Rights PeerCaller::namespace_rights() {
  if (!foreign()) return rights_;
  const std::string path = "/proc/" + std::to_string(credentials_.pid) + "/status";
  std::FILE* status = std::fopen(path.c_str(), "re");
  if (status == nullptr) return rights_;
  std::uint64_t effective = 0;
  char line[256];
  while (std::fgets(line, sizeof line, status) != nullptr)
    if (std::sscanf(line, "CapEff: %" SCNx64, &effective) == 1) break;
  std::fclose(status);
  const auto has = [effective](unsigned capability) { return (effective >> capability & 1) != 0; };
  return {.bpf = has(39), .perfmon = has(38), .net_admin = has(12), .sys_admin = has(21)};
}

mode_t PeerCaller::umask() {
  Result<Answer> answer = channel_.ask(channel_.message(MessageType::kWantUmask));
  if (!answer.ok() || answer->value < 0) return kDefaultUmask;
  return static_cast<mode_t>(answer->value) & 0777;
}

bool PeerCaller::answers() { return channel_.ask(channel_.message(MessageType::kWantUmask)).ok(); }

void PeerCaller::explain(std::string_view text) {
  if (text_.size() + text.size() + 1 > kMaxTextBytes) return;
  text_.append(text);
  if (!text_.ends_with('\n')) text_.push_back('\n');
}

void PeerCaller::refused(const verifier::Rejection& why) {
  // libbpf loads a refused program again to get the log; the newest report is the one to keep.
  text_.clear();
  std::string report = verifier::rejection_text(why, {});
  constexpr std::string_view kMore = "\n(the report is longer than an answer may be: ring3 verify prints all of it)";
  if (report.size() > kMaxTextBytes - 1) report.replace(kMaxTextBytes - 1 - kMore.size(), std::string::npos, kMore);
  explain(report);
}

Result<void> PeerCaller::give_memory(OwnedFd mem) {
  own_memory_ = std::make_unique<PatientMemory>(RING3_TRY(syscall::ForeignMemory::adopt(std::move(mem))));
  return {};
}

}  // namespace ring3::control
