// A PinWorld with bpffs mounts that are driven without a kernel: requests as a FUSE server would make them.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bpffs/file_system.h"
#include "btf/builder.h"
#include "tests/integration/pin_world.h"

namespace ring3::test {

/// One mount and whoever uses it.
class TestMount {
 public:
  TestMount(RuntimeImpl& runtime, std::string where) : files_(runtime), where_(std::move(where)) { who.uid = 0; }

  Errno mount(const std::string& options = "", std::uint32_t flags = bpffs::kMountNew) {
    bpffs::Request r = request(bpffs::Op::kMount);
    r.name = where_;
    r.text = options;
    r.flags = flags;
    return error(r);
  }
  bpffs::Request request(bpffs::Op op, std::uint64_t node = 0, const std::string& name = {}) const {
    bpffs::Request r;
    r.op = op;
    r.who = who;
    r.node = node;
    r.name = name;
    return r;
  }
  Result<bpffs::Reply> call(const bpffs::Request& r) { return files_.call(r); }
  /// Errno{} for success.
  Errno error(const bpffs::Request& r) {
    const auto reply = files_.call(r);
    return reply.ok() ? Errno{} : reply.error();
  }

  /// "a/b/c" below the root.
  Result<bpffs::Attr> find(const std::string& path) {
    bpffs::Attr attr;
    attr.node = bpffs::kRoot;
    std::size_t at = 0;
    while (at < path.size()) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      auto reply = files_.call(request(bpffs::Op::kLookUp, attr.node, path.substr(at, end - at)));
      if (!reply.ok()) return reply.error();
      attr = reply->attr;
      at = end + 1;
    }
    if (path.empty()) return files_.call(request(bpffs::Op::kGetAttr, bpffs::kRoot))->attr;
    return attr;
  }
  std::uint64_t node(const std::string& path) {
    auto found = find(path);
    return found.ok() ? found->node : 0;
  }
  Errno open_error(const std::string& path, int flags = O_RDONLY) {
    bpffs::Request r = request(bpffs::Op::kOpen, node(path));
    r.flags = static_cast<std::uint32_t>(flags);
    return error(r);
  }
  /// All of a file, read in small pieces; "!" and the errno's name when it fails.
  std::string cat(const std::string& path) {
    auto opened = files_.call(request(bpffs::Op::kOpen, node(path)));
    if (!opened.ok()) return std::string("!") + errno_name(opened.error());
    std::string out;
    bpffs::Request read = request(bpffs::Op::kRead);
    read.handle = opened->handle;
    read.size = 13;
    for (;;) {
      auto piece = files_.call(read);
      if (!piece.ok()) return std::string("!") + errno_name(piece.error());
      if (piece->text.empty()) break;
      out += piece->text;
    }
    bpffs::Request release = request(bpffs::Op::kRelease);
    release.handle = opened->handle;
    EXPECT_EQ(error(release), Errno{});
    return out;
  }
  std::vector<std::string> list(const std::string& path) {
    bpffs::Request open = request(bpffs::Op::kOpen, path.empty() ? bpffs::kRoot : node(path));
    open.flags = O_DIRECTORY;
    auto opened = files_.call(open);
    std::vector<std::string> names;
    if (!opened.ok()) return {std::string("!") + errno_name(opened.error())};
    bpffs::Request more = request(bpffs::Op::kList);
    more.handle = opened->handle;
    more.size = 4;
    for (;;) {
      more.offset = names.size();
      auto reply = files_.call(more);
      if (!reply.ok() || reply->entries.empty()) break;
      for (const bpffs::Entry& entry : reply->entries) names.push_back(entry.name);
    }
    more.op = bpffs::Op::kRelease;
    EXPECT_EQ(error(more), Errno{});
    return names;
  }

  bpffs::Who who;

 private:
  bpffs::FileSystem files_;
  const std::string where_;
};

/// All checks of area B about mounts stand in suites that derive from this one.
class MountWorld : public PinWorld {
 protected:
  std::unique_ptr<TestMount> new_mount(const std::string& where, const std::string& options = "") {
    auto mount = std::make_unique<TestMount>(runtime_->impl(), where);
    EXPECT_EQ(mount->mount(options), Errno{});
    return mount;
  }

  struct Pair {
    std::uint32_t hits;
    std::int32_t left;
  };
  /// BTF of a client: 1 unsigned int, 2 int, 3 struct pair.
  long typed_btf() {
    btf::Builder builder;
    const btf::TypeId u = builder.add_int("unsigned int", 4);
    const btf::TypeId i = builder.add_int("int", 4, 1);
    builder.add_struct("pair", 8, {{"hits", u, 0}, {"left", i, 32}});
    const std::vector<std::byte> blob = builder.finish();
    uapi::bpf_attr attr = BpfClient::zero();
    attr.btf = address(blob.data());
    attr.btf_size = static_cast<std::uint32_t>(blob.size());
    return took(bpf().bpf(uapi::BPF_BTF_LOAD, attr));
  }
  long typed_map(std::uint32_t type, std::uint32_t entries = 4) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, sizeof(Pair), entries, {typed_btf(), 1, 3});
    return bpf().create(attr);
  }
  long program() {
    return bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  }
};

}  // namespace ring3::test
