// Tasks: the threads of the host's process, in order of their number. The list is taken when the walk starts; threads
// that ended since are passed over.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "btf/host_view.h"
#include "iter/walk.h"

namespace ring3::iter {
namespace {

std::vector<std::uint32_t> thread_numbers() {
  std::vector<std::uint32_t> out;
  DIR* dir = ::opendir("/proc/self/task");
  if (dir == nullptr) return out;
  while (const dirent* entry = ::readdir(dir))
    if (const long number = std::strtol(entry->d_name, nullptr, 10); number > 0)
      out.push_back(static_cast<std::uint32_t>(number));
  ::closedir(dir);
  std::sort(out.begin(), out.end());
  return out;
}

/// False: the thread has ended.
bool read_name(std::uint32_t tid, std::string& name) {
  const OwnedFd file(::open(("/proc/self/task/" + std::to_string(tid) + "/comm").c_str(), O_RDONLY | O_CLOEXEC));
  char text[64];
  const ssize_t n = file ? ::read(file.get(), text, sizeof text) : -1;
  if (n <= 0) return false;
  name.assign(text, static_cast<std::size_t>(text[n - 1] == '\n' ? n - 1 : n));
  return true;
}

class TaskWalk final : public Walk {
 public:
  TaskWalk(const WalkWorld& world, const WalkScope& scope) : view_(world.btf, "task_struct"), threads_(thread_numbers()) {
    const auto self = static_cast<std::uint32_t>(::getpid());
    std::erase_if(threads_, [&](std::uint32_t tid) {
      return (scope.tid != 0 && tid != scope.tid) || (scope.pid != 0 && self != scope.pid);
    });
  }
  Result<bool> hold() override {
    std::string name;
    while (at_ < threads_.size() && !read_name(threads_[at_], name)) ++at_;
    if (at_ == threads_.size()) return false;
    view_.clear();
    view_.set("pid", threads_[at_]);
    view_.set("tgid", static_cast<std::uint64_t>(::getpid()));
    view_.set_text("comm", name);
    return true;
  }
  void step() override { ++at_; }
  void arguments(std::span<std::uint64_t> out) override {
    out[0] = at_ < threads_.size() ? reinterpret_cast<std::uintptr_t>(view_.data()) : 0;
  }

 private:
  btf::HostView view_;
  std::vector<std::uint32_t> threads_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Walk> walk_tasks(const WalkWorld& world, const WalkScope& scope) {
  return std::make_unique<TaskWalk>(world, scope);
}

}  // namespace ring3::iter
