// Hooks: places of the host where clients attach programs one after the other, as they do at a network device of Linux
// (tcx, netkit), one alone (XDP), or along a tree, as they do at its cgroups. The host makes them, clients order their programs there (LINK_CREATE,
// PROG_ATTACH, PROG_QUERY), and the host runs them on packets of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ring3/result.h"

namespace ring3 {

class Runtime;

namespace attach {
class HookPoint;
class TreeNode;
}

/// By Linux's attach types. kXdp: one program, held by a link; it is asked before anything is known of a frame.
enum class HookKind : std::uint32_t { kXdp = 37, kTcxIngress = 46, kTcxEgress = 47, kNetkitPrimary = 54, kNetkitPeer = 55 };

struct HookDef {
  HookKind kind = HookKind::kTcxIngress;
  std::uint32_t device = 0;  // the number clients name it by (ifindex); not 0
  std::string name = {};     // for people
  /// kXdp only: not one program but many, as libxdp's dispatchers compose them. Each link's program runs by the priority its BTF states in
  /// section .xdp_run_config, then by name, and the next one runs after the answers stated there (50 and XDP_PASS if it says nothing).
  bool chain = false;
};

/// What programs answer when they leave the decision to the next one, and what run() gives when all did, or there is none. A chain of which no
/// program decided answers XDP_PASS.
inline constexpr std::uint32_t kHookNext = UINT32_MAX;

/// One such place; stays until it is removed, or as long as its runtime. Copies mean the same place.
class Hook {
 public:
  /// Makes a place. Errors: kInval device 0, another kind, or a chain of another kind than kXdp; kExist the device has it already.
  static Result<Hook> add(Runtime& runtime, const HookDef& def);

  /// Takes the place away, as when a device goes: programs run no more, links become detached (LINK_UPDATE: ENOLINK), clients find no such
  /// device (ENODEV). Not after the runtime's end. Errors: kNoEnt it was removed already; kNoMem, and nothing has changed.
  Result<void> remove();

  /// Runs what is attached, in order, on a copy of a packet that starts with its link-layer header (at least 14 bytes);
  /// the first answer other than kHookNext is the result. left: what the programs made of the packet; null: not wanted.
  /// Thread-safe; never blocks unless a program does. Errors: kInval a packet without a header; kNoMem.
  Result<std::uint32_t> run(std::span<const std::byte> packet, std::vector<std::byte>* left = nullptr) const;
  /// Programs that are attached now.
  std::size_t size() const;

 private:
  Hook(Runtime& runtime, std::shared_ptr<attach::HookPoint> point) : runtime_(&runtime), point_(std::move(point)) {}
  Runtime* runtime_;
  std::shared_ptr<attach::HookPoint> point_;
};

/// Hooks that every node of a tree has, by the attach types of Linux's cgroups.
enum class NodeHook : std::uint32_t {
  kIngress = 0,  ///< BPF_CGROUP_INET_INGRESS: a packet comes in
  kEgress = 1,   ///< BPF_CGROUP_INET_EGRESS: a packet goes out
  kDevice = 6,   ///< BPF_CGROUP_DEVICE: something numbered is about to be used
};

struct HookNodeDef {
  /// A descriptor of the file that stands for the node: clients name the node by a descriptor of the same file, as they do with the
  /// directories of cgroups. A directory they can open, or a file whose descriptor they are given. Not kept, but the file stays
  /// where it is as long as the node.
  int file = -1;
};

/// What all programs together answered: every one of them ran.
struct NodeAnswer {
  bool allowed = true;     ///< none answered 0 (kEgress: an even number)
  bool congested = false;  ///< kEgress: one answered 2 or 3
};

/// A node of a host's tree of hooks: programs there stand for what happens in it and below it, with the rules of cgroups (none,
/// BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI, BPF_F_PREORDER). Copies mean the same node. Not used after its runtime.
class HookNode {
 public:
  /// Makes a node below `parent`, or a root. What the ancestors have holds for it at once.
  /// Errors: kBadF no open descriptor; kExist the file stands for a node already; kNoEnt the parent was removed; kNoMem.
  static Result<HookNode> add(Runtime& runtime, const HookNodeDef& def, const HookNode* parent = nullptr);

  /// Takes the node away; its links become detached. Errors: kBusy there are nodes below it; kNoEnt it was removed already.
  Result<void> remove();

  /// Runs the node's programs and its ancestors' on a copy of a packet that starts with its link-layer header (at least 14 bytes).
  /// Thread-safe; never blocks. Errors: kInval a packet without a header, or kDevice; kNoMem.
  Result<NodeAnswer> run(NodeHook hook, std::span<const std::byte> packet) const;
  /// kDevice: may this be done? access: what and how, as in struct bpf_cgroup_dev_ctx (kind in the lower half, rights in the upper).
  NodeAnswer run_device(std::uint32_t access, std::uint32_t major, std::uint32_t minor) const noexcept;
  /// What clients see as the cgroup's id: the file's inode.
  std::uint64_t id() const noexcept;

 private:
  HookNode(Runtime& runtime, std::shared_ptr<attach::TreeNode> node) : runtime_(&runtime), node_(std::move(node)) {}
  Runtime* runtime_;
  std::shared_ptr<attach::TreeNode> node_;
};

}  // namespace ring3
