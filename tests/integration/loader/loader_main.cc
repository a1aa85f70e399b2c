// A loader in a process of its own, for tests of the control socket: stock libbpf, routed to a host.
//
//   socket_loader SOCKET OBJECT MODULE [--die-before N | --die-after N]
//
// Opens OBJECT, loads it and attaches its struct_ops tables as one module. With --die-… it kills itself with
// SIGKILL before or after its N-th packet to the host (answers to the host's questions count too), so every step
// of a load can be its last. With MODULE "generated" there is no module and no transaction: libbpf generates a loader program of OBJECT, and that is
// run. Exit codes: 0 loaded, 3 refused (the reasons on stderr).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "cli/object_file.h"
#include "cli/signed_loader.h"
#include "control/client.h"
#include "control/libbpf_door.h"
#include "control/module_client.h"

namespace {

long packets = 0;
long die_before = -1;
long die_after = -1;

// Newer than the machine's headers may be.
constexpr __u32 kLinkFlag = 1u << 13;
constexpr auto kStructOpsAttach = static_cast<bpf_attach_type>(44);

int refused(const char* what, const std::string& why) {
  std::fprintf(stderr, "socket_loader: %s: %s\n", what, why.c_str());
  return 3;
}

std::vector<std::byte> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> raw((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* first = reinterpret_cast<const std::byte*>(raw.data());
  return {first, first + raw.size()};
}

int run_generated(ring3::control::Client& host, std::vector<std::byte> object) {
  std::string why;
  const auto loader = ring3::cli::generate_loader(std::move(object), "generated", why);
  if (!loader.ok()) return refused("generate", why);
  ring3::cli::LoadedObjects made;
  if (ring3::cli::run_signed_loader(host, *loader, made, why) < 0) return refused(why.c_str(), host.text());
  std::printf("%zu %ld\n", made.programs.size(), packets);
  return 0;
}

int attach(bpf_object* object) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS) continue;
    bpf_link* filled = bpf_map__attach_struct_ops(map);
    if (filled == nullptr) return -errno;
    // libbpf 1.1 knows the classic flavour: its "link" fills the map, and would empty it at the end.
    bpf_link__disconnect(filled);
    bpf_link__destroy(filled);
    if ((bpf_map__map_flags(map) & kLinkFlag) == 0) continue;
    const int link = bpf_link_create(bpf_map__fd(map), 0, kStructOpsAttach, nullptr);
    if (link < 0) return link;
  }
  return 0;
}

}  // namespace

// In the place of the C library's: the client library sends every packet through it.
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  ++packets;
  if (packets == die_before) ::raise(SIGKILL);
  const ssize_t sent = ::syscall(SYS_sendmsg, socket, message, flags);
  if (packets == die_after) ::raise(SIGKILL);
  return sent;
}

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) return 2;
  if (argc == 6) (std::strcmp(argv[4], "--die-before") == 0 ? die_before : die_after) = std::atol(argv[5]);
  std::string why;
  auto client = ring3::control::Client::connect(argv[1], why);
  if (!client.ok()) return refused("connect", why);
  ring3::control::Client& host = **client;
  if (!ring3::control::route_libbpf(&host).ok()) return refused("types", host.text());

  std::vector<std::byte> bytes = read_file(argv[2]);
  if (std::strcmp(argv[3], "generated") == 0) return run_generated(host, std::move(bytes));
  ring3::cli::ObjectNotes notes;
  if (std::string wrong = ring3::cli::prepare_object(bytes, notes); !wrong.empty()) return refused(argv[2], wrong);
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), nullptr);
  if (object == nullptr) return refused("open", std::strerror(errno));
  const std::unique_ptr<bpf_object, decltype(&bpf_object__close)> closes(object, &bpf_object__close);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object)
    if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS && notes.struct_ops_link)
      bpf_map__set_map_flags(map, bpf_map__map_flags(map) | kLinkFlag);

  if (!host.begin().ok()) return refused("begin", host.text());
  if (bpf_object__load(object) != 0) return refused("load", host.text());
  if (attach(object) != 0) return refused("attach", host.text());
  const auto id = ring3::control::commit(host, {.name = argv[3], .source = argv[2]});
  if (!id.ok()) return refused("commit", host.text());
  std::printf("%u %ld\n", *id, packets);
  return 0;
}
