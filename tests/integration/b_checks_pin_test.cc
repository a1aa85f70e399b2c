// Checks B-01 to B-09 and B-34: pinning and getting (behaviour.md B.1, B.2).
#include <sys/stat.h>

#include "tests/integration/pin_world.h"

namespace ring3::test {
namespace {

class Pins : public PinWorld {};

TEST_F(Pins, B_01_PinCloseGet) {
  const long map = array();
  std::uint64_t value = 77;
  ASSERT_EQ(bpf().update(map, &value, 2), 0);
  const long ops = ready_map();
  const long link = bpf().link(ops);
  ASSERT_GT(link, 0) << log_.take();
  const long program = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  ASSERT_GT(program, 0) << bpf().log();
  const std::uint32_t ids[] = {map_id(map), bpf().prog_info(program).id, bpf().link_info(link).id};
  ASSERT_EQ(pin(map, "map"), 0);
  ASSERT_EQ(pin(program, "prog"), 0);
  ASSERT_EQ(pin(link, "link"), 0);
  close_fds();
  const long map2 = get("map"), program2 = get("prog"), link2 = get("link");
  ASSERT_GE(map2, 0);
  ASSERT_GE(program2, 0);
  ASSERT_GE(link2, 0);
  EXPECT_EQ(map_id(map2), ids[0]);
  EXPECT_EQ(bpf().prog_info(program2).id, ids[1]);
  EXPECT_EQ(bpf().link_info(link2).id, ids[2]);
  value = 0;
  EXPECT_EQ(bpf().lookup(map2, &value, 2), 0);
  EXPECT_EQ(value, 77u);
  EXPECT_EQ(call_add(1, 2), 3) << "the pinned link keeps the table attached";
}

TEST_F(Pins, B_02_BadTargets) {
  const long map = array();
  ASSERT_EQ(pin(map, "taken"), 0);
  EXPECT_EQ(pin(map, "taken"), -EEXIST);
  EXPECT_EQ(pin(map, "missing/name"), -ENOENT);
  EXPECT_EQ(pin(map, "a.b"), -EPERM);
  EXPECT_EQ(get("a.b"), -EPERM);
  char folder[] = "/tmp/ring3-pins-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  EXPECT_EQ(pin_as(admin_, map, std::string(folder) + "/name"), -EPERM) << "a directory that is no bpffs";
  EXPECT_EQ(pin_as(admin_, map, std::string(folder)), -EEXIST);
  EXPECT_EQ(pin_as(admin_, map, std::string(folder) + "/missing/name"), -ENOENT);
  ::rmdir(folder);
  EXPECT_EQ(pin(map, "new/"), -ENOENT);
  EXPECT_EQ(pin(map, "taken/below"), -ENOTDIR);
  EXPECT_EQ(pin(map, std::string(256, 'n')), -ENAMETOOLONG);
}

TEST_F(Pins, B_02_OthersLearnNothingOfTheMachinesFiles) {
  const long map = array();
  char folder[] = "/tmp/ring3-pins-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  OtherCaller somebody(::geteuid() + 1000, 1000, kUnprivileged), own(::geteuid(), ::getegid(), kUnprivileged);
  for (const char* name : {"", "/name", "/missing/name"}) {
    const std::string path = folder + std::string(name);
    EXPECT_EQ(pin_as(somebody, map, path), -EPERM) << name;
    EXPECT_EQ(get_as(somebody, path), -ENOENT) << name;
  }
  EXPECT_EQ(pin_as(own, map, folder), -EEXIST);
  EXPECT_EQ(get_as(own, folder), -EACCES) << "there, and no pin";
  ::rmdir(folder);
}

TEST_F(Pins, B_03_NotPinnable) {
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  EXPECT_EQ(pin(bpf().user_btf(), "btf"), -EINVAL);
  EXPECT_EQ(pin(pipes[0], "pipe"), -EINVAL);
  EXPECT_EQ(pin(-1, "none"), -EINVAL);
  EXPECT_EQ(get("btf"), -ENOENT) << "a failed pin leaves a name";
  ::close(pipes[0]);
  ::close(pipes[1]);
}

TEST_F(Pins, B_04_BadAttributes) {
  const long map = array();
  EXPECT_EQ(pin_as(admin_, map, path("x"), uapi::BPF_F_RDONLY), -EINVAL);
  EXPECT_EQ(pin_as(admin_, map, path("x"), 1u << 30), -EINVAL);
  EXPECT_EQ(pin_as(admin_, map, path("x"), 0, 3), -EINVAL) << "a directory without the flag for it";
  uapi::bpf_attr attr = BpfClient::zero();
  const std::string name = path("x");
  attr.pathname = address(name.c_str());
  attr.bpf_fd = static_cast<std::uint32_t>(map);
  reinterpret_cast<char*>(&attr)[20] = 1;
  EXPECT_EQ(as(admin_, uapi::BPF_OBJ_PIN, attr), -EINVAL) << "a byte after the last field";
  EXPECT_EQ(get("x"), -ENOENT);
}

TEST_F(Pins, B_05_DirectoryDescriptors) {
  // The tree lies under /sys/fs/bpf, and /sys/fs is a directory of this machine.
  const OwnedFd directory(::open("/sys/fs", O_PATH | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(directory);
  const long map = array();
  EXPECT_EQ(pin_as(admin_, map, "bpf/one", uapi::BPF_F_PATH_FD, directory.get()), 0);
  EXPECT_GE(get_as(admin_, "bpf/one", uapi::BPF_F_PATH_FD, directory.get()), 0);
  EXPECT_GE(get("one"), 0);
  EXPECT_EQ(pin_as(admin_, map, path("two"), uapi::BPF_F_PATH_FD, directory.get()), 0) << "an absolute path ignores it";
  char before[4096];
  ASSERT_NE(::getcwd(before, sizeof before), nullptr);
  ASSERT_EQ(::chdir("/sys/fs"), 0);
  EXPECT_EQ(pin_as(admin_, map, "bpf/three", uapi::BPF_F_PATH_FD, AT_FDCWD), 0);
  EXPECT_GE(get_as(admin_, "bpf/three"), 0);
  ASSERT_EQ(::chdir(before), 0);
  EXPECT_EQ(pin_as(admin_, map, "bpf/four", uapi::BPF_F_PATH_FD, 9999), -EBADF);
  EXPECT_EQ(pin_as(admin_, map, "bpf/four", uapi::BPF_F_PATH_FD, static_cast<int>(map)), -ENOTDIR);
}

TEST_F(Pins, B_06_GetOfWhatIsNoPin) {
  ASSERT_TRUE(pins().make_directory(path("directory"), who_, 0755, 0).ok());
  EXPECT_EQ(get("directory"), -EACCES);
  EXPECT_EQ(get_as(admin_, "/etc/passwd"), -EACCES);
  EXPECT_EQ(get("missing"), -ENOENT);
  EXPECT_EQ(get("missing/below"), -ENOENT);
  EXPECT_EQ(get_as(admin_, ""), -ENOENT);
}

TEST_F(Pins, B_07_BadGets) {
  ASSERT_EQ(pin(array(), "map"), 0);
  EXPECT_EQ(get("map", uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY), -EINVAL);
  EXPECT_EQ(get("map", 1u << 30), -EINVAL);
  uapi::bpf_attr attr = BpfClient::zero();
  const std::string name = path("map");
  attr.pathname = address(name.c_str());
  attr.bpf_fd = 1;
  EXPECT_EQ(as(admin_, uapi::BPF_OBJ_GET, attr), -EINVAL);
}

TEST_F(Pins, B_08_RestrictedGets) {
  ASSERT_EQ(pin(array(), "map"), 0);
  std::uint64_t value = 1;
  const long reader = get("map", uapi::BPF_F_RDONLY);
  ASSERT_GE(reader, 0);
  EXPECT_EQ(bpf().update(reader, &value), -EPERM);
  EXPECT_EQ(bpf().lookup(reader, &value), 0);
  const long writer = get("map", uapi::BPF_F_WRONLY);
  ASSERT_GE(writer, 0);
  EXPECT_EQ(bpf().update(writer, &value), 0);
  EXPECT_EQ(bpf().lookup(writer, &value), -EPERM);
}

TEST_F(Pins, B_08_ProgramsAlwaysComeWhole) {
  const long program = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  ASSERT_EQ(pin(program, "prog"), 0);
  const long again = get("prog", uapi::BPF_F_RDONLY);
  ASSERT_GE(again, 0);
  EXPECT_EQ(::fcntl(static_cast<int>(again), F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST_F(Pins, B_09_LinksComeReadWriteOnly) {
  ASSERT_EQ(pin(bpf().link(ready_map()), "link"), 0);
  EXPECT_EQ(get("link", uapi::BPF_F_RDONLY), -EINVAL);
  EXPECT_EQ(get("link", uapi::BPF_F_WRONLY), -EINVAL);
  EXPECT_GE(get("link"), 0);
}

TEST_F(Pins, B_34_BadPaths) {
  const long map = array();
  EXPECT_EQ(pin_as(admin_, map, "/" + std::string(5000, 'p')), -ENAMETOOLONG);
  EXPECT_EQ(pin_as(admin_, map, path(std::string(5000, 'p'))), -ENAMETOOLONG);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.bpf_fd = static_cast<std::uint32_t>(map);
  EXPECT_EQ(as(admin_, uapi::BPF_OBJ_PIN, attr), -EFAULT);
  attr.pathname = 0xffff'8000'0000'0000;
  EXPECT_EQ(as(admin_, uapi::BPF_OBJ_PIN, attr), -EFAULT);
  attr.bpf_fd = 0;
  EXPECT_EQ(as(admin_, uapi::BPF_OBJ_GET, attr), -EFAULT);
}

}  // namespace
}  // namespace ring3::test
