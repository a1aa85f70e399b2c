#include "cli/run_pins.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/try.h"
#include "bpffs/file_system.h"
#include "control/file_client.h"
#include "fuse/mount.h"
#include "runtime/runtime_impl.h"

namespace ring3::cli {
namespace {

/// A backend that is made when it is first asked for something other than to be mounted: a command that never looks at its
/// pins does not wait for a runtime.
class LateBackend : public bpffs::Backend {
 public:
  Result<bpffs::Reply> call(const bpffs::Request& request) final {
    if (request.op == bpffs::Op::kMount) mounting_ = request;
    if (request.op == bpffs::Op::kMount || request.op == bpffs::Op::kDescribe) return bpffs::Reply{};
    return RING3_TRY(backend())->call(request);
  }

 protected:
  /// Not mounted yet.
  virtual Result<std::unique_ptr<bpffs::Backend>> make() = 0;

 private:
  Result<bpffs::Backend*> backend() {
    MutexLock lock(mutex_);
    if (made_ == nullptr) {
      auto made = RING3_TRY(make());
      RING3_TRY(made->call(mounting_));
      made_ = std::move(made);
    }
    return made_.get();
  }

  bpffs::Request mounting_;
  Mutex mutex_;
  std::unique_ptr<bpffs::Backend> made_ RING3_GUARDED_BY(mutex_);
};

class OfRuntime final : public LateBackend {
 public:
  explicit OfRuntime(supervisor::RuntimeDoor& door) : door_(door) {}
  Result<std::unique_ptr<bpffs::Backend>> make() override {
    Runtime* runtime = RING3_TRY(door_.runtime());
    return std::unique_ptr<bpffs::Backend>(std::make_unique<bpffs::FileSystem>(runtime->impl()));
  }

 private:
  supervisor::RuntimeDoor& door_;
};

class OfHost final : public LateBackend {
 public:
  explicit OfHost(std::string host) : host_(std::move(host)) {}
  Result<std::unique_ptr<bpffs::Backend>> make() override {
    std::string why;
    client_ = RING3_TRY(control::Client::connect(host_, why));
    return std::unique_ptr<bpffs::Backend>(std::make_unique<control::RemoteFiles>(*client_));
  }

 private:
  const std::string host_;
  std::unique_ptr<control::Client> client_;
};

template <typename Files>
class FusePins final : public supervisor::PinServer {
 public:
  template <typename From>
  explicit FusePins(From&& from) : files_(std::forward<From>(from)) {}
  ~FusePins() override { FusePins::stop(); }

  Result<void> serve(OwnedFd fuse, pid_t command, std::string& why) override {
    fuse::MountPlan plan;
    plan.directory = "/sys/fs/bpf";
    plan.seen_as = "/sys/fs/bpf";
    plan.device = std::move(fuse);
    plan.mounted_by = command;
    mounted_ = RING3_TRY(fuse::Mounted::mount(files_, std::move(plan), why));
    thread_ = std::thread([this] { mounted_->serve(); });
    return {};
  }
  bool stands(std::string_view path) override {
    bpffs::Request at;
    at.op = bpffs::Op::kLookUp;
    at.node = bpffs::kRoot;
    at.who = {::geteuid(), ::getegid(), {}, 0, false};
    while (!path.empty()) {
      at.name = path.substr(0, path.find('/'));
      path.remove_prefix(std::min(at.name.size() + 1, path.size()));
      if (at.name.empty() || at.name == ".") continue;
      const Result<bpffs::Reply> found = files_.call(at);
      if (!found.ok()) return false;
      if (S_ISLNK(found->attr.mode)) return true;  // wherever it leads: pins are linked to pins
      at.node = found->attr.node;
    }
    return true;
  }
  void stop() override {
    if (mounted_ != nullptr) mounted_->stop();
    if (thread_.joinable()) thread_.join();
    mounted_.reset();
  }

 private:
  Files files_;
  std::unique_ptr<fuse::Mounted> mounted_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<supervisor::PinServer> serve_pins_of(supervisor::RuntimeDoor& door) {
  return std::make_unique<FusePins<OfRuntime>>(door);
}

std::unique_ptr<supervisor::PinServer> serve_pins_of(std::string host) {
  return std::make_unique<FusePins<OfHost>>(std::move(host));
}

}  // namespace ring3::cli
