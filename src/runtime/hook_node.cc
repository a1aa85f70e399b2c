#include <cerrno>
#include <cstring>
#include <new>

#include <sys/stat.h>

#include "attach/hook_tree.h"
#include "base/try.h"
#include "exec/packet.h"
#include "ring3/hook.h"
#include "ring3/runtime.h"
#include "runtime/runtime_impl.h"

namespace ring3 {

static_assert(static_cast<int>(NodeHook::kIngress) == uapi::BPF_CGROUP_INET_INGRESS);
static_assert(static_cast<int>(NodeHook::kEgress) == uapi::BPF_CGROUP_INET_EGRESS);
static_assert(static_cast<int>(NodeHook::kDevice) == uapi::BPF_CGROUP_DEVICE);

Result<HookNode> HookNode::add(Runtime& runtime, const HookNodeDef& def, const HookNode* parent) {
  struct stat file;
  if (::fstat(def.file, &file) != 0) return Errno::kBadF;
  try {
    return HookNode(runtime, RING3_TRY(runtime.impl().kernel().hook_tree().add(
                                 {file.st_dev, file.st_ino}, parent != nullptr ? parent->node_ : nullptr)));
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

Result<void> HookNode::remove() {
  try {
    return runtime_->impl().kernel().hook_tree().remove(*node_);
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

Result<NodeAnswer> HookNode::run(NodeHook hook, std::span<const std::byte> packet) const {
  const attach::TreeKind* kind = attach::find_tree_kind(static_cast<std::uint32_t>(hook));
  if (kind == nullptr || hook == NodeHook::kDevice || packet.size() < exec::kEthernetHeader) return Errno::kInval;
  auto copy = RING3_TRY(exec::Packet::make(packet));
  rewrite::PacketRecord& record = copy->record();
  // Such programs see a packet from the network header on.
  record.link_layer = record.data;
  record.network = record.data = record.data_meta = record.link_layer + exec::kEthernetHeader;
  uapi::__sk_buff& skb = record.abi.skb;
  skb.wire_len = static_cast<std::uint32_t>(packet.size());
  skb.len = static_cast<std::uint32_t>(packet.size() - exec::kEthernetHeader);
  std::uint16_t protocol = 0;  // stays in network order
  std::memcpy(&protocol, packet.data() + exec::kEthernetHeader - sizeof protocol, sizeof protocol);
  skb.protocol = protocol;
  const attach::TreeAnswer answer = node_->run(*kind, &record);
  return NodeAnswer{answer.allowed, answer.congested};
}

NodeAnswer HookNode::run_device(std::uint32_t access, std::uint32_t major, std::uint32_t minor) const noexcept {
  std::uint32_t context[] = {access, major, minor};  // struct bpf_cgroup_dev_ctx
  const attach::TreeAnswer answer = node_->run(*attach::find_tree_kind(uapi::BPF_CGROUP_DEVICE), context);
  return {answer.allowed, answer.congested};
}

std::uint64_t HookNode::id() const noexcept { return node_->file().inode; }

}  // namespace ring3
