// cached-replay: drives a cache server with a trace that tells eviction policies apart.
//
// Zipf-distributed GETs (each miss is followed by a SET, as a cache-aside client does) are mixed with
// sequential scans of keys that are never asked for again. LRU lets a scan flush the hot set; a
// scan-resistant policy does not. The seed is fixed, so two runs ask for the same keys.
//
//   cached-replay [--port N] [--requests N] [--keys N] [--skew S] [--scan-every N] [--scan-length N] [--window N]
//
// Prints the hit ratio of each window of requests and, at the end, one line with totals and failed requests.
// Exit code 1 when any request failed.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
  int port = 6380;
  long requests = 200'000;
  long keys = 100'000;
  double skew = 0.9;
  long scan_every = 20'000;
  long scan_length = 4'000;
  long window = 20'000;
};

Options parse_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view name = argv[i];
    const char* value = argv[i + 1];
    if (name == "--port") o.port = std::atoi(value);
    else if (name == "--requests") o.requests = std::atol(value);
    else if (name == "--keys") o.keys = std::atol(value);
    else if (name == "--skew") o.skew = std::atof(value);
    else if (name == "--scan-every") o.scan_every = std::atol(value);
    else if (name == "--scan-length") o.scan_length = std::atol(value);
    else if (name == "--window") o.window = std::atol(value);
    else {
      std::fprintf(stderr, "cached-replay: unknown option %s\n", argv[i]);
      std::exit(2);
    }
  }
  return o;
}

/// Draws ranks 0 … n-1 with probability proportional to 1 / (rank + 1)^skew.
class Zipf {
 public:
  Zipf(long n, double skew) : cumulative_(static_cast<std::size_t>(n)) {
    double sum = 0;
    for (std::size_t i = 0; i < cumulative_.size(); ++i) {
      sum += 1.0 / std::pow(static_cast<double>(i + 1), skew);
      cumulative_[i] = sum;
    }
  }
  long draw(std::mt19937_64& random) {
    std::uniform_real_distribution<double> uniform(0, cumulative_.back());
    return std::lower_bound(cumulative_.begin(), cumulative_.end(), uniform(random)) - cumulative_.begin();
  }

 private:
  std::vector<double> cumulative_;
};

/// One blocking connection that sends a command and reads one reply.
class Client {
 public:
  bool connect_to(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
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

}  // namespace

int main(int argc, char** argv) {
  Options options = parse_options(argc, argv);
  Client client;
  if (!client.connect_to(options.port)) {
    std::fprintf(stderr, "cached-replay: nothing listens on 127.0.0.1:%d\n", options.port);
    return 1;
  }
  std::mt19937_64 random(42);
  Zipf zipf(options.keys, options.skew);
  Totals all, window;
  long scan_key = 0;
  auto begin = std::chrono::steady_clock::now();
  for (long i = 0; i < options.requests && all.failed == 0; ++i) {
    Totals one;
    bool scanning = options.scan_every > 0 && i % options.scan_every >= options.scan_every - options.scan_length;
    ask(client, scanning ? "scan:" + std::to_string(scan_key++) : "key:" + std::to_string(zipf.draw(random)), one);
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
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("total hit ratio %.4f failed %ld seconds %.2f\n", ratio(all), all.failed, seconds);
  return all.failed == 0 ? 0 : 1;
}
