#include <array>

#include "exec/packet.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class NetworkTest : public HelperTest {
 protected:
  std::unique_ptr<Packet> packet_ = Packet::make(std::array<std::byte, 64>{}).value();
  std::uint64_t ctx() { return reg(&packet_->record()); }
};

TEST_F(NetworkTest, NoLookupFindsASocket) {
  std::array<std::uint8_t, 36> tuple{};
  for (const std::uint32_t id : {BPF_FUNC_sk_lookup_tcp, BPF_FUNC_sk_lookup_udp, BPF_FUNC_skc_lookup_tcp})
    EXPECT_EQ(call(id, ctx(), tuple.data(), 12, -1, 0), 0);
  EXPECT_EQ(call(BPF_FUNC_get_socket_cookie, ctx()), 0);
  EXPECT_EQ(call(BPF_FUNC_get_socket_uid, ctx()), 65534);
}

TEST_F(NetworkTest, NoRouteLeadsAnywhere) {
  std::array<std::uint8_t, 64> params{2};
  EXPECT_EQ(call(BPF_FUNC_fib_lookup, ctx(), params.data(), 64, 0), -19);
  EXPECT_EQ(call(BPF_FUNC_fib_lookup, ctx(), params.data(), 63, 0), -22);
  EXPECT_EQ(call(BPF_FUNC_fib_lookup, ctx(), params.data(), 64, 0x40), -22);
  params[0] = 1;
  EXPECT_EQ(call(BPF_FUNC_fib_lookup, ctx(), params.data(), 64, 0), -97);
}

}  // namespace
}  // namespace ring3::exec
