#include "fuse/operations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include <cerrno>
#include <charconv>
#include <algorithm>
#include <string>
#include <vector>

namespace ring3::fuse {
namespace {

using bpffs::Op;
using bpffs::Reply;
using bpffs::Request;

Operations& operations(fuse_req_t req) { return *static_cast<Operations*>(fuse_req_userdata(req)); }

/// The caller, in the host's ids. Groups are asked for: permissions may hang on them.
bpffs::Who who(fuse_req_t req) {
  const fuse_ctx* context = fuse_req_ctx(req);
  bpffs::Who out;
  out.uid = context->uid;
  out.gid = context->gid;
  if (out.uid != 0) {
    std::vector<gid_t> groups(32);
    int n = fuse_req_getgroups(req, static_cast<int>(groups.size()), groups.data());
    if (n > static_cast<int>(groups.size())) {
      groups.resize(static_cast<std::size_t>(n));
      n = fuse_req_getgroups(req, n, groups.data());
    }
    groups.resize(n > 0 ? std::min(groups.size(), static_cast<std::size_t>(n)) : 0);
    out.groups = std::move(groups);
  }
  return operations(req).host_ids(std::move(out));
}

Request make(fuse_req_t req, Op op, fuse_ino_t node = 0, const char* name = nullptr) {
  Request request;
  request.op = op;
  request.who = who(req);
  request.node = node;
  if (name != nullptr) request.name = name;
  return request;
}

int errno_of(Errno error) {
  // A host that is gone looks like a server that is gone.
  if (error == Errno::kConnRefused) return ENOTCONN;
  return static_cast<int>(error);
}

void fail(fuse_req_t req, Errno error) { fuse_reply_err(req, errno_of(error)); }

void answer_nothing(fuse_req_t req, const Request& request) {
  const Result<Reply> reply = operations(req).call(request);
  fuse_reply_err(req, reply.ok() ? 0 : errno_of(reply.error()));
}

/// Nothing is cached: pins come and go without this mount being asked.
void answer_entry(fuse_req_t req, const Request& request) {
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  fuse_entry_param entry{};
  entry.ino = reply->attr.node;
  entry.attr = operations(req).stat_of(reply->attr);
  fuse_reply_entry(req, &entry);
}

void answer_attr(fuse_req_t req, const Request& request) {
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  const struct stat st = operations(req).stat_of(reply->attr);
  fuse_reply_attr(req, &st, 0);
}

void look_up(fuse_req_t req, fuse_ino_t parent, const char* name) { answer_entry(req, make(req, Op::kLookUp, parent, name)); }

void get_attr(fuse_req_t req, fuse_ino_t node, fuse_file_info*) { answer_attr(req, make(req, Op::kGetAttr, node)); }

std::int64_t ns(const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

void set_attr(fuse_req_t req, fuse_ino_t node, struct stat* st, int to_set, fuse_file_info*) {
  Request request = make(req, Op::kSetAttr, node);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) request.flags |= bpffs::kSetMode;
  if ((to_set & FUSE_SET_ATTR_UID) != 0) request.flags |= bpffs::kSetUid;
  if ((to_set & FUSE_SET_ATTR_GID) != 0) request.flags |= bpffs::kSetGid;
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) request.flags |= bpffs::kSetSize;
  constexpr int kTimes = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW;
  if ((to_set & kTimes) != 0) {
    request.flags |= bpffs::kSetTimes;
    request.accessed_ns = request.modified_ns = -1;  // left as it is
    if ((to_set & FUSE_SET_ATTR_ATIME) != 0)
      request.accessed_ns = ns((to_set & FUSE_SET_ATTR_ATIME_NOW) != 0 ? now : st->st_atim);
    if ((to_set & FUSE_SET_ATTR_MTIME) != 0)
      request.modified_ns = ns((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0 ? now : st->st_mtim);
  }
  request.mode = st->st_mode;
  request.uid = operations(req).host_user(st->st_uid);
  request.gid = operations(req).host_group(st->st_gid);
  answer_attr(req, request);
}

void read_link(fuse_req_t req, fuse_ino_t node) {
  const Result<Reply> reply = operations(req).call(make(req, Op::kReadLink, node));
  if (!reply.ok()) return fail(req, reply.error());
  fuse_reply_readlink(req, reply->text.c_str());
}

void make_node(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, dev_t) {
  Request request = make(req, Op::kMakeNode, parent, name);
  request.mode = mode;
  answer_nothing(req, request);
}

void create(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info*) {
  Request request = make(req, Op::kMakeNode, parent, name);
  request.mode = mode;
  request.flags = O_CREAT;
  answer_nothing(req, request);
}

void make_directory(fuse_req_t req, fuse_ino_t parent, const char* name, mode_t mode) {
  Request request = make(req, Op::kMakeDirectory, parent, name);
  request.mode = mode;  // the kernel has applied the file mask
  answer_entry(req, request);
}

void unlink(fuse_req_t req, fuse_ino_t parent, const char* name) { answer_nothing(req, make(req, Op::kUnlink, parent, name)); }

void remove_directory(fuse_req_t req, fuse_ino_t parent, const char* name) {
  answer_nothing(req, make(req, Op::kRemoveDirectory, parent, name));
}

void symlink(fuse_req_t req, const char* target, fuse_ino_t parent, const char* name) {
  Request request = make(req, Op::kSymlink, parent, name);
  request.text = target;
  answer_entry(req, request);
}

void link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  Request request = make(req, Op::kLink, node, name);
  request.node2 = parent;
  answer_entry(req, request);
}

void rename(fuse_req_t req, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name, unsigned flags) {
  Request request = make(req, Op::kRename, parent, name);
  request.node2 = new_parent;
  request.name2 = new_name;
  request.flags = flags;
  answer_nothing(req, request);
}

void open(fuse_req_t req, fuse_ino_t node, fuse_file_info* file) {
  Request request = make(req, Op::kOpen, node);
  request.flags = static_cast<std::uint32_t>(file->flags & O_ACCMODE);
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  file->fh = reply->handle;
  file->direct_io = 1;    // made as it is read, nobody knows its size
  file->nonseekable = 1;  // lseek: ESPIPE
  fuse_reply_open(req, file);
}

void read(fuse_req_t req, fuse_ino_t, size_t size, off_t, fuse_file_info* file) {
  Request request;  // who may read was settled by open
  request.op = Op::kRead;
  request.handle = file->fh;
  request.size = static_cast<std::uint32_t>(size);
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  fuse_reply_buf(req, reply->text.data(), reply->text.size());
}

void release_handle(fuse_req_t req, std::uint64_t handle) {
  Request request;
  request.op = Op::kRelease;
  request.handle = handle;
  answer_nothing(req, request);
}

void release(fuse_req_t req, fuse_ino_t, fuse_file_info* file) { release_handle(req, file->fh); }

constexpr std::uint32_t kFetch = 256;  // entries at a time; even, as kList likes it

void open_folder(fuse_req_t req, fuse_ino_t node, fuse_file_info* file) {
  Request request = make(req, Op::kOpen, node);
  request.flags = O_DIRECTORY;
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  file->fh = reply->handle;
  fuse_reply_open(req, file);
}

/// Positions 0 and 1 are "." and "..".
constexpr std::uint64_t kDots = 2;

/// The entry at a position; null: the end.
Result<const bpffs::Entry*> entry_at(fuse_req_t req, std::uint64_t handle, std::uint64_t at) {
  Operations::OpenFolder& folder = operations(req).folder(handle);
  if (!folder.fresh || at < folder.first || at >= folder.first + folder.entries.size()) {
    Request request;
    request.op = Op::kList;
    request.handle = handle;
    request.offset = at - at % kFetch;
    request.size = kFetch;
    Result<Reply> reply = operations(req).call(request);
    if (!reply.ok()) return reply.error();
    folder.first = request.offset;
    folder.entries = std::move(reply->entries);
    folder.fresh = true;
  }
  const std::uint64_t index = at - folder.first;
  return index < folder.entries.size() ? &folder.entries[index] : nullptr;
}

void read_folder(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* file) {
  std::vector<char> buffer(size);
  std::size_t used = 0;
  for (auto at = static_cast<std::uint64_t>(offset);; ++at) {
    struct stat st {};
    const char* name = at == 0 ? "." : "..";
    st.st_ino = node;
    st.st_mode = S_IFDIR;
    if (at >= kDots) {
      const Result<const bpffs::Entry*> entry = entry_at(req, file->fh, at - kDots);
      if (!entry.ok()) return fail(req, entry.error());
      if (*entry == nullptr) break;
      name = (*entry)->name.c_str();
      st.st_ino = (*entry)->node != 0 ? (*entry)->node : static_cast<ino_t>(-1);
      st.st_mode = (*entry)->mode;
    }
    const std::size_t bytes =
        fuse_add_direntry(req, buffer.data() + used, size - used, name, &st, static_cast<off_t>(at + 1));
    if (bytes > size - used) break;
    used += bytes;
  }
  fuse_reply_buf(req, buffer.data(), used);
}

void release_folder(fuse_req_t req, fuse_ino_t, fuse_file_info* file) {
  operations(req).forget_folder(file->fh);
  release_handle(req, file->fh);
}

void stat_fs(fuse_req_t req, fuse_ino_t) {
  struct statvfs st {};
  st.f_bsize = st.f_frsize = 4096;
  st.f_namemax = 255;
  fuse_reply_statfs(req, &st);
}

void set_xattr(fuse_req_t req, fuse_ino_t node, const char* name, const char* value, size_t size, int flags) {
  Request request = make(req, Op::kSetXattr, node, name);
  request.text.assign(value, size);
  request.flags = static_cast<std::uint32_t>(flags);
  answer_nothing(req, request);
}

/// A value of which the caller may only want the size.
void answer_sized(fuse_req_t req, const Request& request, size_t size) {
  const Result<Reply> reply = operations(req).call(request);
  if (!reply.ok()) return fail(req, reply.error());
  if (size == 0) {
    fuse_reply_xattr(req, reply->text.size());
  } else if (reply->text.size() > size) {
    fuse_reply_err(req, ERANGE);
  } else {
    fuse_reply_buf(req, reply->text.data(), reply->text.size());
  }
}

void get_xattr(fuse_req_t req, fuse_ino_t node, const char* name, size_t size) {
  answer_sized(req, make(req, Op::kGetXattr, node, name), size);
}

void list_xattr(fuse_req_t req, fuse_ino_t node, size_t size) { answer_sized(req, make(req, Op::kListXattr, node), size); }

void remove_xattr(fuse_req_t req, fuse_ino_t node, const char* name) {
  answer_nothing(req, make(req, Op::kRemoveXattr, node, name));
}

}  // namespace

bpffs::Who Operations::host_ids(bpffs::Who who) const {
  who.uid = users_.to_host(who.uid);
  who.gid = groups_.to_host(who.gid);
  for (gid_t& group : who.groups) group = groups_.to_host(group);
  return who;
}

Result<std::string> Operations::host_options(const std::string& options, std::string& why) const {
  std::string out;
  for (std::size_t at = 0; at <= options.size();) {
    const std::size_t end = std::min(options.find(',', at), options.size());
    std::string option = options.substr(at, end - at);
    const bool user = option.starts_with("uid="), group = option.starts_with("gid=");
    std::uint32_t id = 0;
    const char* last = option.data() + option.size();
    if (user || group) {
      const auto [stop, error] = std::from_chars(option.data() + 4, last, id);
      const IdMap& map = user ? users_ : groups_;
      if (error == std::errc{} && stop == last) {  // what is no number the host refuses
        if (!map.has(id)) {
          why = "mount option '" + option + "' names an id that this user namespace does not have";
          return Errno::kInval;
        }
        option = option.substr(0, 4) + std::to_string(map.to_host(id));
      }
    }
    out += (at == 0 ? "" : ",") + option;
    at = end + 1;
  }
  return out;
}

struct stat Operations::stat_of(const bpffs::Attr& attr) const {
  struct stat st {};
  const auto time = [](std::int64_t t) { return timespec{t / 1'000'000'000, t % 1'000'000'000}; };
  st.st_ino = attr.node;
  st.st_mode = attr.mode;
  st.st_nlink = attr.links;
  st.st_uid = users_.from_host(attr.uid);
  st.st_gid = groups_.from_host(attr.gid);
  st.st_blksize = 4096;
  st.st_atim = time(attr.accessed_ns);
  st.st_mtim = time(attr.modified_ns);
  st.st_ctim = time(attr.changed_ns);
  return st;
}

const fuse_lowlevel_ops& Operations::table() {
  static const fuse_lowlevel_ops ops = [] {
    fuse_lowlevel_ops out{};
    out.lookup = &look_up;
    out.getattr = &get_attr;
    out.setattr = &set_attr;
    out.readlink = &read_link;
    out.mknod = &make_node;
    out.mkdir = &make_directory;
    out.unlink = &unlink;
    out.rmdir = &remove_directory;
    out.symlink = &symlink;
    out.rename = &rename;
    out.link = &link;
    out.open = &open;
    out.read = &read;
    out.release = &release;
    out.opendir = &open_folder;
    out.readdir = &read_folder;
    out.releasedir = &release_folder;
    out.statfs = &stat_fs;
    out.setxattr = &set_xattr;
    out.getxattr = &get_xattr;
    out.listxattr = &list_xattr;
    out.removexattr = &remove_xattr;
    out.create = &create;
    return out;
  }();
  return ops;
}

}  // namespace ring3::fuse
