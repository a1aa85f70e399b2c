// LOG: lines of the runtime's log. A client that waits is woken by a line or by its own end, never by time.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "control/requests.h"
#include "runtime/log_ring.h"

namespace ring3::control {
namespace {

constexpr std::size_t kLinesAtOnce = 512;

/// An eventfd the ring writes to.
class Watch {
 public:
  explicit Watch(LogRing& ring) : ring_(ring), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (event_) ring_.watch(event_.get());
  }
  ~Watch() {
    if (event_) ring_.unwatch(event_.get());
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  explicit operator bool() const { return static_cast<bool>(event_); }
  int fd() const { return event_.get(); }

 private:
  LogRing& ring_;
  const OwnedFd event_;
};

/// Errors: kConnRefused the client is gone, or says something although it waits.
Result<void> wait_for_line(LogRing& ring, std::uint64_t from, int socket) {
  const Watch watch(ring);
  if (!watch) return Errno::kMFile;
  while (ring.end() <= from) {
    pollfd on[2] = {{watch.fd(), POLLIN, 0}, {socket, POLLIN | POLLRDHUP, 0}};
    if (::poll(on, 2, -1) < 0 && errno != EINTR) return Errno::kNoMem;
    if (on[1].revents != 0) return Errno::kConnRefused;
    std::uint64_t count;
    [[maybe_unused]] const ssize_t n = ::read(watch.fd(), &count, sizeof count);
  }
  return {};
}

}  // namespace

Result<long> answer_log(Conversation& with, WireReader& in, Response& out) {
  const auto from = in.get<std::uint64_t>();
  const auto wait = in.get<std::uint32_t>();
  if (!in.finished() || wait > 1) return malformed(out);
  LogRing& ring = with.runtime.log_ring();
  if (wait == 1)
    if (Result<void> waited = wait_for_line(ring, from, with.socket); !waited.ok()) return waited.error();
  const std::vector<LogLine> lines = ring.since(from, kLinesAtOnce);
  for (const LogLine& line : lines)
    out.body.put(line.position).put(line.time_ns).put(static_cast<std::uint32_t>(line.severity)).text(line.module).text(line.text);
  return static_cast<long>(lines.size());
}

}  // namespace ring3::control
