// Extended attributes of the tree of pins (behaviour.md B.8). They live with the inode, not with the object.
#include <sys/xattr.h>

#include "base/try.h"
#include "syscall/pin_node.h"

namespace ring3::syscall {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;
constexpr std::size_t kMaxName = 255;

bool is_trusted(const std::string& name) { return name.starts_with("trusted."); }

Result<void> check_name(const std::string& name) {
  if (!is_trusted(name) && !name.starts_with("security.")) return Errno::kOpNotSupp;
  if (name.find('.') + 1 == name.size()) return Errno::kInval;
  if (name.size() > kMaxName) return Errno::kRange;
  return {};
}

std::size_t bytes_of(const std::map<std::string, std::string>& xattrs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : xattrs) bytes += name.size() + 1 + value.size();
  return bytes;
}

}  // namespace

Result<void> PinTree::set_xattr(const PinPath& path, const PinIdentity& who, const std::string& name, std::string value,
                                std::uint32_t flags) {
  RING3_TRY(check_name(name));
  if (!who.override_modes) return Errno::kPerm;
  if (flags != 0 && flags != XATTR_CREATE && flags != XATTR_REPLACE) return Errno::kInval;
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, false));
  const auto known = node->xattrs.find(name);
  if (known != node->xattrs.end() && flags == XATTR_CREATE) return Errno::kExist;
  if (known == node->xattrs.end() && flags == XATTR_REPLACE) return Errno::kNoData;
  const std::size_t replaced = known == node->xattrs.end() ? 0 : name.size() + 1 + known->second.size();
  if (bytes_of(node->xattrs) - replaced + name.size() + 1 + value.size() > kMaxBytes) return Errno::kNoSpc;
  node->xattrs[name] = std::move(value);
  node->changed_ns = pin_rules::now_ns();
  return {};
}

Result<std::string> PinTree::get_xattr(const PinPath& path, const PinIdentity& who, const std::string& name) const {
  RING3_TRY(check_name(name));
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, false));
  const auto known = node->xattrs.find(name);
  if (known == node->xattrs.end() || (is_trusted(name) && !who.override_modes)) return Errno::kNoData;
  return known->second;
}

Result<std::string> PinTree::list_xattr(const PinPath& path, const PinIdentity& who) const {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, false));
  std::string names;
  for (const auto& [name, value] : node->xattrs)
    if (who.override_modes || !is_trusted(name)) names.append(name).push_back('\0');
  return names;
}

Result<void> PinTree::remove_xattr(const PinPath& path, const PinIdentity& who, const std::string& name) {
  RING3_TRY(check_name(name));
  if (!who.override_modes) return Errno::kPerm;
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, false));
  if (node->xattrs.erase(name) == 0) return Errno::kNoData;
  node->changed_ns = pin_rules::now_ns();
  return {};
}

}  // namespace ring3::syscall
