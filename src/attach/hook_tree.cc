#include "attach/hook_tree.h"

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace ring3::attach {

const std::array<TreeKind, kTreeKinds> kTreeKind = {{
    {uapi::BPF_CGROUP_INET_INGRESS, uapi::BPF_PROG_TYPE_CGROUP_SKB, false},
    {uapi::BPF_CGROUP_INET_EGRESS, uapi::BPF_PROG_TYPE_CGROUP_SKB, true},
    {uapi::BPF_CGROUP_DEVICE, uapi::BPF_PROG_TYPE_CGROUP_DEVICE, false},
}};

namespace {

constexpr std::size_t kNew = SIZE_MAX;

std::size_t index_of(const TreeKind& kind) { return static_cast<std::size_t>(&kind - kTreeKind.data()); }

bool allows_several(std::uint32_t mode) { return (mode & uapi::BPF_F_ALLOW_MULTI) != 0; }

}  // namespace

const TreeKind* find_tree_kind(std::uint32_t attach_type) {
  const auto found = std::find_if(kTreeKind.begin(), kTreeKind.end(),
                                  [&](const TreeKind& kind) { return static_cast<std::uint32_t>(kind.attach) == attach_type; });
  return found == kTreeKind.end() ? nullptr : &*found;
}

// Node.

TreeNode::~TreeNode() {
  for (Place& place : places_) place.publish(nullptr);
}

void TreeNode::Place::publish(std::unique_ptr<Effective> next) noexcept {
  Effective* old = effective.exchange(next.release(), std::memory_order_acq_rel);
  if (old != nullptr)
    rcu::call_after_readers(&old->retired, [](rcu::Deferred* node) { delete reinterpret_cast<Effective*>(node); });
}

TreeAnswer TreeNode::run(const TreeKind& kind, void* ctx) const noexcept {
  TreeAnswer all;
  rcu::ReadSection section;
  const Effective* now = places_[index_of(kind)].effective.load(std::memory_order_acquire);
  if (now == nullptr) return all;
  for (const Turn& turn : now->turns) {
    if (turn.left.load(std::memory_order_acquire)) continue;
    const auto answer = static_cast<std::uint32_t>(turn.program->entry()->run(exec::RunArgs{.ctx = ctx}));
    all.allowed = all.allowed && (kind.congestion ? (answer & 1) != 0 : answer != 0);
    all.congested = all.congested || (kind.congestion && (answer >> 1) != 0);
  }
  return all;
}

// Tree.

HookTree::~HookTree() {
  // Links have been detached; hosts may still have nodes in their hands.
  MutexLock lock(mutex_);
  for (const auto& node : nodes_) {
    node->in_tree_ = false;
    for (TreeNode::Place& place : node->places_) {
      place.entries.clear();
      place.publish(nullptr);
    }
  }
}

Result<std::shared_ptr<TreeNode>> HookTree::add(NodeFile file, const std::shared_ptr<TreeNode>& parent) {
  MutexLock lock(mutex_);
  for (const auto& node : nodes_)
    if (node->file() == file) return Errno::kExist;
  if (parent && !parent->in_tree_) return Errno::kNoEnt;
  auto node = std::make_shared<TreeNode>(file, parent.get());
  std::array<std::unique_ptr<TreeNode::Effective>, kTreeKinds> lists;
  for (std::size_t kind = 0; kind < kTreeKinds; ++kind) lists[kind] = effective_of(*node, kind);
  nodes_.reserve(nodes_.size() + 1);
  if (parent) parent->children_.push_back(node.get());
  nodes_.push_back(node);
  for (std::size_t kind = 0; kind < kTreeKinds; ++kind) node->places_[kind].publish(std::move(lists[kind]));
  return node;
}

Result<void> HookTree::remove(TreeNode& node) {
  std::vector<Ref<Link>> orphans;
  std::array<Entries, kTreeKinds> gone;   // dropped behind the lock, as the node
  std::shared_ptr<TreeNode> keep;
  {
    MutexLock lock(mutex_);
    if (!node.in_tree_) return Errno::kNoEnt;
    if (!node.children_.empty()) return Errno::kBusy;
    std::size_t links = 0;
    for (const TreeNode::Place& place : node.places_) links += place.entries.size();
    orphans.reserve(links);
    for (std::size_t kind = 0; kind < kTreeKinds; ++kind) {
      TreeNode::Place& place = node.places_[kind];
      // A link whose last reference goes right now waits for the mutex to leave, so its memory is there.
      for (const TreeNode::Entry& entry : place.entries)
        if (entry.link != nullptr && entry.link->try_ref()) orphans.push_back(Ref<Link>::adopt(entry.link));
      gone[kind].swap(place.entries);
      place.mode = 0;
      place.publish(nullptr);
    }
    node.in_tree_ = false;
    if (node.parent_ != nullptr) std::erase(node.parent_->children_, &node);
    const auto at = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n.get() == &node; });
    keep = std::move(*at);
    nodes_.erase(at);
  }
  for (const Ref<Link>& link : orphans) (void)link->detach().ok();
  return {};
}

std::shared_ptr<TreeNode> HookTree::find(NodeFile file) const {
  MutexLock lock(mutex_);
  for (const auto& node : nodes_)
    if (node->file() == file) return node;
  return nullptr;
}

bool HookTree::empty() const {
  MutexLock lock(mutex_);
  return nodes_.empty();
}

bool HookTree::has(const TreeNode& node) const {
  MutexLock lock(mutex_);
  return node.in_tree_;
}

/// The nearest ancestor that has anything decides, unless one on the way allows several.
bool HookTree::ancestors_allow(const TreeNode& node, std::size_t kind) {
  for (const TreeNode* n = node.parent_; n != nullptr; n = n->parent_) {
    const TreeNode::Place& place = n->places_[kind];
    if (allows_several(place.mode)) return true;
    if (!place.entries.empty()) return (place.mode & uapi::BPF_F_ALLOW_OVERRIDE) != 0;
  }
  return true;
}

/// Where the program goes: over an entry, or kNew.
Result<std::size_t> HookTree::place_of(const TreeNode::Place& place, const Wish& wish) {
  const Entries& here = place.entries;
  if (!allows_several(wish.flags)) return here.empty() ? kNew : std::size_t{0};
  for (const TreeNode::Entry& entry : here) {
    // By itself and owned by a link are two things; each only once.
    const bool twice = entry.program == wish.program && (entry.link != nullptr) == (wish.link != nullptr);
    if (twice && wish.program.get() != wish.replaced) return Errno::kInval;
  }
  if (wish.replaced == nullptr) return kNew;
  for (std::size_t i = 0; i < here.size(); ++i)
    if (here[i].program.get() == wish.replaced && here[i].link == nullptr) return i;
  return Errno::kNoEnt;
}

std::unique_ptr<TreeNode::Effective> HookTree::effective_of(const TreeNode& node, std::size_t kind) {
  std::vector<const TreeNode::Place*> counted;  // from the node up
  std::size_t programs = 0;
  for (const TreeNode* n = &node; n != nullptr; n = n->parent_) {
    const TreeNode::Place& place = n->places_[kind];
    if (place.entries.empty() || (programs != 0 && !allows_several(place.mode))) continue;
    programs += place.entries.size();
    counted.push_back(&place);
  }
  if (programs == 0) return nullptr;
  auto list = std::make_unique<TreeNode::Effective>();
  list->turns.reserve(programs);
  const auto append = [&list](const TreeNode::Place& place, bool preorder) {
    for (const TreeNode::Entry& entry : place.entries)
      if (((entry.flags & uapi::BPF_F_PREORDER) != 0) == preorder) list->turns.emplace_back(entry.program, entry.link);
  };
  std::for_each(counted.rbegin(), counted.rend(), [&](const auto* place) { append(*place, true); });
  std::for_each(counted.begin(), counted.end(), [&](const auto* place) { append(*place, false); });
  return list;
}

void HookTree::commit(TreeNode& node, std::size_t kind, Entries entries, std::uint32_t mode) {
  TreeNode::Place& place = node.places_[kind];
  struct Undo {
    TreeNode::Place& place;
    Entries& entries;
    std::uint32_t mode;
    bool armed = true;
    ~Undo() {
      if (!armed) return;
      place.entries.swap(entries);
      place.mode = mode;
    }
  } undo{place, entries, place.mode};
  place.entries.swap(entries);
  place.mode = place.entries.empty() ? 0 : mode;
  publish_below(node, kind);
  undo.armed = false;
}

void HookTree::publish_below(TreeNode& node, std::size_t kind) {
  std::vector<TreeNode*> below{&node};
  for (std::size_t i = 0; i < below.size(); ++i) below.insert(below.end(), below[i]->children_.begin(), below[i]->children_.end());
  std::vector<std::unique_ptr<TreeNode::Effective>> lists;
  lists.reserve(below.size());
  for (const TreeNode* n : below) lists.push_back(effective_of(*n, kind));
  for (std::size_t i = 0; i < below.size(); ++i) below[i]->places_[kind].publish(std::move(lists[i]));
}

Result<void> HookTree::attach(TreeNode& node, const TreeKind& kind, Wish wish) {
  const std::size_t at = index_of(kind);
  const std::uint32_t mode = wish.flags & kTreeModes;
  const bool replaces = (wish.flags & uapi::BPF_F_REPLACE) != 0;
  if (mode == kTreeModes || (replaces && !allows_several(mode)) || replaces != (wish.replaced != nullptr)) return Errno::kInval;
  MutexLock lock(mutex_);
  if (!node.in_tree_) return Errno::kNoEnt;
  const TreeNode::Place& place = node.places_[at];
  if (!ancestors_allow(node, at)) return Errno::kPerm;
  if (!place.entries.empty() && place.mode != mode) return Errno::kPerm;
  if (place.entries.size() >= kMostAtNode) return Errno::kTooBig;
  const std::size_t over = RING3_TRY(place_of(place, wish));
  Entries next = place.entries;
  TreeNode::Entry entry{std::move(wish.program), wish.link, wish.link != nullptr ? wish.link->id() : 0,
                        mode | (wish.flags & uapi::BPF_F_PREORDER)};
  if (over == kNew)
    next.push_back(std::move(entry));
  else
    next[over] = std::move(entry);
  commit(node, at, std::move(next), mode);
  return {};
}

Result<void> HookTree::detach(TreeNode& node, const TreeKind& kind, const prog::Program* program, const Link* link) {
  const std::size_t at = index_of(kind);
  MutexLock lock(mutex_);
  const TreeNode::Place& place = node.places_[at];
  std::size_t which = 0;
  if (!allows_several(place.mode) && link == nullptr) {
    // The program need not be named, or rightly, where there is only one.
    if (place.entries.empty()) return Errno::kNoEnt;
  } else {
    if (program == nullptr && link == nullptr) return Errno::kInval;
    while (which < place.entries.size() && !(place.entries[which].link == link &&
                                             (link != nullptr || place.entries[which].program.get() == program)))
      ++which;
    if (which == place.entries.size()) return Errno::kNoEnt;
  }
  Entries next = place.entries;
  next.erase(next.begin() + static_cast<std::ptrdiff_t>(which));
  commit(node, at, std::move(next), place.mode);
  return {};
}

void HookTree::leave(TreeNode& node, const TreeKind& kind, const Link* link) noexcept {
  const std::size_t at = index_of(kind);
  MutexLock lock(mutex_);
  TreeNode::Place& place = node.places_[at];
  const auto entry = std::find_if(place.entries.begin(), place.entries.end(), [link](const TreeNode::Entry& e) { return e.link == link; });
  if (entry == place.entries.end()) return;  // the node was removed
  place.entries.erase(entry);
  if (place.entries.empty()) place.mode = 0;
  try {
    publish_below(node, at);
  } catch (const std::bad_alloc&) {
    take_turns(node, at, link);
  }
}

void HookTree::take_turns(TreeNode& node, std::size_t kind, const Link* link) noexcept {
  if (TreeNode::Effective* now = node.places_[kind].effective.load(std::memory_order_relaxed))
    for (Turn& turn : now->turns)
      if (turn.link == link) turn.left.store(true, std::memory_order_release);
  for (TreeNode* child : node.children_) take_turns(*child, kind, link);
}

Result<void> HookTree::update(TreeNode& node, const TreeKind& kind, const Link* link, Ref<prog::Program> program) {
  const std::size_t at = index_of(kind);
  MutexLock lock(mutex_);
  if (!node.in_tree_) return Errno::kNoLink;
  const TreeNode::Place& place = node.places_[at];
  Entries next = place.entries;
  const auto found = std::find_if(next.begin(), next.end(), [&](const TreeNode::Entry& entry) { return entry.link == link; });
  if (found == next.end()) return Errno::kNoEnt;
  found->program = std::move(program);
  commit(node, at, std::move(next), place.mode);
  return {};
}

HookTree::View HookTree::view(const TreeNode& node, const TreeKind& kind, bool effective) const {
  const std::size_t at = index_of(kind);
  MutexLock lock(mutex_);
  const TreeNode::Place& place = node.places_[at];
  View view;
  if (effective) {
    if (const TreeNode::Effective* now = place.effective.load(std::memory_order_relaxed))
      for (const Turn& turn : now->turns)
        if (!turn.left.load(std::memory_order_relaxed)) view.programs.push_back(turn.program->id());
    return view;
  }
  view.mode = place.mode;
  for (const TreeNode::Entry& entry : place.entries) {
    view.programs.push_back(entry.program->id());
    view.flags.push_back(entry.flags);
  }
  return view;
}

}  // namespace ring3::attach
