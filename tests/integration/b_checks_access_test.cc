// Checks B-10, B-11, B-29, B-35 to B-38: who may, and what a restricted descriptor may (behaviour.md B.2, B.3).
#include <sys/wait.h>

#include "tests/integration/pin_world.h"

namespace ring3::test {
namespace {

class PinAccess : public PinWorld {};

TEST_F(PinAccess, B_10_ModesAreHeldAgainstTheWantedAccess) {
  const long map = array();
  ASSERT_EQ(pin_as(user_, map, path("map")), 0);
  const syscall::PinIdentity owner{1000, 1000, {}, false};
  ASSERT_TRUE(pins().change_mode(path("map"), owner, 0400).ok());
  EXPECT_EQ(get_as(other_user_, path("map")), -EACCES);
  EXPECT_EQ(get_as(other_user_, path("map"), uapi::BPF_F_RDONLY), -EACCES);
  EXPECT_EQ(get_as(user_, path("map")), -EACCES) << "read and write are wanted by default";
  EXPECT_EQ(get_as(user_, path("map"), uapi::BPF_F_WRONLY), -EACCES);
  EXPECT_GE(get_as(user_, path("map"), uapi::BPF_F_RDONLY), 0);
  EXPECT_GE(get_as(admin_, path("map")), 0);
  EXPECT_FALSE(pins().change_mode(path("map"), {1001, 1001, {}, false}, 0666).ok());
  ASSERT_TRUE(pins().change_mode(path("map"), owner, 0666).ok());
  EXPECT_GE(get_as(other_user_, path("map")), 0);
}

TEST_F(PinAccess, B_11_UmaskHidesOwnerBitsOnly) {
  const long map = array();
  for (const mode_t mask : {077u, 022u, 0u}) {
    user_.mask = mask;
    const std::string name = "mask" + std::to_string(mask);
    ASSERT_EQ(pin_as(user_, map, path(name)), 0);
    EXPECT_EQ(mode_of(name), 0600u) << std::oct << mask;
    syscall::PinStat st;
    ASSERT_TRUE(stat(name, st).ok());
    EXPECT_EQ(st.uid, 1000u);
    EXPECT_EQ(st.gid, 1000u);
  }
  user_.mask = 0200;
  ASSERT_EQ(pin_as(user_, map, path("narrow")), 0);
  EXPECT_EQ(mode_of("narrow"), 0400u);
}

TEST_F(PinAccess, B_29_FrozenMaps) {
  const long map = array(uapi::BPF_F_MMAPABLE);
  std::uint64_t value = 5;
  const long program = bpf().load({.text = "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\n"
                                           "if r0 == 0 goto +1\n*(u64 *)(r0 +0) = 9\nr0 = 0\nexit",
                                   .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER,
                                   .map_fds = {static_cast<std::int32_t>(map)}});
  ASSERT_GT(program, 0) << bpf().log();
  EXPECT_EQ(bpf().update(map, &value), 0);
  ASSERT_EQ(bpf().freeze(map), 0);
  EXPECT_EQ(bpf().update(map, &value), -EPERM);
  EXPECT_EQ(bpf().lookup(map, &value), 0);
  EXPECT_EQ(bpf().run_on_packet(program), 0);
  EXPECT_EQ(bpf().lookup(map, &value), 0);
  EXPECT_EQ(value, 9u) << "programs still write";
  EXPECT_EQ(bpf().freeze(map), -EBUSY);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
  void* memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, static_cast<int>(map), 0);
  EXPECT_NE(memory, MAP_FAILED);
  ::munmap(memory, 4096);
}

TEST_F(PinAccess, B_29_AWritableMappingKeepsAMapFromBeingFrozen) {
  const long map = array(uapi::BPF_F_MMAPABLE);
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(bpf().freeze(map), -EBUSY);
  std::uint64_t value = 5;
  EXPECT_EQ(bpf().update(map, &value), 0) << "a refused freeze changes nothing";
  EXPECT_EQ(static_cast<const std::uint64_t*>(memory)[0], 5u);
  ::munmap(memory, 4096);
  void* reader = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, static_cast<int>(map), 0);
  void* own_copy = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, static_cast<int>(map), 0);
  ASSERT_NE(reader, MAP_FAILED);
  EXPECT_EQ(bpf().freeze(map), 0) << "readers and copies do not count";
  ::munmap(reader, 4096);
  ::munmap(own_copy, 4096);
}

TEST_F(PinAccess, B_29_AWritableMappingOfAnotherProcessCounts) {
  const long map = array(uapi::BPF_F_MMAPABLE);
  int ready[2], done[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(done), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(done[1]);
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(map), 0);
    char byte = memory == MAP_FAILED ? 'x' : 'm';
    [[maybe_unused]] const ssize_t said = ::write(ready[1], &byte, 1);
    [[maybe_unused]] const ssize_t ended = ::read(done[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'm');
  EXPECT_EQ(bpf().freeze(map), -EBUSY);
  ::close(done[1]);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(bpf().freeze(map), 0);
  for (const int fd : {ready[0], ready[1], done[0]}) ::close(fd);
}

TEST_F(PinAccess, B_29_RingsFreezeToo) {
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
  const long ring = bpf().create(attr);
  ASSERT_GE(ring, 0);
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(ring), 0);
  ASSERT_NE(memory, MAP_FAILED);
  EXPECT_EQ(bpf().freeze(ring), -EBUSY);
  ::munmap(memory, 4096);
  EXPECT_EQ(bpf().freeze(ring), 0);
  EXPECT_EQ(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, static_cast<int>(ring), 0), MAP_FAILED);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(PinAccess, B_29_ReadOnlyDescriptorsDoNotFreeze) {
  ASSERT_EQ(pin(array(), "map"), 0);
  EXPECT_EQ(bpf().freeze(get("map", uapi::BPF_F_RDONLY)), -EPERM);
}

TEST_F(PinAccess, B_35_IdsAreForAdmins) {
  const std::uint32_t id = map_id(array());
  uapi::bpf_attr attr = BpfClient::zero();
  EXPECT_EQ(as(user_, uapi::BPF_MAP_GET_NEXT_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_PROG_GET_NEXT_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_LINK_GET_NEXT_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_BTF_GET_NEXT_ID, attr), -EPERM);
  attr.map_id = id;
  EXPECT_EQ(as(user_, uapi::BPF_MAP_GET_FD_BY_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_PROG_GET_FD_BY_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_LINK_GET_FD_BY_ID, attr), -EPERM);
  EXPECT_EQ(as(user_, uapi::BPF_BTF_GET_FD_BY_ID, attr), -EPERM);
  attr = BpfClient::zero();
  EXPECT_EQ(as(admin_, uapi::BPF_MAP_GET_NEXT_ID, attr), 0);
  EXPECT_EQ(attr.next_id, id);
}

TEST_F(PinAccess, B_36_AReadOnlyDescriptorBindsThePrograms) {
  ASSERT_EQ(pin(array(), "map"), 0);
  const auto reader = static_cast<std::int32_t>(get("map", uapi::BPF_F_RDONLY));
  constexpr std::string_view kLookup =
      "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\nif r0 == 0 goto +1\n";
  const std::string store = std::string(kLookup) + "*(u64 *)(r0 +0) = 9\nr0 = 0\nexit";
  const std::string load = std::string(kLookup) + "r1 = *(u64 *)(r0 +0)\nr0 = 0\nexit";
  EXPECT_EQ(bpf().load({.text = store, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER, .map_fds = {reader}}), -EACCES);
  EXPECT_NE(bpf().log().find("write"), std::string::npos) << bpf().log();
  EXPECT_GT(bpf().load({.text = load, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER, .map_fds = {reader}}), 0)
      << bpf().log();
}

TEST_F(PinAccess, B_36_ARestrictedDescriptorIsNotPinnedAsAFullOne) {
  ASSERT_EQ(pin(array(), "map"), 0);
  EXPECT_EQ(pin(get("map", uapi::BPF_F_RDONLY), "again"), -EPERM);
  EXPECT_EQ(get("again"), -ENOENT);
}

TEST_F(PinAccess, B_37_SetGidDirectories) {
  ASSERT_TRUE(pins().make_directory(path("shared"), who_, 0777, 0).ok());
  ASSERT_TRUE(pins().change_owner(path("shared"), who_, static_cast<uid_t>(-1), 4242).ok());
  ASSERT_TRUE(pins().change_mode(path("shared"), who_, 02777).ok());
  ASSERT_EQ(pin_as(user_, array(), path("shared/map")), 0);
  syscall::PinStat st;
  ASSERT_TRUE(stat("shared/map", st).ok());
  EXPECT_EQ(st.gid, 4242u);
  EXPECT_EQ(st.uid, 1000u);
}

TEST_F(PinAccess, B_38_APrivateRoot) {
  ASSERT_EQ(pin_as(user_, array(), path("map")), 0);
  ASSERT_TRUE(pins().change_mode("/sys/fs/bpf", who_, 0700).ok());
  EXPECT_EQ(get_as(user_, path("map")), -EACCES);
  EXPECT_EQ(pin_as(user_, array(), path("other")), -EACCES);
  EXPECT_GE(get_as(admin_, path("map")), 0);
}

}  // namespace
}  // namespace ring3::test
