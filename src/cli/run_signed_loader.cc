// The commands that a light skeleton gives, for a loader that is signed.
#include <unistd.h>

#include <cstring>

#include "base/owned_fd.h"
#include "cli/signed_loader.h"
#include "isa/insn.h"
#include "sign/sha256.h"
#include "uapi/bpf.h"

namespace ring3::cli {
namespace {

// What libbpf's loaders take and fill in, as its skeletons lay it out (behaviour.md E.5.2).
struct ContextHead {
  std::uint32_t size, flags, log_level, log_size;
  std::uint64_t log;
};
struct MapEntry {
  std::int32_t fd;
  std::uint32_t max_entries;    // a signed loader takes no notice of these
  std::uint64_t initial_value;
};
static_assert(sizeof(ContextHead) == 24 && sizeof(MapEntry) == 16);

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

class Run {
 public:
  Run(control::Client& client, const SignedLoader& loader, std::string& step) : client_(client), loader_(loader), step_(step) {}

  /// The exclusive map, filled and frozen.
  long make_map(const sign::Sha256& digest) {
    uapi::bpf_attr attr = zero();
    attr.map_type = uapi::BPF_MAP_TYPE_ARRAY;
    attr.key_size = sizeof(std::uint32_t);
    attr.value_size = static_cast<std::uint32_t>(loader_.data.size());
    attr.max_entries = 1;
    std::strcpy(attr.map_name, "__loader.map");
    attr.excl_prog_hash = address(digest.data());
    attr.excl_prog_hash_size = sizeof digest;
    const long map = command("map of the loader", uapi::BPF_MAP_CREATE, attr);
    if (map < 0) return map;
    map_ = OwnedFd(static_cast<int>(map));
    constexpr std::uint32_t kFirst = 0;
    attr = zero();
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address(&kFirst);
    attr.value = address(loader_.data.data());
    if (const long done = command("data of the loader", uapi::BPF_MAP_UPDATE_ELEM, attr); done < 0) return done;
    attr = zero();
    attr.map_fd = static_cast<std::uint32_t>(map);
    return command("freezing the loader's map", uapi::BPF_MAP_FREEZE, attr);
  }
  long load() {
    const std::int32_t fds[] = {map_.get()};
    uapi::bpf_attr attr = zero();
    attr.prog_type = uapi::BPF_PROG_TYPE_SYSCALL;
    attr.prog_flags = uapi::BPF_F_SLEEPABLE;
    attr.insns = address(loader_.insns.data());
    attr.insn_cnt = static_cast<std::uint32_t>(loader_.insns.size() / sizeof(isa::RawInsn));
    attr.license = address("Dual BSD/GPL");
    std::strcpy(attr.prog_name, "__loader.prog");
    attr.fd_array = address(fds);
    attr.fd_array_cnt = 1;
    attr.signature = address(loader_.signature.data());
    attr.signature_size = static_cast<std::uint32_t>(loader_.signature.size());
    attr.keyring_id = loader_.ring;
    const long program = command("signed loader", uapi::BPF_PROG_LOAD, attr);
    if (program >= 0) program_ = OwnedFd(static_cast<int>(program));
    return program;
  }
  long run(LoadedObjects& made) {
    std::vector<std::byte> context(sizeof(ContextHead) + loader_.maps.size() * sizeof(MapEntry) + loader_.programs.size() * sizeof(std::int32_t));
    ContextHead head{};
    head.size = static_cast<std::uint32_t>(context.size());
    std::memcpy(context.data(), &head, sizeof head);
    uapi::bpf_attr attr = zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program_.get());
    attr.test.ctx_in = address(context.data());
    attr.test.ctx_size_in = head.size;
    const long done = command("run of the loader", uapi::BPF_PROG_TEST_RUN, attr);
    if (done < 0) return done;
    if (const auto result = static_cast<std::int32_t>(attr.test.retval); result < 0) {
      step_ = "the loader";
      return result;
    }
    const std::byte* at = context.data() + sizeof head;
    for (std::size_t i = 0; i < loader_.maps.size(); ++i, at += sizeof(MapEntry)) made.maps.push_back(descriptor(at));
    for (std::size_t i = 0; i < loader_.programs.size(); ++i, at += sizeof(std::int32_t)) made.programs.push_back(descriptor(at));
    return 0;
  }

 private:
  static uapi::bpf_attr zero() {
    uapi::bpf_attr attr;
    std::memset(static_cast<void*>(&attr), 0, sizeof attr);
    return attr;
  }
  static int descriptor(const std::byte* at) {
    std::int32_t fd = -1;
    std::memcpy(&fd, at, sizeof fd);
    return fd;
  }
  long command(const char* what, int number, uapi::bpf_attr& attr) {
    step_ = what;
    return client_.bpf(number, &attr, sizeof attr);
  }

  control::Client& client_;
  const SignedLoader& loader_;
  std::string& step_;
  OwnedFd map_, program_;
};

}  // namespace

long run_signed_loader(control::Client& client, const SignedLoader& loader, LoadedObjects& made, std::string& step) {
  const Result<sign::Sha256> digest = sign::sha256(sign::Bytes(loader.insns));
  if (!digest.ok()) return -static_cast<long>(digest.error());
  Run run(client, loader, step);
  if (const long done = run.make_map(*digest); done < 0) return done;
  if (const long program = run.load(); program < 0) return program;
  return run.run(made);
}

}  // namespace ring3::cli
