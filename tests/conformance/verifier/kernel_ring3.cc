// A Runtime as the kernel. Its host types are those of a real 6.12 kernel, so that programs which name kernel
// structs find them; the types are given to libbpf in the place of /sys/kernel/btf/vmlinux, byte for byte as
// the runtime publishes them.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <vector>

#include "host_kfuncs.h"
#include "host_ops.h"
#include "host_types.h"
#include "kernel.h"
#include "ring3/runtime.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"
#include "uapi/bpf.h"

namespace ring3::conformance {

namespace {

std::string every_path_file;
constexpr std::uint32_t kMostInsnsOnEveryPath = 20'000;

class Ring3Kernel final : public Kernel {
 public:
  explicit Ring3Kernel(std::unique_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {
    // Registering by C++ functions would need the kernel's headers; nothing has read these facts yet.
    add_host_kfuncs(const_cast<model::Facts&>(*runtime_->impl().facts()));
    for (const KptrDef& type : host_kptr_types(*runtime_->impl().facts()->host_btf)) (void)runtime_->impl().add_kptr(type);
    add_host_ops(*runtime_);
    publish_btf();
  }
  ~Ring3Kernel() override {
    if (btf_fd_ >= 0) close(btf_fd_);
  }

  long bpf(int cmd, void* attr, std::uint32_t size) override {
    uapi::bpf_attr again{};
    std::memcpy(&again, attr, std::min<std::size_t>(size, sizeof(again)));
    const long result = call(cmd, attr, size);
    if (cmd == uapi::BPF_PROG_LOAD && !every_path_file.empty()) walk_every_path(again, std::min<std::uint32_t>(size, sizeof(again)), result);
    return result;
  }
  void set_rights(const CaseRights& rights) override {
    rights_ = {rights.bpf, rights.perfmon, rights.net_admin, rights.sys_admin};
  }
  std::string btf_file() const override { return btf_fd_ < 0 ? "" : "/proc/self/fd/" + std::to_string(btf_fd_); }

 private:
  long call(int cmd, void* attr, std::uint32_t size) {
    syscall::OwnCaller caller(rights_);
    return syscall::bpf(runtime_->impl().kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size);
  }

  void walk_every_path(uapi::bpf_attr& attr, std::uint32_t size, long pruned) {
    attr.log_level = attr.log_size = 0;
    attr.log_buf = 0;
    const verifier::Limits usual = runtime_->impl().limits();
    verifier::Limits limits = usual;
    limits.no_pruning = true;
    limits.max_insns_processed = kMostInsnsOnEveryPath;
    runtime_->impl().set_limits(limits);
    const long walked = call(uapi::BPF_PROG_LOAD, &attr, size);
    runtime_->impl().set_limits(usual);
    if (walked >= 0) close(static_cast<int>(walked));
    const char* said = walked == -E2BIG && pruned != walked ? "large" : (walked >= 0) == (pruned >= 0) ? "agrees" : "differs";
    std::ofstream(every_path_file, std::ios::app)
        << std::string(said) + " " + std::string(attr.prog_name, strnlen(attr.prog_name, sizeof(attr.prog_name))) + "\n";
  }

  /// Copies the host's types (the first BTF object) into a file.
  void publish_btf() {
    uapi::bpf_attr attr{};
    attr.btf_id = 1;
    const long fd = bpf(uapi::BPF_BTF_GET_FD_BY_ID, &attr, sizeof(attr));
    if (fd < 0) return;
    std::vector<std::byte> bytes;
    for (int pass = 0; pass < 2; ++pass) {
      uapi::bpf_btf_info info{};
      info.btf = reinterpret_cast<std::uint64_t>(bytes.data());
      info.btf_size = static_cast<std::uint32_t>(bytes.size());
      attr = {};
      attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
      attr.info.info_len = sizeof(info);
      attr.info.info = reinterpret_cast<std::uint64_t>(&info);
      if (bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) != 0) break;
      bytes.resize(info.btf_size);
    }
    close(static_cast<int>(fd));
    btf_fd_ = memfd_create("vmlinux-btf", MFD_CLOEXEC);
    if (bytes.empty() || write(btf_fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
      close(btf_fd_);
      btf_fd_ = -1;
    }
  }

  std::unique_ptr<Runtime> runtime_;
  model::Rights rights_ = model::Rights::all();
  int btf_fd_ = -1;
};

}  // namespace

void also_walk_every_path(const std::string& file) { every_path_file = file; }

std::unique_ptr<Kernel> ring3_kernel(const std::string& btf_elf, std::string& problem) {
  const std::vector<std::byte> types = host_types(btf_elf, problem);
  if (types.empty()) return nullptr;
  // The verdict is what is asked for; a program that cannot run here is judged all the same, and states no result.
  auto runtime = Runtime::create(
      {.name = "conformance", .btf = {types.data(), types.size()}, .unprivileged = true, .accept_unrunnable = true, .lenient_fields = true});
  if (runtime.ok()) return std::make_unique<Ring3Kernel>(std::move(runtime).value());
  problem = std::string("no runtime: ") + errno_name(runtime.error());
  return nullptr;
}

}  // namespace ring3::conformance
