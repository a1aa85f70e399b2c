// Path resolution in the tree of pins: components, dots, symbolic links, permissions.
#include <algorithm>
#include <ctime>
#include <string>
#include <string_view>

#include "base/try.h"
#include "syscall/pin_node.h"

namespace ring3::syscall {
namespace pin_rules {

bool in_group(gid_t group, const PinIdentity& who) {
  return who.override_modes || group == who.gid || std::find(who.groups.begin(), who.groups.end(), group) != who.groups.end();
}

bool may_link(const PinTree::Node& node, const PinIdentity& who) {
  if (who.override_modes || node.uid == who.uid) return true;
  return node.kind == PinKind::kObject && may(node, who, kRead | kWrite);
}

bool may(const PinTree::Node& node, const PinIdentity& who, mode_t wanted) {
  if (who.override_modes) return true;
  mode_t granted;
  if (node.uid == who.uid)
    granted = node.mode >> 6;
  else if (in_group(node.gid, who))
    granted = node.mode >> 3;
  else
    granted = node.mode;
  return (granted & wanted) == wanted;
}

bool may_remove(const PinTree::Node& directory, const PinTree::Node& node, const PinIdentity& who) {
  if (!may(directory, who, kWrite | kSearch)) return false;
  if ((directory.mode & 01000) == 0 || who.override_modes) return true;
  return who.uid == node.uid || who.uid == directory.uid;
}

Result<void> check_name(const std::string& name) {
  if (name.size() > 255) return Errno::kNameTooLong;
  if (name.find('.') != std::string::npos) return Errno::kPerm;
  return {};
}

std::int64_t now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace pin_rules

namespace {

constexpr int kMaxSymlinks = 40;

/// The part of `path` below `root` (with its leading slash, or empty), or nothing.
bool below(std::string_view path, std::string_view root, std::string_view& rest) {
  if (path.substr(0, root.size()) != root) return false;
  rest = path.substr(root.size());
  return rest.empty() || rest.front() == '/';
}

/// Folds "//" and "/./" before the comparison with a root; ".." is left to the walk.
std::string fold(std::string_view path) {
  std::string out;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (!part.empty() && part != ".") out.append("/").append(part);
    at = end + 1;
  }
  const bool directory_wanted = path.size() > 1 && (path.back() == '/' || path.substr(path.size() - 2) == "/.");
  if (directory_wanted) out.append("/");
  return out;
}

}  // namespace

bool PinTree::is_root(std::string_view path) const {
  std::string folded = fold(path);
  if (folded.ends_with('/')) folded.pop_back();
  MutexLock lock(mutex_);
  return std::find(roots_.begin(), roots_.end(), folded) != roots_.end();
}

bool PinTree::contains(std::string_view path) const {
  const std::string folded = fold(path);
  std::string_view rest;
  MutexLock lock(mutex_);
  return std::any_of(roots_.begin(), roots_.end(),
                     [&](const std::string& root) { return below(folded, root, rest); });
}

Result<PinTree::Spot> PinTree::find_spot(const PinPath& path, const PinIdentity& who, bool follow_last) const {
  if (path.text.size() >= pin_rules::kMaxPath) return Errno::kNameTooLong;
  std::string rest = path.text;           // components still to walk
  std::shared_ptr<Node> at;               // null: `rest` is an absolute path
  int symlinks = 0;
  Spot spot;
  if (path.from != 0) {
    at = RING3_TRY(node_of_inode(path.from));
    spot = Spot{at, "", at, false};
  }
  for (;;) {
    if (!at) {
      const std::string folded = fold(rest);
      std::string_view inside;
      if (std::none_of(roots_.begin(), roots_.end(),
                       [&](const std::string& root) { return below(folded, root, inside); }))
        return Errno::kXDev;
      at = root_;
      spot = Spot{root_, "", root_, false};
      rest = std::string(inside);
    }
    const std::size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) return spot;
    const std::size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    const std::string after = rest.substr(end);
    const bool last = after.find_first_not_of('/') == std::string::npos;
    rest = after;
    if (at->kind != PinKind::kDirectory) return Errno::kNotDir;
    if (!pin_rules::may(*at, who, pin_rules::kSearch)) return Errno::kAcces;
    if (name == ".") continue;
    if (name == "..") {
      if (at == root_) return Errno::kXDev;
      at = at->parent.lock();
      spot = Spot{at, "", at, false};
      continue;
    }
    const auto entry = at->entries.find(name);
    if (entry == at->entries.end()) RING3_TRY(pin_rules::check_name(name));
    std::shared_ptr<Node> node = entry == at->entries.end() ? nullptr : entry->second;
    spot = Spot{at, name, node, last && !after.empty()};
    if (!node) return last ? Result<Spot>(std::move(spot)) : Errno::kNoEnt;
    if (node->kind == PinKind::kSymlink && (!last || follow_last || spot.trailing_slash)) {
      if (++symlinks > kMaxSymlinks) return Errno::kLoop;
      rest = node->target + rest;
      if (node->target.front() == '/') at = nullptr;
      continue;  // a relative target continues at the link's own directory
    }
    at = node;
    if (last && spot.trailing_slash && node->kind != PinKind::kDirectory) return Errno::kNotDir;
  }
}

Result<std::shared_ptr<PinTree::Node>> PinTree::find_node(const PinPath& path, const PinIdentity& who,
                                                          bool follow_last) const {
  Spot spot = RING3_TRY(find_spot(path, who, follow_last));
  if (!spot.node) return Errno::kNoEnt;
  return std::move(spot.node);
}

Result<PinTree::Spot> PinTree::free_spot(const PinPath& path, const PinIdentity& who) const {
  Spot spot = RING3_TRY(find_spot(path, who, false));
  if (spot.node) return Errno::kExist;
  if (!pin_rules::may(*spot.directory, who, pin_rules::kWrite | pin_rules::kSearch)) return Errno::kAcces;
  return spot;
}

}  // namespace ring3::syscall
