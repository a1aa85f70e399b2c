// cached-replay: drives a cache server with the trace of trace.h, as a cache-aside client: each GET that misses is
// followed by a SET. Prints the hit ratio of each window of requests and, at the end, one line with totals and failed
// requests. Exit code 1 when any request failed.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "trace.h"

namespace {

struct Options {
  std::uint16_t port = 6380;
  long requests = 200'000;
  long window = 20'000;
  cached::TraceShape shape;
};

volatile sig_atomic_t stopped = 0;

/// One blocking connection that sends a command and reads one reply.
class Client {
 public:
  bool connect_to(std::uint16_t port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  enum class Reply { kValue, kNull, kFailed };

  Reply get(std::string_view key) { return command("*2\r\n$3\r\nGET\r\n", key, {}); }
  Reply set(std::string_view key, std::string_view value) { return command("*3\r\n$3\r\nSET\r\n", key, value); }

 private:
  static void bulk(std::string& out, std::string_view bytes) {
    out.append("$").append(std::to_string(bytes.size())).append("\r\n").append(bytes).append("\r\n");
  }
  Reply command(std::string_view head, std::string_view key, std::string_view value) {
    out_.assign(head);
    bulk(out_, key);
    if (!value.empty()) bulk(out_, value);
    std::size_t sent = 0;
    while (sent < out_.size()) {
      ssize_t n = send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return Reply::kFailed;
      sent += static_cast<std::size_t>(n);
    }
    return read_reply();
  }
  bool fill() {
    char chunk[16384];
    ssize_t n = recv(fd_, chunk, sizeof chunk, 0);
    if (n <= 0) return false;
    in_.append(chunk, static_cast<std::size_t>(n));
    return true;
  }
  Reply read_reply() {
    std::size_t end;
    while ((end = in_.find("\r\n")) == std::string::npos)
      if (!fill()) return Reply::kFailed;
    Reply reply = Reply::kFailed;
    std::size_t total = end + 2;
    if (in_[0] == '+') {
      reply = Reply::kValue;
    } else if (in_[0] == '$') {
      long bytes = std::atol(in_.c_str() + 1);
      reply = bytes < 0 ? Reply::kNull : Reply::kValue;
      if (bytes >= 0) total += static_cast<std::size_t>(bytes) + 2;
      while (in_.size() < total)
        if (!fill()) return Reply::kFailed;
    }
    in_.erase(0, total);
    return reply;
  }

  int fd_ = -1;
  std::string out_, in_;
};

struct Totals {
  long hits = 0, misses = 0, failed = 0;
};

void ask(Client& client, const std::string& key, Totals& totals) {
  static const std::string value(64, 'v');
  switch (client.get(key)) {
    case Client::Reply::kValue: ++totals.hits; return;
    case Client::Reply::kFailed: ++totals.failed; return;
    case Client::Reply::kNull: break;
  }
  ++totals.misses;
  if (client.set(key, value) != Client::Reply::kValue) ++totals.failed;
}

double ratio(const Totals& t) {
  return t.hits + t.misses == 0 ? 0 : static_cast<double>(t.hits) / static_cast<double>(t.hits + t.misses);
}

int replay(const Options& options) {
  Client client;
  if (!client.connect_to(options.port)) {
    std::fprintf(stderr, "cached-replay: nothing listens on 127.0.0.1:%d\n", options.port);
    return 1;
  }
  cached::Trace trace(options.shape);
  Totals all, window;
  const auto begin = std::chrono::steady_clock::now();
  for (long i = 0; (options.requests == 0 || i < options.requests) && all.failed == 0 && stopped == 0; ++i) {
    Totals one;
    ask(client, trace.next(), one);
    for (Totals* t : {&all, &window}) {
      t->hits += one.hits;
      t->misses += one.misses;
      t->failed += one.failed;
    }
    if ((i + 1) % options.window == 0) {
      std::printf("requests %ld hit ratio %.4f\n", i + 1, ratio(window));
      std::fflush(stdout);
      window = Totals();
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("total requests %ld hit ratio %.4f failed %ld seconds %.2f\n", all.hits + all.misses, ratio(all), all.failed,
              seconds);
  return all.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Replays a trace of Zipf-distributed requests and scans against a cache server.", "cached-replay");
  app.add_option("--port", options.port, "server on 127.0.0.1")->capture_default_str();
  app.add_option("--requests", options.requests, "0: until SIGTERM")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--window", options.window, "requests per printed line")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--keys", options.shape.keys, "keys that are asked for again")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--skew", options.shape.skew, "Zipf exponent")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--scan-every", options.shape.scan_every, "a scan ends every N requests; 0: none")->capture_default_str()->check(CLI::NonNegativeNumber);
  app.add_option("--scan-length", options.shape.scan_length, "requests of a scan")->capture_default_str()->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  struct sigaction stop {};
  stop.sa_handler = [](int) { stopped = 1; };
  stop.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &stop, nullptr);
  sigaction(SIGINT, &stop, nullptr);
  return replay(options);
}
