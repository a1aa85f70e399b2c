#include "ring3/hook.h"

#include <cstring>
#include <new>

#include "attach/hook.h"
#include "base/try.h"
#include "exec/packet.h"
#include "ring3/runtime.h"
#include "runtime/runtime_impl.h"

namespace ring3 {

static_assert(static_cast<int>(HookKind::kXdp) == uapi::BPF_XDP);
static_assert(static_cast<int>(HookKind::kTcxIngress) == uapi::BPF_TCX_INGRESS);
static_assert(static_cast<int>(HookKind::kTcxEgress) == uapi::BPF_TCX_EGRESS);
static_assert(static_cast<int>(HookKind::kNetkitPrimary) == uapi::BPF_NETKIT_PRIMARY);
static_assert(static_cast<int>(HookKind::kNetkitPeer) == uapi::BPF_NETKIT_PEER);

Result<Hook> Hook::add(Runtime& runtime, const HookDef& def) {
  try {
    return Hook(runtime, RING3_TRY(
        runtime.impl().kernel().hooks().add(static_cast<std::uint32_t>(def.kind), def.device, def.name, def.chain)));
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

Result<void> Hook::remove() {
  try {
    return runtime_->impl().kernel().hooks().remove(*point_);
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

namespace {

void describe(std::span<const std::byte> packet, std::uint32_t ifindex, uapi::__sk_buff& skb) {
  skb.len = skb.wire_len = static_cast<std::uint32_t>(packet.size());
  skb.ifindex = ifindex;
  std::uint16_t protocol = 0;  // stays in network order
  std::memcpy(&protocol, packet.data() + exec::kEthernetHeader - sizeof protocol, sizeof protocol);
  skb.protocol = protocol;
}

}  // namespace

Result<std::uint32_t> Hook::run(std::span<const std::byte> packet, std::vector<std::byte>* left) const {
  if (packet.size() < exec::kEthernetHeader) return Errno::kInval;
  const bool is_frame = point_->kind().attach == uapi::BPF_XDP;
  auto copy = RING3_TRY(is_frame ? exec::Packet::make_frame(packet, 0) : exec::Packet::make(packet));
  if (is_frame) copy->record().abi.xdp.ingress_ifindex = point_->ifindex();
  else describe(packet, point_->ifindex(), copy->record().abi.skb);
  const std::uint32_t answer = point_->run(&copy->record());
  if (left == nullptr) return answer;
  try {
    left->assign(copy->bytes().begin(), copy->bytes().end());
    left->insert(left->end(), copy->more().begin(), copy->more().end());
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
  return answer;
}

std::size_t Hook::size() const { return point_->list().view().entries.size(); }

}  // namespace ring3
