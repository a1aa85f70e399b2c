// Checks B-17 to B-26 and B-32: a mount's files, options and life (behaviour.md B.4 to B.6, B.8), as a FUSE server asks.
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/integration/bpffs/mount_world.h"
#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using bpffs::Op;
using bpffs::Request;

class Mount : public MountWorld {
 protected:
  Mount() { EXPECT_EQ(bpffs_.mount("", 0), Errno{}); }
  TestMount bpffs_{runtime_->impl(), "/mnt/pins"};
};

constexpr const char* kWarning =
    "# WARNING!! The output is for debug purpose only\n# WARNING!! The output format will change\n";

TEST_F(Mount, B_17_NothingIsCreatedOrWritten) {
  ASSERT_EQ(pin(array(), "map"), 0);
  Request create = bpffs_.request(Op::kMakeNode, bpffs::kRoot, "file");
  create.flags = O_CREAT;
  EXPECT_EQ(bpffs_.error(create), Errno::kAcces);
  Request fifo = bpffs_.request(Op::kMakeNode, bpffs::kRoot, "fifo");
  fifo.mode = S_IFIFO | 0600;
  EXPECT_EQ(bpffs_.error(fifo), Errno::kPerm);
  EXPECT_EQ(bpffs_.open_error("map", O_WRONLY), Errno::kAcces);
  EXPECT_EQ(bpffs_.open_error("map", O_RDWR), Errno::kAcces);
  Request truncate = bpffs_.request(Op::kSetAttr, bpffs_.node("map"));
  truncate.flags = bpffs::kSetSize;
  EXPECT_EQ(bpffs_.error(truncate), Errno::kInval);
}

TEST_F(Mount, B_18_AMapReadsByItsBtf) {
  const long map = typed_map(uapi::BPF_MAP_TYPE_HASH, 8);
  ASSERT_GE(map, 0) << log_.take();
  const Pair first{7, -1}, second{8, 2};
  ASSERT_EQ(bpf().update(map, &first, 3), 0);
  ASSERT_EQ(pin(map, "map"), 0);
  EXPECT_EQ(bpffs_.cat("map"), std::string(kWarning) + "3: {7,-1}\n");
  ASSERT_EQ(bpf().update(map, &second, 5), 0);
  const std::string both = bpffs_.cat("map");
  EXPECT_NE(both.find("3: {7,-1}\n"), std::string::npos) << both;
  EXPECT_NE(both.find("5: {8,2}\n"), std::string::npos) << both;
  bpffs_.who.uid = 1000;
  EXPECT_EQ(bpffs_.open_error("map"), Errno::kAcces) << "mode 0600, another user";
}

TEST_F(Mount, B_19_WhatDoesNotPrintIsEio) {
  const long load = program();
  ASSERT_GE(load, 0) << bpf().log();
  ASSERT_EQ(pin(load, "prog"), 0);
  ASSERT_EQ(pin(array(), "map"), 0);
  EXPECT_EQ(bpffs_.open_error("prog"), Errno::kIo);
  EXPECT_EQ(bpffs_.open_error("map"), Errno::kIo);
}

TEST_F(Mount, B_20_PerCpuValuesAreALineACpu) {
  const long map = typed_map(uapi::BPF_MAP_TYPE_PERCPU_ARRAY, 1);
  ASSERT_EQ(pin(map, "map"), 0);
  const std::string text = bpffs_.cat("map");
  EXPECT_NE(text.find("0: {\n\tcpu0: {0,0}\n"), std::string::npos) << text;
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\t')), runtime_->impl().possible_cpus());
}

TEST_F(Mount, B_20_StructOpsMapsShowTheirState) {
  const long map = bpf().ops_map("calc_ops", 0);
  ASSERT_GE(map, 0);
  ASSERT_EQ(pin(map, "ops"), 0);
  const std::string text = bpffs_.cat("ops");
  EXPECT_EQ(text.rfind(kWarning, 0), 0u);
  EXPECT_NE(text.find("STATE_INIT"), std::string::npos) << text;
}

TEST_F(Mount, B_20_SpecialFieldsReadAsZero) {
  btf::Builder builder;
  const btf::TypeId u = builder.add_int("unsigned int", 4);
  const btf::TypeId u64 = builder.add_int("unsigned long", 8);
  const btf::TypeId lock = builder.add_struct("bpf_spin_lock", 4, {{"val", u, 0}});
  const btf::TypeId value = builder.add_struct("locked", 16, {{"count", u64, 0}, {"lock", lock, 64}, {"pad", u, 96}});
  const std::vector<std::byte> blob = builder.finish();
  uapi::bpf_attr attr = BpfClient::zero();
  attr.btf = address(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  const long btf = took(bpf().bpf(uapi::BPF_BTF_LOAD, attr));
  ASSERT_GE(btf, 0) << log_.take();
  attr = BpfClient::zero();
  attr.map_type = uapi::BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 16;
  attr.max_entries = 1;
  attr.btf_fd = static_cast<std::uint32_t>(btf);
  attr.btf_key_type_id = u;
  attr.btf_value_type_id = value;
  const long map = bpf().create(attr);
  ASSERT_GE(map, 0) << log_.take();
  const std::uint64_t bytes[2] = {5, 0x7ffffffffull};
  ASSERT_EQ(bpf().update(map, bytes), 0);
  ASSERT_EQ(pin(map, "map"), 0);
  EXPECT_EQ(bpffs_.cat("map"), std::string(kWarning) + "0: {5,{0},7}\n");
}

/// An object in the map: the pin shows zero, as on Linux; what Linux has not, JSON and kv/, shows what it is.
TEST_F(Mount, B_20_OwnedPointersReadAsZero) {
  ASSERT_TRUE((runtime_->kptr<counted_thing>(counted_kptr<counted_thing, LiveThing>()).ok())) << log_.take();
  ValueTypes types;
  const btf::TypeId value = types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", types.kptr(types.counted), 64}});
  const long btf = bpf().load_btf(types.b.finish());
  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 16, 1, {btf, types.u32, value}));
  ASSERT_GE(map, 0) << log_.take();
  const std::uint32_t id = bpf().map_info(map).id;
  {
    const auto object = ref_cast<maps::Map>(runtime_->impl().objects().find(ObjectKind::kMap, id).value());
    const std::uint32_t key = 0;
    ReadSection readers;
    static_cast<LiveThing**>(object->ops().data.lookup(*object, &key))[1] = new LiveThing;
  }
  ASSERT_EQ(pin(map, "map"), 0);
  EXPECT_EQ(bpffs_.cat("map"), std::string(kWarning) + "0: {0,0x0}\n");
  const std::string folder = "by-id/map/" + std::to_string(id) + "/";
  EXPECT_NE(bpffs_.cat(folder + "json").find("counted_thing #"), std::string::npos) << bpffs_.cat(folder + "json");
  EXPECT_NE(bpffs_.cat(folder + "kv/0").find("counted_thing #"), std::string::npos) << bpffs_.cat(folder + "kv/0");
}

TEST_F(Mount, B_22_OptionsAreAppliedOrRefused) {
  const auto mount = new_mount("/mnt/new", "uid=1000,gid=1001,mode=0710,colour=red");
  const auto root = mount->find("");
  EXPECT_EQ(root->uid, 1000u);
  EXPECT_EQ(root->gid, 1001u);
  EXPECT_EQ(root->mode, S_IFDIR | 0710u);
  for (const char* wrong : {"uid=me", "gid=", "mode=0999", "uid=4294967295", "uid=-1"}) {
    TestMount other(runtime_->impl(), "/mnt/other");
    EXPECT_EQ(other.mount(wrong), Errno::kInval) << wrong;
  }
  const auto last = new_mount("/mnt/last", "uid=1,uid=2");
  EXPECT_EQ(last->find("")->uid, 2u);
}

TEST_F(Mount, B_23_DelegationIsParsedAndShown) {
  const auto shown = [this](const std::string& options) {
    const auto mount = new_mount("/mnt/delegated", options);
    return mount->call(mount->request(Op::kDescribe))->text;
  };
  EXPECT_EQ(shown("delegate_cmds=map_create:prog_load"), ",delegate_cmds=map_create:prog_load");
  EXPECT_EQ(shown("delegate_cmds=MAP_Create:0x20"), ",delegate_cmds=map_create:prog_load");
  EXPECT_EQ(shown("delegate_maps=hash,delegate_maps=array"), ",delegate_maps=hash:array");
  EXPECT_EQ(shown("delegate_progs=any,delegate_attachs=xdp"), ",delegate_progs=any,delegate_attachs=xdp");
  EXPECT_EQ(shown("delegate_progs=0x8000000000000002"), ",delegate_progs=socket_filter:0x8000000000000000");
  EXPECT_EQ(shown("mode=0700,uid=7"), ",uid=7,mode=700");
  EXPECT_EQ(shown("mode=1777"), "");
  TestMount wrong(runtime_->impl(), "/mnt/wrong");
  EXPECT_EQ(wrong.mount("delegate_cmds=map_create:dance"), Errno::kInval);
  EXPECT_EQ(wrong.mount("delegate_cmds="), Errno::kInval);
  wrong.who.uid = 1000;
  EXPECT_EQ(wrong.mount("delegate_cmds=any"), Errno::kPerm);
  EXPECT_EQ(wrong.mount("mode=0700"), Errno{}) << "everything else is for everybody";
}

TEST_F(Mount, B_24_MountsLiveAndDieAlone) {
  auto first = new_mount("/mnt/first");
  auto second = new_mount("/mnt/second");
  const long map = array();
  const std::uint32_t id = map_id(map);
  ASSERT_EQ(pin_as(admin_, map, "/mnt/first/map"), 0);
  ASSERT_EQ(pin_as(admin_, map, "/mnt/second/map"), 0);
  close_fds();
  EXPECT_EQ(first->list("").front(), "map");
  first = nullptr;
  EXPECT_EQ(get_as(admin_, "/mnt/first/map"), -ENOENT);
  const long again = get_as(admin_, "/mnt/second/map");
  ASSERT_GE(again, 0);
  EXPECT_EQ(map_id(again), id);
  close_fds();
  second = nullptr;
  EXPECT_FALSE(map_exists(id));
}

TEST_F(Mount, B_24_TheHostsTreeOutlivesItsMounts) {
  const std::uint32_t id = map_id(array());
  {
    TestMount other(runtime_->impl(), "/mnt/other");
    ASSERT_EQ(other.mount("", 0), Errno{});
    ASSERT_EQ(pin_as(admin_, bpf().fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, id), "/mnt/other/map"), 0);
    EXPECT_NE(bpffs_.node("map"), 0u) << "the same tree at another place";
  }
  close_fds();
  EXPECT_TRUE(map_exists(id));
  EXPECT_GE(get("map"), 0);
  EXPECT_EQ(get_as(admin_, "/mnt/other/map"), -ENOENT);
}

TEST_F(Mount, B_26_TheTablesOfMapsAndPrograms) {
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 77);
  std::strcpy(attr.map_name, "counters");
  const long map = bpf().create(attr);
  ASSERT_GE(map, 0);
  EXPECT_EQ(bpffs_.find("maps.debug")->mode, S_IFREG | 0400u);
  const std::string table = bpffs_.cat("maps.debug");
  EXPECT_EQ(table.rfind("  id name             max_entries  cur_entries\n", 0), 0u) << table;
  EXPECT_NE(table.find(" counters                  77            0\n"), std::string::npos) << table;
  // Linux counts the elements of hashes.
  attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 77);
  std::strcpy(attr.map_name, "sessions");
  const long hash = bpf().create(attr);
  for (std::uint32_t key = 0; key < 5; ++key) {
    const std::uint64_t value = key;
    ASSERT_EQ(bpf().update(hash, &value, key), 0);
  }
  const std::string counted = bpffs_.cat("maps.debug");
  EXPECT_NE(counted.find(" sessions                  77            5\n"), std::string::npos) << counted;
  const std::string programs = bpffs_.cat("progs.debug");
  EXPECT_EQ(programs.rfind("  id name             attached\n", 0), 0u) << programs;
  EXPECT_NE(programs.find(" dump_bpf_map     bpf_iter_bpf_map\n"), std::string::npos) << programs;
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kUnlink, bpffs::kRoot, "maps.debug")), Errno{});
  EXPECT_EQ(bpffs_.find("maps.debug").error(), Errno::kPerm) << "a dotted name like any other now";
  TestMount again(runtime_->impl(), "/mnt/pins");
  ASSERT_EQ(again.mount("", 0), Errno{});
  EXPECT_TRUE(again.find("maps.debug").ok());
  again.who.uid = 1000;
  EXPECT_EQ(again.open_error("maps.debug"), Errno::kAcces);
}

TEST_F(Mount, B_32_ExtendedAttributes) {
  ASSERT_EQ(pin(array(), "map"), 0);
  const std::uint64_t node = bpffs_.node("map");
  const auto set = [&](const std::string& name, std::uint32_t flags) {
    Request r = bpffs_.request(Op::kSetXattr, node, name);
    r.text = "value";
    r.flags = flags;
    return bpffs_.error(r);
  };
  EXPECT_EQ(set("trusted.owner", XATTR_CREATE), Errno{});
  EXPECT_EQ(set("trusted.owner", XATTR_CREATE), Errno::kExist);
  EXPECT_EQ(set("trusted.other", XATTR_REPLACE), Errno::kNoData);
  EXPECT_EQ(set("security.label", 0), Errno{});
  EXPECT_EQ(set("user.note", 0), Errno::kOpNotSupp);
  EXPECT_EQ(bpffs_.call(bpffs_.request(Op::kGetXattr, node, "trusted.owner"))->text, "value");
  const char both[] = "security.label\0trusted.owner";
  EXPECT_EQ(bpffs_.call(bpffs_.request(Op::kListXattr, node))->text, std::string(both, sizeof both));
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kRemoveXattr, node, "trusted.owner")), Errno{});
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kGetXattr, node, "trusted.owner")), Errno::kNoData);
  bpffs_.who.uid = 1000;
  EXPECT_EQ(set("trusted.owner", 0), Errno::kPerm);
}

TEST_F(Mount, TreeOperationsGoByNode) {
  ASSERT_EQ(pin(array(), "map"), 0);
  Request make = bpffs_.request(Op::kMakeDirectory, bpffs::kRoot, "dir");
  make.mode = 0755;
  const std::uint64_t dir = bpffs_.call(make)->attr.node;
  Request rename = bpffs_.request(Op::kRename, bpffs::kRoot, "map");
  rename.node2 = dir;
  rename.name2 = "moved";
  EXPECT_EQ(bpffs_.error(rename), Errno{});
  rename.name = "dir";
  rename.node2 = bpffs::kRoot;
  rename.name2 = "folder";
  EXPECT_EQ(bpffs_.error(rename), Errno{}) << "the node stays what it is";
  EXPECT_EQ(bpffs_.node("folder/moved"), bpffs_.call(bpffs_.request(Op::kLookUp, dir, "moved"))->attr.node);
  Request link = bpffs_.request(Op::kLink, bpffs_.node("folder/moved"), "second");
  link.node2 = bpffs::kRoot;
  EXPECT_EQ(bpffs_.call(link)->attr.links, 2u);
  Request symlink = bpffs_.request(Op::kSymlink, bpffs::kRoot, "short");
  symlink.text = "folder/moved";
  const auto made = bpffs_.call(symlink);
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(bpffs_.call(bpffs_.request(Op::kReadLink, made->attr.node))->text, "folder/moved");
  EXPECT_GE(get("short"), 0);
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kRemoveDirectory, bpffs::kRoot, "folder")), Errno::kNotEmpty);
  const std::uint64_t file = bpffs_.node("second");
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kUnlink, dir, "moved")), Errno{});
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kUnlink, bpffs::kRoot, "second")), Errno{});
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kGetAttr, file)), Errno::kStale);
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kMakeDirectory, bpffs::kRoot, "a.b")), Errno::kPerm);
  Request chmod = bpffs_.request(Op::kSetAttr, dir);
  chmod.flags = bpffs::kSetMode;
  chmod.mode = 0700;
  EXPECT_EQ(bpffs_.call(chmod)->attr.mode, S_IFDIR | 0700u);
  bpffs_.who.uid = 1000;
  chmod.who = bpffs_.who;
  EXPECT_EQ(bpffs_.error(chmod), Errno::kPerm);
  EXPECT_EQ(bpffs_.find("folder/x").error(), Errno::kAcces);
}

TEST_F(Mount, EveryObjectHasAFolderById) {
  const long map = typed_map(uapi::BPF_MAP_TYPE_HASH, 8);
  const Pair value{7, -1};
  ASSERT_EQ(bpf().update(map, &value, 3), 0);
  ASSERT_EQ(pin(map, "map"), 0);
  const std::string folder = "by-id/map/" + std::to_string(map_id(map));
  EXPECT_NE(bpffs_.cat(folder + "/info").find("max_entries:\t8\n"), std::string::npos);
  EXPECT_EQ(bpffs_.cat(folder + "/info.json").front(), '{');
  EXPECT_EQ(bpffs_.cat(folder + "/pins"), "/sys/fs/bpf/map\n");
  EXPECT_EQ(bpffs_.cat(folder + "/uses").rfind("btf ", 0), 0u);
  EXPECT_EQ(bpffs_.cat(folder + "/json"), "{\"key\":3,\"value\":{\"hits\":7,\"left\":-1}}\n");
  EXPECT_EQ(bpffs_.list(folder + "/kv"), (std::vector<std::string>{"3", "3.json"}));
  EXPECT_EQ(bpffs_.cat(folder + "/kv/3"), "{.hits = 7,.left = -1}\n");
  EXPECT_EQ(bpffs_.cat(folder + "/kv/3.json"), "{\"hits\":7,\"left\":-1}\n");
  EXPECT_EQ(bpffs_.find(folder + "/kv/4").error(), Errno::kNoEnt);
  EXPECT_EQ(bpffs_.find(folder + "/kv/03").error(), Errno::kNoEnt);
  EXPECT_EQ(bpffs_.find("by-id/map/999").error(), Errno::kNoEnt);
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kMakeDirectory, bpffs::kRoot, "by-id")), Errno::kExist);
  EXPECT_EQ(bpffs_.error(bpffs_.request(Op::kUnlink, bpffs_.node(folder), "info")), Errno::kPerm);
  bpffs_.who.uid = 1000;
  EXPECT_EQ(bpffs_.find("by-id/map").error(), Errno::kAcces) << "ids are for administrators";
  const auto plain = new_mount("/mnt/plain", "noviews");
  EXPECT_EQ(plain->find("by-id").error(), Errno::kNoEnt);
}

TEST_F(Mount, UsersAreThoseThatHoldIt) {
  const long map = array();
  const long load = bpf().load({.text = "r1 = map[name:m0]\nr0 = 0\nexit",
                                .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER,
                                .map_fds = {static_cast<std::int32_t>(map)}});
  ASSERT_GE(load, 0) << bpf().log();
  const std::string map_folder = "by-id/map/" + std::to_string(map_id(map));
  const std::string users = bpffs_.cat(map_folder + "/users");
  const std::string program_id = std::to_string(bpf().prog_info(load).id);
  EXPECT_EQ(users.rfind("prog " + program_id, 0), 0u) << users;
  EXPECT_EQ(bpffs_.cat("by-id/prog/" + program_id + "/uses"), "map " + std::to_string(map_id(map)) + "\n");
}

}  // namespace
}  // namespace ring3::test
