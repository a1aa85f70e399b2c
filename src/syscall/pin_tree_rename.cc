// rename(2) in the tree of pins, with RENAME_NOREPLACE and RENAME_EXCHANGE.
#include <fcntl.h>
#include <stdio.h>

#include "base/try.h"
#include "syscall/pin_node.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE 2u
#endif

namespace ring3::syscall {
namespace {

/// Whether `node` is `directory` or one of its ancestors.
bool is_ancestor(const std::shared_ptr<PinTree::Node>& node, std::shared_ptr<PinTree::Node> directory) {
  for (;;) {
    if (directory == node) return true;
    std::shared_ptr<PinTree::Node> up = directory->parent.lock();
    if (!up || up == directory) return false;
    directory = std::move(up);
  }
}

/// A directory that moved has another parent: fixes its link and both counts.
void moved(const std::shared_ptr<PinTree::Node>& node, const std::shared_ptr<PinTree::Node>& from,
           const std::shared_ptr<PinTree::Node>& to) {
  if (node->kind != PinKind::kDirectory || from == to) return;
  --from->links;
  ++to->links;
  node->parent = to;
}

/// Whether the node at the destination may be overwritten by the source.
Result<void> check_overwrite(const PinTree::Node& source, const PinTree::Node& target) {
  const bool from_directory = source.kind == PinKind::kDirectory, to_directory = target.kind == PinKind::kDirectory;
  if (from_directory && !to_directory) return Errno::kNotDir;
  if (!from_directory && to_directory) return Errno::kIsDir;
  if (to_directory && !target.entries.empty()) return Errno::kNotEmpty;
  return {};
}

}  // namespace

Result<void> PinTree::rename(const PinPath& from, const PinPath& to, const PinIdentity& who,
                             std::uint32_t flags) {
  if (flags != 0 && flags != RENAME_NOREPLACE && flags != RENAME_EXCHANGE) return Errno::kInval;
  const bool exchange = flags == RENAME_EXCHANGE;
  std::vector<UserRef<Object>> released;  // declared first: dropped after the lock
  MutexLock lock(mutex_);
  const Spot source = RING3_TRY(find_spot(from, who, false));
  const Spot target = RING3_TRY(find_spot(to, who, false));
  if (!source.node) return Errno::kNoEnt;
  if (source.name.empty() || target.name.empty()) return Errno::kBusy;  // a root, "." or ".."
  if (flags == RENAME_NOREPLACE && target.node) return Errno::kExist;
  if (exchange && !target.node) return Errno::kNoEnt;
  if (source.node == target.node) return {};  // two names of one file: nothing to do
  if (!target.node && target.trailing_slash && source.node->kind != PinKind::kDirectory) return Errno::kNotDir;

  if (is_ancestor(source.node, target.directory)) return Errno::kInval;
  if (target.node && is_ancestor(target.node, source.directory)) return exchange ? Errno::kInval : Errno::kNotEmpty;
  constexpr mode_t kChange = pin_rules::kWrite | pin_rules::kSearch;
  if (!pin_rules::may(*source.directory, who, kChange) || !pin_rules::may(*target.directory, who, kChange))
    return Errno::kAcces;
  if (!pin_rules::may_remove(*source.directory, *source.node, who)) return Errno::kPerm;
  if (target.node && !pin_rules::may_remove(*target.directory, *target.node, who)) return Errno::kPerm;

  if (source.directory != target.directory) {
    const bool stays = source.node->kind == PinKind::kDirectory && !pin_rules::may(*source.node, who, pin_rules::kWrite);
    const bool other_stays = exchange && target.node->kind == PinKind::kDirectory && !pin_rules::may(*target.node, who, pin_rules::kWrite);
    if (stays || other_stays) return Errno::kAcces;  // another parent changes a directory itself: its ".."
  }

  if (exchange) {
    source.directory->entries[source.name] = target.node;
    target.directory->entries[target.name] = source.node;
    moved(target.node, target.directory, source.directory);
  } else {
    if (target.node) {
      RING3_TRY(check_overwrite(*source.node, *target.node));
      remove_entry(target, released);
    }
    source.directory->entries.erase(source.name);
    target.directory->entries[target.name] = source.node;
  }
  moved(source.node, source.directory, target.directory);
  const std::int64_t now = pin_rules::now_ns();
  source.directory->modified_ns = source.directory->changed_ns = now;
  target.directory->modified_ns = target.directory->changed_ns = now;
  source.node->changed_ns = now;
  return {};
}

}  // namespace ring3::syscall
