// behaviour.md A.5: links, and what becomes of them when clients die.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/link.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

/// A descriptor that polls as the link does. The link's own is a memfd: epoll on that is the supervisor's part.
int poll_fd(Runtime& runtime, std::uint32_t link_id) {
  auto found = runtime.impl().objects().find(ObjectKind::kLink, link_id);
  EXPECT_TRUE(found.ok());
  return static_cast<attach::Link*>(found->get())->poll_fd().value();
}
short events(int fd) {
  pollfd p{fd, POLLIN, 0};
  ::poll(&p, 1, 0);
  return p.revents;
}

TEST_F(StructOps, A_01_LoadAttachCall) {
  const long map = ready_map();
  const long link = bpf().link(map);
  ASSERT_GT(link, 0);
  EXPECT_EQ(call_add(40, 2), 42);
  EXPECT_EQ(call_sub(40, 42), -2);
  const uapi::bpf_link_info info = bpf().link_info(link);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_STRUCT_OPS));
  EXPECT_EQ(info.struct_ops.map_id, bpf().map_info(map).id);
  EXPECT_EQ(info.prog_id, 0u);
}

TEST_F(StructOps, A_14_LinkNeedsAReadyMap) {
  EXPECT_EQ(bpf().link(bpf().ops_map("calc_ops", uapi::BPF_F_LINK)), -EINVAL);
  const long classic = bpf().ops_map("calc_ops", 0);
  EXPECT_EQ(bpf().link(classic), -EINVAL);
  const CalcValue v = both();
  ASSERT_EQ(bpf().update(classic, &v), 0);
  EXPECT_EQ(bpf().link(classic), -EINVAL);
  uapi::bpf_attr array = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1);
  EXPECT_EQ(bpf().link(bpf().create(array)), -EINVAL);
}

TEST_F(StructOps, A_15_KilledClient) {
  const long map = ready_map();
  const long link = bpf().link(map);
  ASSERT_GT(link, 0);
  // The child is the only holder of the link's descriptor from here on.
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  bpf().close(link);
  EXPECT_EQ(calc_.unregistered, 0);
  EXPECT_EQ(call_add(1, 1), 2);
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u);
  EXPECT_GT(bpf().link(map), 0);
  EXPECT_EQ(calc_.registered, 2);
}

TEST_F(StructOps, A_16_PinnedLink) {
  const long link = bpf().link(ready_map());
  ASSERT_GT(link, 0);
  ASSERT_EQ(bpf().pin(link, "/sys/fs/bpf/calc"), 0);
  bpf().close_all();
  EXPECT_EQ(call_add(3, 4), 7);
  const long opened = bpf().get("/sys/fs/bpf/calc");
  ASSERT_GT(opened, 0);
  bpf().close(opened);
  EXPECT_EQ(calc_.unregistered, 0);
  syscall::PinIdentity who;
  who.uid = ::geteuid();
  who.gid = ::getegid();
  ASSERT_TRUE(runtime_->impl().kernel().pins().unlink("/sys/fs/bpf/calc", who).ok());
  EXPECT_EQ(calc_.unregistered, 1);
}

TEST_F(StructOps, A_17_UpdateWithReplace) {
  const long old_map = ready_map();
  CalcValue swapped = both();
  swapped.add = static_cast<std::uint64_t>(bpf().load({.text = kSubText, .member = kAdd}));
  const long new_map = ready_map(swapped);
  const long link = bpf().link(old_map);
  EXPECT_EQ(bpf().link_update(link, new_map, uapi::BPF_F_REPLACE, new_map), -EPERM);
  EXPECT_EQ(bpf().link_update(link, new_map, 0, old_map), -EINVAL);
  EXPECT_EQ(bpf().link_update(link, new_map, 1u << 9, 0), -EINVAL);
  EXPECT_EQ(call_add(5, 3), 8);
  EXPECT_EQ(bpf().link_update(link, new_map, uapi::BPF_F_REPLACE, old_map), 0);
  EXPECT_EQ(call_add(5, 3), 2);
  EXPECT_EQ(bpf().link_info(link).struct_ops.map_id, bpf().map_info(new_map).id);
  EXPECT_EQ(bpf().link_update(link, old_map), 0);
  EXPECT_EQ(call_add(5, 3), 8);
  EXPECT_EQ(calc_.updated, 2);
}

TEST_F(StructOps, A_18_UpdateToWhatDoesNotFit) {
  const long link = bpf().link(ready_map());
  EXPECT_EQ(bpf().link_update(link, other_ready_map()), -EINVAL);
  EXPECT_EQ(bpf().link_update(link, bpf().ops_map("calc_ops", uapi::BPF_F_LINK)), -EINVAL);
  EXPECT_EQ(call_add(1, 2), 3);
  const long other_link = bpf().link(other_ready_map());
  ASSERT_GT(other_link, 0);
  EXPECT_EQ(bpf().link_update(other_link, other_ready_map()), -EOPNOTSUPP);
}

TEST_F(StructOps, A_19_DetachAndPoll) {
  const long map = ready_map();
  const long link = bpf().link(map);
  const int fd = poll_fd(*runtime_, bpf().link_info(link).id);
  EXPECT_EQ(events(fd), 0);
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(events(fd), POLLHUP);
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(bpf().link_update(link, map), -ENOLINK);
  EXPECT_EQ(calc_.unregistered, 1);
  ::close(fd);
}

TEST_F(StructOps, A_20_HostEjects) {
  const long link = bpf().link(ready_map());
  const int fd = poll_fd(*runtime_, bpf().link_info(link).id);
  StructOpsAttachment& via = *calc_.attachment.load();
  EXPECT_TRUE(via.eject(*calc_.instance.load()));
  EXPECT_FALSE(via.eject());
  EXPECT_EQ(events(fd), POLLHUP);
  const uapi::bpf_link_info info = bpf().link_info(link);
  EXPECT_EQ(info.struct_ops.map_id, 0u);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_STRUCT_OPS));
  EXPECT_EQ(calc_.unregistered, 1);
  ::close(fd);
}

TEST_F(StructOps, RuntimeEndUnregistersOnce) {
  const long map = bpf().ops_map("calc_ops", 0);
  const CalcValue v = both();
  ASSERT_EQ(bpf().update(map, &v), 0);
  client_ = nullptr;
  EXPECT_EQ(calc_.unregistered, 0);
  runtime_ = nullptr;
  EXPECT_EQ(calc_.unregistered, 1);
}

}  // namespace
}  // namespace ring3::test
