#include "syscall/pin_mounts.h"

#include <algorithm>

namespace ring3::syscall {

std::shared_ptr<PinInstance> PinMounts::mount_main(const std::string& where) {
  main_->tree.add_root(where);
  return main_;
}

std::shared_ptr<PinInstance> PinMounts::mount_new(const std::string& where, uid_t uid, gid_t gid, mode_t mode,
                                                  const Delegation& delegation, bool foreign) {
  auto instance = std::make_shared<PinInstance>(std::vector<std::string>{where}, uid, gid, mode);
  instance->delegation = delegation;
  instance->foreign = foreign;
  MutexLock lock(mutex_);
  others_.push_back(instance);
  return instance;
}

void PinMounts::unmount(const std::shared_ptr<PinInstance>& instance, const std::string& where) {
  if (instance == main_) return main_->tree.remove_root(where);
  {
    MutexLock lock(mutex_);
    others_.erase(std::remove(others_.begin(), others_.end(), instance), others_.end());
  }
  instance->tree.clear();
}

std::shared_ptr<PinInstance> PinMounts::find(std::string_view path) const {
  MutexLock lock(mutex_);
  for (auto at = others_.rbegin(); at != others_.rend(); ++at)
    if ((*at)->tree.contains(path)) return *at;
  return main_->tree.contains(path) ? main_ : nullptr;
}

std::vector<std::string> PinMounts::paths_of(const Object& object) const {
  std::vector<std::string> paths = main_->tree.paths_of(object);
  MutexLock lock(mutex_);
  for (const auto& other : others_)
    for (std::string& path : other->tree.paths_of(object)) paths.push_back(std::move(path));
  return paths;
}

void PinMounts::clear() {
  std::vector<std::shared_ptr<PinInstance>> others;
  {
    MutexLock lock(mutex_);
    others = others_;
  }
  for (const auto& other : others) other->tree.clear();
  main_->tree.clear();
}

}  // namespace ring3::syscall
