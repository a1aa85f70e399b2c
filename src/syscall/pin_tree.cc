#include "syscall/pin_tree.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/fault_point.h"
#include "base/try.h"
#include "syscall/pin_node.h"

namespace ring3::syscall {

using pin_rules::kRead;
using pin_rules::kWrite;
using pin_rules::may;
using pin_rules::now_ns;

PinTree::PinTree(std::vector<std::string> roots, uid_t owner_uid, gid_t owner_gid, mode_t mode) {
  MutexLock lock(mutex_);
  roots_ = std::move(roots);
  root_ = std::make_shared<Node>();
  root_->inode = ++last_inode_;
  root_->mode = mode & 07777;
  root_->uid = owner_uid;
  root_->gid = owner_gid;
  root_->links = 2;
  root_->accessed_ns = root_->modified_ns = root_->changed_ns = now_ns();
  root_->parent = root_;
  inodes_.emplace(root_->inode, root_);
}

void PinTree::add_root(std::string root) {
  MutexLock lock(mutex_);
  roots_.push_back(std::move(root));
}

void PinTree::remove_root(const std::string& root) {
  MutexLock lock(mutex_);
  const auto last = std::find(roots_.rbegin(), roots_.rend(), root);
  if (last != roots_.rend()) roots_.erase(std::next(last).base());
}

bool PinTree::may_search_root(const PinIdentity& who) const {
  MutexLock lock(mutex_);
  return may(*root_, who, pin_rules::kSearch);
}

Result<std::shared_ptr<PinTree::Node>> PinTree::node_of_inode(std::uint64_t inode) const {
  const auto found = inodes_.find(inode);
  std::shared_ptr<Node> node = found == inodes_.end() ? nullptr : found->second.lock();
  if (!node) return Errno::kStale;
  return node;
}

bool PinTree::knows(std::uint64_t inode) const {
  MutexLock lock(mutex_);
  return inodes_.count(inode) != 0;
}

PinTree::~PinTree() { clear(); }

std::shared_ptr<PinTree::Node> PinTree::make_node(PinKind kind, const Spot& spot, const PinIdentity& who,
                                                  mode_t mode) {
  auto node = std::make_shared<Node>();
  Node& directory = *spot.directory;
  node->kind = kind;
  node->inode = ++last_inode_;
  node->mode = mode;
  node->uid = who.uid;
  node->gid = who.gid;
  if ((directory.mode & 02000) != 0) {  // set-gid: children belong to the directory's group
    node->gid = directory.gid;
    if (kind == PinKind::kDirectory) node->mode |= 02000;
  }
  node->accessed_ns = node->modified_ns = node->changed_ns = now_ns();
  // Both or none.
  decltype(inodes_) one;
  one.emplace(node->inode, node);
  directory.entries[spot.name] = node;
  inodes_.merge(one);
  directory.modified_ns = directory.changed_ns = node->changed_ns;
  if (kind == PinKind::kDirectory) {
    node->links = 2;
    node->parent = spot.directory;
    ++directory.links;
  }
  return node;
}

Result<void> PinTree::pin(const PinPath& path, const PinIdentity& who, Ref<Object> object, mode_t umask, std::uint64_t* inode) {
  if (fault_point()) return Errno::kNoMem;
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(free_spot(path, who));
  if (spot.trailing_slash) return Errno::kNoEnt;
  const std::shared_ptr<Node> node = make_node(PinKind::kObject, spot, who, 0600 & ~umask);
  node->object = UserRef<Object>(std::move(object));
  if (inode != nullptr) *inode = node->inode;
  return {};
}

void PinTree::take_back(std::uint64_t inode) noexcept {
  UserRef<Object> released;  // declared first: dropped after the lock
  MutexLock lock(mutex_);
  const auto known = inodes_.find(inode);
  const std::shared_ptr<Node> pin = known == inodes_.end() ? nullptr : known->second.lock();
  if (!pin) return;
  const std::int64_t now = now_ns();
  for (const auto& [number, weak] : inodes_) {
    const std::shared_ptr<Node> directory = weak.lock();
    if (!directory) continue;
    const std::size_t gone = std::erase_if(directory->entries, [&pin](const auto& entry) { return entry.second == pin; });
    if (gone != 0) directory->modified_ns = directory->changed_ns = now;
  }
  pin->links = 0;
  released = std::move(pin->object);
  inodes_.erase(inode);
}

void PinTree::place_own(const std::string& name, const PinIdentity& owner, Ref<Object> object, mode_t mode) {
  MutexLock lock(mutex_);
  if (root_->entries.count(name) != 0) return;
  const std::shared_ptr<Node> node = make_node(PinKind::kObject, Spot{root_, name, nullptr, false}, owner, mode);
  node->object = UserRef<Object>(std::move(object));
  node->own_name = name;
}

void PinTree::remove_own() {
  std::vector<UserRef<Object>> released;  // declared first: dropped after the lock
  MutexLock lock(mutex_);
  std::vector<Spot> own;
  for (const auto& [name, node] : root_->entries)
    if (node->own_name == name) own.push_back({root_, name, node, false});
  for (const Spot& spot : own) remove_entry(spot, released);
}

bool PinTree::has_own(const std::string& name) const {
  MutexLock lock(mutex_);
  return root_->entries.count(name) != 0;
}

Result<void> PinTree::check_pin(const PinPath& path, const PinIdentity& who) const {
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(free_spot(path, who));
  if (spot.trailing_slash) return Errno::kNoEnt;
  return {};
}

Result<Ref<Object>> PinTree::get(const PinPath& path, const PinIdentity& who, bool read, bool write) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, true));
  if (!may(*node, who, (read ? kRead : 0u) | (write ? kWrite : 0u))) return Errno::kAcces;
  if (node->kind != PinKind::kObject) return Errno::kAcces;
  node->accessed_ns = now_ns();
  return node->object.ref();
}

Result<void> PinTree::make_directory(const PinPath& path, const PinIdentity& who, mode_t mode, mode_t umask) {
  if (fault_point()) return Errno::kNoMem;
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(free_spot(path, who));
  make_node(PinKind::kDirectory, spot, who, mode & 01777 & ~umask);
  return {};
}

Result<void> PinTree::symlink(const std::string& target, const PinPath& path, const PinIdentity& who) {
  if (target.empty()) return Errno::kNoEnt;
  if (fault_point()) return Errno::kNoMem;
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(free_spot(path, who));
  if (spot.trailing_slash) return Errno::kNoEnt;
  make_node(PinKind::kSymlink, spot, who, 0777)->target = target;
  return {};
}

void PinTree::remove_entry(const Spot& spot, std::vector<UserRef<Object>>& released) {
  Node& node = *spot.node;
  Node& directory = *spot.directory;
  directory.entries.erase(spot.name);
  directory.modified_ns = directory.changed_ns = node.changed_ns = now_ns();
  if (node.kind == PinKind::kDirectory) {
    --directory.links;
    node.links = 0;
  } else if (--node.links == 0 && node.object) {
    released.push_back(std::move(node.object));
  }
  if (node.links == 0) inodes_.erase(node.inode);
}

Result<void> PinTree::unlink(const PinPath& path, const PinIdentity& who) {
  std::vector<UserRef<Object>> released;  // declared first: dropped after the lock
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(find_spot(path, who, false));
  if (!spot.node) return Errno::kNoEnt;
  if (spot.node->kind == PinKind::kDirectory) return Errno::kIsDir;
  if (spot.name.empty()) return Errno::kNotDir;  // a file by its inode: which name is meant?
  if (!pin_rules::may(*spot.directory, who, kWrite)) return Errno::kAcces;
  if (!pin_rules::may_remove(*spot.directory, *spot.node, who)) return Errno::kPerm;
  remove_entry(spot, released);
  return {};
}

Result<void> PinTree::remove_directory(const PinPath& path, const PinIdentity& who) {
  std::vector<UserRef<Object>> released;
  MutexLock lock(mutex_);
  const Spot spot = RING3_TRY(find_spot(path, who, false));
  if (!spot.node) return Errno::kNoEnt;
  if (spot.node->kind != PinKind::kDirectory) return Errno::kNotDir;
  if (spot.name.empty()) return spot.node == root_ ? Errno::kBusy : Errno::kInval;  // the root; "x/."
  if (!pin_rules::may(*spot.directory, who, kWrite)) return Errno::kAcces;
  if (!pin_rules::may_remove(*spot.directory, *spot.node, who)) return Errno::kPerm;
  if (!spot.node->entries.empty()) return Errno::kNotEmpty;
  remove_entry(spot, released);
  return {};
}

Result<void> PinTree::link(const PinPath& from, const PinPath& to, const PinIdentity& who) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(from, who, false));
  const Spot spot = RING3_TRY(free_spot(to, who));
  if (node->kind == PinKind::kDirectory) return Errno::kPerm;
  if (spot.trailing_slash) return Errno::kNoEnt;
  if (!pin_rules::may_link(*node, who)) return Errno::kPerm;
  spot.directory->entries[spot.name] = node;
  ++node->links;
  spot.directory->modified_ns = spot.directory->changed_ns = node->changed_ns = now_ns();
  return {};
}

Result<void> PinTree::change_mode(const PinPath& path, const PinIdentity& who, mode_t mode) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, true));
  if (!who.override_modes && who.uid != node->uid) return Errno::kPerm;
  node->mode = mode & (pin_rules::in_group(node->gid, who) ? 07777 : 05777);
  node->changed_ns = now_ns();
  return {};
}

Result<void> PinTree::change_owner(const PinPath& path, const PinIdentity& who, uid_t uid, gid_t gid) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, true));
  const bool keeps_uid = uid == static_cast<uid_t>(-1) || uid == node->uid;
  if (!who.override_modes && (who.uid != node->uid || !keeps_uid)) return Errno::kPerm;
  if (gid != static_cast<gid_t>(-1) && gid != node->gid && !pin_rules::in_group(gid, who)) return Errno::kPerm;
  if (uid != static_cast<uid_t>(-1)) node->uid = uid;
  if (gid != static_cast<gid_t>(-1)) node->gid = gid;
  node->changed_ns = now_ns();
  return {};
}

Result<void> PinTree::change_times(const PinPath& path, const PinIdentity& who, std::int64_t accessed_ns,
                                   std::int64_t modified_ns) {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, true));
  if (!who.override_modes && who.uid != node->uid) return Errno::kPerm;
  if (accessed_ns >= 0) node->accessed_ns = accessed_ns;
  if (modified_ns >= 0) node->modified_ns = modified_ns;
  node->changed_ns = now_ns();
  return {};
}

namespace {

PinStat stat_of(const PinTree::Node& node) {
  PinStat st{node.kind,        node.inode,       node.mode,       node.uid, node.gid, node.links,
             node.accessed_ns, node.modified_ns, node.changed_ns, {},       node.target};
  if (node.object) st.object = node.object.ref();
  return st;
}

}  // namespace

Result<PinStat> PinTree::stat(const PinPath& path, const PinIdentity& who, bool follow) const {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, follow));
  return stat_of(*node);
}

Result<std::vector<PinEntry>> PinTree::list(const PinPath& path, const PinIdentity& who) const {
  MutexLock lock(mutex_);
  const std::shared_ptr<Node> node = RING3_TRY(find_node(path, who, true));
  if (node->kind != PinKind::kDirectory) return Errno::kNotDir;
  if (!may(*node, who, kRead)) return Errno::kAcces;
  std::vector<PinEntry> entries;
  for (const auto& [name, child] : node->entries) entries.push_back({name, stat_of(*child)});
  return entries;
}

namespace {

/// path: of the directory; the same afterwards. What no path leads to is passed over: directories may be deeper than any path is long.
void find_paths(const PinTree::Node& directory, const Object& object, std::string& path, std::vector<std::string>& out) {
  const std::size_t length = path.size();
  for (const auto& [name, child] : directory.entries) {
    if (length + 1 + name.size() >= pin_rules::kMaxPath) continue;
    path.append("/").append(name);
    if (child->object.get() == &object) out.push_back(path);
    if (child->kind == PinKind::kDirectory) find_paths(*child, object, path, out);
    path.resize(length);
  }
}

}  // namespace

std::vector<std::string> PinTree::paths_of(const Object& object) const {
  MutexLock lock(mutex_);
  std::vector<std::string> paths;
  std::string path = roots_.empty() ? "" : roots_.front();
  find_paths(*root_, object, path, paths);
  return paths;
}

void PinTree::clear() {
  // Node by node and without memory: a tree may be deeper than a stack is.
  std::multimap<std::string, std::shared_ptr<Node>> released, rest;  // dropped after the lock
  MutexLock lock(mutex_);
  rest.merge(root_->entries);
  while (!rest.empty()) {
    const auto taken = released.insert(rest.extract(rest.begin()));
    rest.merge(taken->second->entries);
  }
  const std::uint64_t root = root_->inode;
  std::erase_if(inodes_, [root](const auto& node) { return node.first != root; });
}

}  // namespace ring3::syscall
