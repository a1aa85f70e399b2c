// Links at the nodes of a tree. One whose node was removed is detached, and answers as one that was.
#include <utility>

#include "attach/hook_tree.h"
#include "base/try.h"

namespace ring3::attach {
namespace {

class TreeLink final : public Link {
 public:
  TreeLink(const LinkOps& ops, HookTree& tree, std::shared_ptr<TreeNode> node, const TreeKind& kind, Ref<prog::Program> program,
           std::uint32_t flags, Birth birth, ObjectTable& table)
      : Link(ops, static_cast<std::uint32_t>(kind.attach), std::move(program), table, birth),
        tree_(tree),
        node_(std::move(node)),
        kind_(kind),
        flags_(flags) {}

  const TreeNode& node() const { return *node_; }

  Result<void> take_place() RING3_REQUIRES(mutex_) {
    return tree_.attach(*node_, kind_, {.program = program(), .link = this, .flags = flags_ | uapi::BPF_F_ALLOW_MULTI});
  }
  void leave() noexcept { tree_.leave(*node_, kind_, this); }
  Result<void> replace(Ref<Object> next, const Ref<Object>& expected) RING3_REQUIRES(mutex_) {
    if (static_cast<const prog::Program&>(*next).type() != program()->type()) return Errno::kInval;
    if (expected && !(expected == target_locked())) return Errno::kPerm;
    RING3_TRY(tree_.update(*node_, kind_, this, ref_cast<prog::Program>(next)));
    set_target_locked(std::move(next));
    return {};
  }

 private:
  Ref<prog::Program> program() const RING3_REQUIRES(mutex_) { return ref_cast<prog::Program>(target_locked()); }

  HookTree& tree_;
  const std::shared_ptr<TreeNode> node_;
  const TreeKind& kind_;
  const std::uint32_t flags_;
};

TreeLink& tree_link(Link& link) { return static_cast<TreeLink&>(link); }

// Callbacks run under the link's mutex, which the analysis cannot see through a function pointer.
void release(Link& l) noexcept { tree_link(l).leave(); }

const LinkOps kTreeLink = {
    .type = uapi::BPF_LINK_TYPE_CGROUP,
    .name = "cgroup",
    .attach = [](Link& l) RING3_NO_THREAD_SAFETY_ANALYSIS { return tree_link(l).take_place(); },
    .release = &release,
    .detach =
        [](Link& l) {
          tree_link(l).leave();
          return Result<void>();
        },
    .update_prog = [](Link& l, Ref<Object> next, Ref<Object> expected,
                      std::uint32_t) RING3_NO_THREAD_SAFETY_ANALYSIS { return tree_link(l).replace(std::move(next), expected); },
    .fill_info =
        [](const Link& link, uapi::bpf_link_info& info) {
          const bool there = link.state() != LinkState::kDetached;
          info.cgroup.cgroup_id = there ? static_cast<const TreeLink&>(link).node().file().inode : 0;
          info.cgroup.attach_type = link.attach_type();
        },
};

}  // namespace

Ref<Link> create_tree_link(HookTree& tree, std::shared_ptr<TreeNode> node, const TreeKind& kind, Ref<prog::Program> program,
                           std::uint32_t flags, Birth birth) {
  ObjectTable& table = program->table();
  return Ref<Link>(Ref<TreeLink>::adopt(
      new TreeLink(kTreeLink, tree, std::move(node), kind, std::move(program), flags, birth, table)));
}

}  // namespace ring3::attach
