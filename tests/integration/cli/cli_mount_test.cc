// `ring3 mount` with the kernel's FUSE: commands in a mount namespace of their own look at the host's pins. Skipped where
// there is no /dev/fuse or no such namespace.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "btf/builder.h"
#include "tests/integration/cli/cli_world.h"

namespace ring3::test {
namespace {

class CliMount : public CliWorld {
 protected:
  CliMount() : place_(folder_ + "/mnt") { EXPECT_EQ(::mkdir(place_.c_str(), 0755), 0); }
  ~CliMount() override { EXPECT_EQ(::rmdir(place_.c_str()), 0); }

  void SetUp() override {
    if (::access("/dev/fuse", R_OK | W_OK) != 0) GTEST_SKIP() << "no /dev/fuse here";
    const std::size_t before = live();
    const Outcome first = in_mount("true");
    if (first.says("namespace of one's own")) GTEST_SKIP() << "no mount namespaces here";
    ASSERT_EQ(first.code, 0) << first;
    ASSERT_TRUE(settles_at(before)) << leaks();
  }
  /// A shell script in the mount's root.
  Outcome in_mount(const std::string& script, const std::vector<std::string>& options = {}) {
    std::vector<std::string> words = {"mount"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {place_, "--", "sh", "-c", "cd " + place_ + " && " + script});
    return ring3(std::move(words));
  }
  long pinned_map(const char* path) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 3);
    const long map = bpf().create(attr);
    EXPECT_EQ(bpf().pin(map, path), 0);
    return map;
  }

  const std::string place_;
};

TEST_F(CliMount, TheTreeIsUsedLikeAnyOther) {
  pinned_map("/sys/fs/bpf/map");
  const Outcome used = in_mount(
      "mkdir dir && mv map dir/moved && ln dir/moved second && ln -s dir/moved short && chmod 0640 second &&"
      "stat -c '%n %A %h' dir dir/moved second && readlink short && ls");
  EXPECT_EQ(used.code, 0) << used;
  EXPECT_EQ(used.out, "dir drwxr-xr-x 2\ndir/moved -rw-r----- 2\nsecond -rw-r----- 2\ndir/moved\n"
                      "by-id\ndir\nmaps.debug\nprogs.debug\nsecond\nshort\n");
  EXPECT_GE(bpf().get("/sys/fs/bpf/short"), 0) << "the host sees what was done";
  const Outcome removed = in_mount("rm -r dir second short && ls");
  EXPECT_EQ(removed.out, "by-id\nmaps.debug\nprogs.debug\n") << removed;
  EXPECT_EQ(bpf().get("/sys/fs/bpf/second"), -ENOENT);
}

TEST_F(CliMount, B_17_NothingIsCreatedOrWritten) {
  pinned_map("/sys/fs/bpf/map");
  EXPECT_TRUE(in_mount("echo x > new").says("ermission denied"));
  EXPECT_TRUE(in_mount("mkfifo pipe").says("not permitted"));
  EXPECT_NE(in_mount("echo x > map").code, 0);
  EXPECT_TRUE(in_mount("mkdir a.b").says("not permitted"));
  EXPECT_TRUE(in_mount("cat map").says("Input/output error"));
}

TEST_F(CliMount, B_22_OptionsAndTheMountTable) {
  // A user namespace has the user's own ids only.
  const bool is_root = ::geteuid() == 0;
  const std::string uid = std::to_string(is_root ? 7 : ::geteuid()), gid = std::to_string(is_root ? 8 : ::getegid());
  const Outcome root = in_mount("stat -c '%a %u %g' . && grep ' '$PWD' ' /proc/self/mounts",
                                {"--new", "-o", "mode=0750,uid=" + uid + ",gid=" + gid});
  EXPECT_EQ(root.code, 0) << root;
  EXPECT_EQ(root.out.rfind("750 " + uid + " " + gid + "\n", 0), 0u) << root;
  if (!is_root) {
    EXPECT_TRUE(in_mount("true", {"--new", "-o", "uid=7"}).says("does not have"));
  }
  EXPECT_TRUE(root.says(" fuse.bpf ")) << root;
  EXPECT_TRUE(root.says("nosuid,nodev,noexec")) << root;
  const Outcome wrong = in_mount("true", {"--new", "-o", "uid=me"});
  EXPECT_NE(wrong.code, 0);
  EXPECT_TRUE(wrong.says("uid=me")) << wrong;
}

TEST_F(CliMount, B_26_TablesAndFoldersOfObjects) {
  const long map = pinned_map("/sys/fs/bpf/map");
  const std::string id = std::to_string(bpf().map_info(map).id);
  const Outcome read = in_mount("cat maps.debug; cat by-id/map/" + id + "/pins; ls by-id/map/" + id + "/kv; cat by-id/map/" + id +
                                "/kv/2; rm -f maps.debug; ls");
  EXPECT_TRUE(read.says("max_entries")) << read;
  EXPECT_TRUE(read.says("/sys/fs/bpf/map\n")) << read;
  EXPECT_TRUE(read.says("0\n0.json\n1\n1.json\n2\n2.json\n0000000000000000\n")) << read;
  EXPECT_TRUE(read.out.ends_with("by-id\nmap\nprogs.debug\n")) << read;
}

/// Zeros, slashes, dots and newlines in keys: every key is one file, and its name leads back to it.
TEST_F(CliMount, KvNamesBinaryKeys) {
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 6, 4, 8);
  const long binary = bpf().create(attr);
  btf::Builder builder;
  const btf::TypeId letter = builder.add_int("char", 1, 1), number = builder.add_int("unsigned int", 4);
  const btf::TypeId text = builder.add_array(letter, number, 6);
  attr.btf_fd = static_cast<std::uint32_t>(bpf().load_btf(builder.finish()));
  attr.btf_key_type_id = text;
  attr.btf_value_type_id = number;
  const long typed = bpf().create(attr);
  ASSERT_GE(binary, 0);
  ASSERT_GE(typed, 0);
  const char keys[][7] = {{'\0', '/', '.', '\n', '\xff', '\0'}, {'e', 't', 'h', '/', '0', '\0'}, {'.', '.', '\0', '\0', '\0', '\0'}, {'\0', '\0', '\0', '\0', '\0', '\0'}};
  for (std::uint32_t i = 0; i < std::size(keys); ++i)
    for (const long map : {binary, typed}) {
      attr = BpfClient::zero();
      attr.map_fd = static_cast<std::uint32_t>(map);
      attr.key = reinterpret_cast<std::uintptr_t>(keys[i]);
      attr.value = reinterpret_cast<std::uintptr_t>(&i);
      ASSERT_EQ(bpf().bpf(uapi::BPF_MAP_UPDATE_ELEM, attr), 0);
    }
  const auto in_kv = [&](long map, const std::string& script) {
    return in_mount("cd by-id/map/" + std::to_string(bpf().map_info(map).id) + "/kv && " + script);
  };
  EXPECT_EQ(in_kv(binary, "ls | grep -v json").out, "x000000000000\nx002f2e0aff00\nx2e2e00000000\nx6574682f3000\n");
  EXPECT_EQ(in_kv(binary, "cat x002f2e0aff00 x6574682f3000 x2e2e00000000 x000000000000").out, "00000000\n01000000\n02000000\n03000000\n");
  const Outcome names = in_kv(typed, "LC_ALL=C ls | grep -v json");
  EXPECT_EQ(names.out, "%\n%00%2F%2E%0A%FF\n%2E%2E\neth%2F0\n") << names;
  EXPECT_EQ(in_kv(typed, "cat %00%2F%2E%0A%FF eth%2F0 %2E%2E %").out, "0\n1\n2\n3\n");
  EXPECT_EQ(in_kv(typed, "cat eth%2F0.json").out, "1\n");
  // No second spelling, nothing that is not there.
  for (const char* none : {"e%74h%2F0", "eth%2f0", "x6574682f3000", "eth1", "%2E%2E%2E%2E%2E%2E%2E"}) EXPECT_NE(in_kv(typed, std::string("cat ") + none).code, 0) << none;
}

TEST_F(CliMount, ATreeOfItsOwnGoesWithTheMount) {
  const std::size_t before = live();
  EXPECT_EQ(in_mount("mkdir -p a/b && find a", {"--new"}).out, "a\na/b\n");
  EXPECT_EQ(in_mount("ls", {"--new", "-o", "noviews"}).out, "maps.debug\nprogs.debug\n");
  EXPECT_TRUE(settles_at(before)) << leaks();
}

TEST_F(CliMount, TheCommandsExitCodeIsTheMounts) {
  EXPECT_EQ(in_mount("exit 7").code, 7);
  EXPECT_EQ(in_mount("kill -9 $$").code, 137);
  EXPECT_EQ(ring3({"mount", place_, "--", "/no/such/command"}).code, 127);
  EXPECT_NE(ring3({"mount", folder_ + "/nowhere", "--", "true"}).code, 0);
}

}  // namespace
}  // namespace ring3::test
