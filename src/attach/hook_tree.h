// Hooks along a tree (behaviour.md D.5.7), with the rules Linux has for cgroups: programs at a node stand for what happens in
// it and below it.
//
// A node's programs of one kind are attached in one of three modes: alone (neither flag), alone until a node below has one of its own
// (BPF_F_ALLOW_OVERRIDE), or as one of several (BPF_F_ALLOW_MULTI). Its effective list is made of its own programs and those of its
// ancestors: an ancestor's count if nothing below it does, or if it allows several. Nodes below run before those above,
// BPF_F_PREORDER programs before all others and from the root down.
//
// Runs see a whole list: a change makes the lists of the node and everything below it first, and publishes them then; nothing
// changes when memory is short. Locking: one mutex for the tree, below those of its links; runs are inside a read section.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "attach/link.h"
#include "attach/turn.h"
#include "base/mutex.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::attach {

struct TreeKind {
  uapi::bpf_attach_type attach;
  uapi::bpf_prog_type program;
  bool congestion;  // bit 1 of an answer says that the sender should slow down; else any answer but 0 allows
};
inline constexpr std::size_t kTreeKinds = 3;
extern const std::array<TreeKind, kTreeKinds> kTreeKind;

/// Null: no hook of a tree has this attach type.
const TreeKind* find_tree_kind(std::uint32_t attach_type);

inline constexpr std::uint32_t kTreeModes = uapi::BPF_F_ALLOW_OVERRIDE | uapi::BPF_F_ALLOW_MULTI;
inline constexpr std::uint32_t kTreeFlags = kTreeModes | uapi::BPF_F_REPLACE | uapi::BPF_F_PREORDER;
inline constexpr std::size_t kMostAtNode = 64;

/// What clients name a node by: the file that stands for it.
struct NodeFile {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const NodeFile&) const = default;
};

/// What all programs together answered.
struct TreeAnswer {
  bool allowed = true;
  bool congested = false;
};

class HookTree;

class TreeNode {
 public:
  TreeNode(NodeFile file, TreeNode* parent) : file_(file), parent_(parent) {}
  TreeNode(const TreeNode&) = delete;
  TreeNode& operator=(const TreeNode&) = delete;
  ~TreeNode();

  const NodeFile& file() const { return file_; }
  /// Every effective program runs, whatever the others answer. Any thread.
  TreeAnswer run(const TreeKind& kind, void* ctx) const noexcept;

 private:
  friend class HookTree;
  struct Entry {
    Ref<prog::Program> program;
    Link* link;  // owner; null: attached by itself
    std::uint32_t link_id;
    std::uint32_t flags;  // the mode, and BPF_F_PREORDER
  };
  struct Effective {
    rcu::Deferred retired;  // first: the deferred call gets its address
    std::vector<Turn> turns;
  };
  struct Place {
    std::vector<Entry> entries;
    std::uint32_t mode = 0;
    std::atomic<Effective*> effective{nullptr};
    void publish(std::unique_ptr<Effective> next) noexcept;
  };

  const NodeFile file_;
  // Under the tree's mutex, but for Place::effective.
  TreeNode* const parent_;  // outlives this node's being in the tree; null: a root
  std::vector<TreeNode*> children_;
  std::array<Place, kTreeKinds> places_;
  bool in_tree_ = true;
};

/// The nodes of one runtime. Thread-safe.
class HookTree {
 public:
  HookTree() = default;
  ~HookTree();
  HookTree(const HookTree&) = delete;
  HookTree& operator=(const HookTree&) = delete;

  /// A node starts with what its ancestors have. parent null: a root. Errors: kExist the file stands for a node already; kNoEnt
  /// the parent was removed.
  Result<std::shared_ptr<TreeNode>> add(NodeFile file, const std::shared_ptr<TreeNode>& parent);
  /// What is attached goes, links become detached. Errors: kBusy there are nodes below it; kNoEnt it was removed already.
  Result<void> remove(TreeNode& node);
  /// Null: no node.
  std::shared_ptr<TreeNode> find(NodeFile file) const;
  bool empty() const;

  struct Wish {
    Ref<prog::Program> program;
    Link* link = nullptr;                     // who owns it; then flags have BPF_F_ALLOW_MULTI
    const prog::Program* replaced = nullptr;  // with BPF_F_REPLACE
    std::uint32_t flags = 0;                  // of kTreeFlags
  };
  /// Errors: kInval flags that exclude each other, a program that is here already; kPerm an ancestor allows none below it, or what
  /// is here is in another mode; kTooBig 64 are here; kNoEnt `replaced` is not here, or the node was removed.
  Result<void> attach(TreeNode& node, const TreeKind& kind, Wish wish);
  /// program, link null: the one that is here, whichever; not where several may be. Errors: kNoEnt; kInval none named among several.
  Result<void> detach(TreeNode& node, const TreeKind& kind, const prog::Program* program, const Link* link);
  /// A link goes, for good: its program gets no further turn. Allocates where it can and does without where it cannot.
  void leave(TreeNode& node, const TreeKind& kind, const Link* link) noexcept;
  /// Another program for a link, in its place. Errors: kNoLink the node was removed; kNoEnt.
  Result<void> update(TreeNode& node, const TreeKind& kind, const Link* link, Ref<prog::Program> next);

  struct View {
    std::uint32_t mode = 0;
    std::vector<std::uint32_t> programs, flags;
  };
  /// effective: ids alone, in the order of a run.
  View view(const TreeNode& node, const TreeKind& kind, bool effective) const;
  bool has(const TreeNode& node) const;

 private:
  using Entries = std::vector<TreeNode::Entry>;
  static bool ancestors_allow(const TreeNode& node, std::size_t kind);
  static Result<std::size_t> place_of(const TreeNode::Place& place, const Wish& wish);
  static std::unique_ptr<TreeNode::Effective> effective_of(const TreeNode& node, std::size_t kind);
  /// The node's entries become these, and every effective list what follows. std::bad_alloc: nothing has changed.
  void commit(TreeNode& node, std::size_t kind, Entries entries, std::uint32_t mode) RING3_REQUIRES(mutex_);
  /// New effective lists for the node and everything below. std::bad_alloc: nothing has changed.
  static void publish_below(TreeNode& node, std::size_t kind);
  static void take_turns(TreeNode& node, std::size_t kind, const Link* link) noexcept;

  mutable Mutex mutex_;
  std::vector<std::shared_ptr<TreeNode>> nodes_ RING3_GUARDED_BY(mutex_);
};

/// A link at a node: unpublished, pending, one reference. The program is of the kind's type. flags: 0 or BPF_F_PREORDER.
Ref<Link> create_tree_link(HookTree& tree, std::shared_ptr<TreeNode> node, const TreeKind& kind, Ref<prog::Program> program,
                           std::uint32_t flags, Birth birth);

}  // namespace ring3::attach
