#include "exec/packet.h"

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "base/fault_point.h"
#include "exec/kfunc_table.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class PacketTest : public HelperTest {
 protected:
  PacketTest() {
    std::vector<std::byte> bytes(64);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
    packet_ = Packet::make(bytes, 32, 16).value();
  }
  std::uint64_t ctx() { return reg(&packet_->record()); }
  int at(std::size_t i) { return static_cast<int>(packet_->bytes()[i]); }
  std::unique_ptr<Packet> packet_;
};

TEST_F(PacketTest, HeadMovesInsideItsRoom) {
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), 14), 0);
  EXPECT_EQ(at(0), 14);
  EXPECT_EQ(packet_->bytes().size(), 50u);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), -46), 0);
  EXPECT_EQ(packet_->bytes().size(), 96u);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), -1), -22);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), 96 - 13), -22);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), INT32_MIN), -22);
  EXPECT_EQ(packet_->bytes().size(), 96u);
}

TEST_F(PacketTest, TailGrowsWithZerosAndShrinks) {
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), 16), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_get_buff_len, ctx()), 80);
  EXPECT_EQ(at(79), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), 1), -22);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), -66), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), -1), -22);
}

TEST_F(PacketTest, MetadataMovesWithTheHead) {
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_meta, ctx(), -8), 0);
  std::memcpy(packet_->record().data_meta, "metadata", 8);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), 20), 0);
  EXPECT_EQ(std::memcmp(packet_->metadata().data(), "metadata", 8), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_head, ctx(), -45), -22);  // would push the metadata out
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_meta, ctx(), -3), -13);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_meta, ctx(), -200), -22);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_meta, ctx(), 9), -22);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_meta, ctx(), 8), 0);
  EXPECT_TRUE(packet_->metadata().empty());
}

TEST_F(PacketTest, BytesAreCopiedInsideOnly) {
  std::uint8_t to[4] = {9, 9, 9, 9};
  EXPECT_EQ(call(BPF_FUNC_skb_load_bytes, ctx(), 60, to, 4), 0);
  EXPECT_EQ(to[3], 63);
  EXPECT_EQ(call(BPF_FUNC_skb_load_bytes, ctx(), 61, to, 4), -14);
  EXPECT_EQ(to[0] | to[3], 0);
  EXPECT_EQ(call(BPF_FUNC_skb_load_bytes, ctx(), 0xfffffffe, to, 4), -14);
  to[0] = to[3] = 9;
  EXPECT_EQ(call(BPF_FUNC_xdp_load_bytes, ctx(), 61, to, 4), -22);
  EXPECT_EQ(to[0] | to[3], 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_load_bytes, ctx(), 0, to, 4), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_store_bytes, ctx(), 10, "abcd", 4), 0);
  EXPECT_EQ(at(13), 'd');
  EXPECT_EQ(call(BPF_FUNC_xdp_store_bytes, ctx(), 61, "abcd", 4), -22);
  EXPECT_EQ(call(BPF_FUNC_skb_store_bytes, ctx(), 0, "wxyz", 4, 3), 0);
  EXPECT_EQ(call(BPF_FUNC_skb_store_bytes, ctx(), 0, "wxyz", 4, 4), -22);
  EXPECT_EQ(call(BPF_FUNC_skb_store_bytes, ctx(), 64, "w", 1, 0), -14);
  EXPECT_EQ(call(BPF_FUNC_skb_pull_data, ctx(), 64), 0);
  EXPECT_EQ(call(BPF_FUNC_skb_pull_data, ctx(), 65), -12);
}

TEST_F(PacketTest, ChecksumDifferences) {
  const std::uint32_t old_words[] = {0x11111111, 0x22222222};
  const std::uint32_t new_words[] = {0x11111111, 0x33333333};
  EXPECT_EQ(call(BPF_FUNC_csum_diff, nullptr, 0, new_words, 8, 0), 0x44444444);
  // old + (new - old) = new
  const std::int64_t before = call(BPF_FUNC_csum_diff, nullptr, 0, old_words, 8, 0);
  EXPECT_EQ(call(BPF_FUNC_csum_diff, old_words, 8, new_words, 8, before),
            call(BPF_FUNC_csum_diff, nullptr, 0, new_words, 8, 0));
  EXPECT_EQ(call(BPF_FUNC_csum_diff, old_words, 6, nullptr, 0, 0), -22);
  EXPECT_EQ(call(BPF_FUNC_csum_diff, nullptr, 0, old_words, 516, 0), -22);
}

TEST_F(PacketTest, LegacyLoadsCountFromHeaders) {
  const auto load = [&](std::int32_t off) {
    return call(rewrite::kPacketLoadHelper | 2, ctx(), static_cast<std::uint32_t>(off));
  };
  EXPECT_EQ(load(62), 62 << 8 | 63);
  EXPECT_LT(load(63), 0);
  EXPECT_LT(load(-0x200000), 0) << "no header is known";
  packet_->record().link_layer = packet_->record().data;
  packet_->record().network = packet_->record().data + 14;
  EXPECT_EQ(load(-0x200000), 1);
  EXPECT_EQ(load(-0x200000 + 62), 62 << 8 | 63);
  EXPECT_LT(load(-0x200000 + 63), 0);
  EXPECT_EQ(load(-0x100000), 14 << 8 | 15);
  EXPECT_LT(load(-1), 0);
  EXPECT_LT(load(-0x200001), 0);
}

TEST_F(PacketTest, RoomInFrontIsZeroAndBounded) {
  packet_->record().abi.skb.len = 64;
  EXPECT_EQ(call(BPF_FUNC_skb_change_head, ctx(), 14, 1), -22);
  EXPECT_EQ(call(BPF_FUNC_skb_change_head, ctx(), 33, 0), -12);
  EXPECT_EQ(packet_->bytes().size(), 64u);
  EXPECT_EQ(call(BPF_FUNC_skb_change_head, ctx(), 32, 0), 0);
  EXPECT_EQ(packet_->bytes().size(), 96u);
  EXPECT_EQ(packet_->record().abi.skb.len, 96u);
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(33), 1);
}

TEST_F(PacketTest, HashIsMadeOnceAndMayBeSet) {
  const auto hash = call(BPF_FUNC_get_hash_recalc, ctx());
  EXPECT_NE(hash, 0);
  EXPECT_EQ(call(BPF_FUNC_get_hash_recalc, ctx()), hash);
  EXPECT_EQ(call(BPF_FUNC_set_hash, ctx(), 7), 0);
  EXPECT_EQ(call(BPF_FUNC_get_hash_recalc, ctx()), 7);
  EXPECT_EQ(call(BPF_FUNC_set_hash_invalid, ctx()), 0);
  EXPECT_EQ(call(BPF_FUNC_get_hash_recalc, ctx()), hash);
  EXPECT_EQ(call(BPF_FUNC_csum_update, ctx(), 5), -524);
}

TEST_F(PacketTest, TagsGoInsideOneByOneAndComeOutAgain) {
  uapi::__sk_buff& skb = packet_->record().abi.skb;
  skb.len = 64;
  skb.protocol = 0x0008;  // IPv4
  const std::vector<std::byte> before(packet_->bytes().begin(), packet_->bytes().end());
  EXPECT_EQ(call(BPF_FUNC_skb_vlan_push, ctx(), 1, 2), 0);  // no protocol of tags: 802.1Q
  EXPECT_EQ(packet_->bytes().size(), 64u);
  EXPECT_EQ(skb.vlan_present, 1u);
  EXPECT_EQ(skb.vlan_proto, 0x0081u);
  EXPECT_EQ(skb.vlan_tci, 2u);
  EXPECT_EQ(call(BPF_FUNC_skb_vlan_push, ctx(), 0xa888, 3), 0);
  EXPECT_EQ(packet_->bytes().size(), 68u);
  EXPECT_EQ(skb.len, 68u);
  EXPECT_EQ(at(12), 0x81);
  EXPECT_EQ(at(15), 2);
  EXPECT_EQ(skb.vlan_tci, 3u);
  EXPECT_EQ(call(BPF_FUNC_skb_vlan_pop, ctx()), 0);
  EXPECT_EQ(skb.vlan_proto, 0x0081u);
  EXPECT_EQ(skb.vlan_tci, 2u);
  EXPECT_EQ(call(BPF_FUNC_skb_vlan_pop, ctx()), 0);
  EXPECT_EQ(skb.vlan_present, 0u);
  EXPECT_EQ(call(BPF_FUNC_skb_vlan_pop, ctx()), 0);  // none is left
  EXPECT_TRUE(std::equal(before.begin(), before.end(), packet_->bytes().begin(), packet_->bytes().end()));
}

TEST_F(PacketTest, TagsEndWithTheRoom) {
  int pushed = 0;
  while (pushed < 100 && call(BPF_FUNC_skb_vlan_push, ctx(), 0x0081, 1) == 0) ++pushed;
  EXPECT_EQ(pushed, 9);  // one beside the packet, eight in 32 bytes
}

TEST_F(PacketTest, FramesOfSeveralBuffers) {
  std::vector<std::byte> bytes(9000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 251);
  packet_ = Packet::make_frame(bytes, 8).value();
  EXPECT_EQ(packet_->metadata().size(), 8u);
  EXPECT_EQ(packet_->bytes().size(), kFirstBufferBytes);
  EXPECT_EQ(packet_->more().size(), 9000 - 8 - kFirstBufferBytes);
  EXPECT_EQ(call(BPF_FUNC_xdp_get_buff_len, ctx()), 9000 - 8);
  std::byte to[16];
  EXPECT_EQ(call(BPF_FUNC_xdp_load_bytes, ctx(), kFirstBufferBytes - 5, to, 16), 0);
  EXPECT_TRUE(std::equal(to, to + 16, bytes.begin() + 8 + kFirstBufferBytes - 5));
  EXPECT_EQ(call(BPF_FUNC_xdp_store_bytes, ctx(), kFirstBufferBytes - 3, "0123456", 7), 0);
  EXPECT_EQ(std::memcmp(packet_->record().data_end - 3, "012", 3), 0);
  EXPECT_EQ(std::memcmp(packet_->more().data(), "3456", 4), 0);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), -static_cast<int>(packet_->more().size()) - 1), 0);
  EXPECT_TRUE(packet_->more().empty());
  EXPECT_EQ(packet_->bytes().size(), kFirstBufferBytes - 1);
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), 1), 0) << "in the one buffer again";
  EXPECT_EQ(call(BPF_FUNC_xdp_adjust_tail, ctx(), 1), -22);
}

TEST_F(PacketTest, SlicesAcrossBuffersAreCopies) {
  packet_ = Packet::make_frame(std::vector<std::byte>(9000, std::byte{7}), 0).value();
  alignas(8) std::byte dynptr[16];
  std::byte buffer[16] = {};
  const auto kfunc = [&](const char* name, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4) {
    return find_own_kfunc(name)(r1, r2, r3, r4, 0, run_);
  };
  ASSERT_EQ(kfunc("bpf_dynptr_from_xdp", ctx(), 0, reg(dynptr), 0), 0u);
  EXPECT_EQ(kfunc("bpf_dynptr_size", reg(dynptr), 0, 0, 0), 9000u);
  const auto slice = [&](std::uint64_t off, std::uint64_t into) { return kfunc("bpf_dynptr_slice_rdwr", reg(dynptr), off, into, 16); };
  EXPECT_EQ(slice(0, reg(buffer)), reg(packet_->record().data));
  EXPECT_EQ(slice(kFirstBufferBytes, reg(buffer)), reg(packet_->record().more));
  EXPECT_EQ(buffer[0], std::byte{0});
  EXPECT_EQ(slice(kFirstBufferBytes - 1, reg(buffer)), reg(buffer));
  EXPECT_EQ(buffer[15], std::byte{7});
  EXPECT_EQ(slice(kFirstBufferBytes + kBufferBytes - 1, reg(buffer)), reg(buffer));
  EXPECT_EQ(slice(kFirstBufferBytes - 1, 0), 0u) << "nowhere to copy it to";
  EXPECT_EQ(slice(9000 - 15, reg(buffer)), 0u);
}

TEST_F(PacketTest, NoMemoryIsSaid) {
  FaultInjection inject(0);
  EXPECT_EQ(Packet::make({}).error(), Errno::kNoMem);
}

}  // namespace
}  // namespace ring3::exec
