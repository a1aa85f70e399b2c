#include "bpffs/file_system.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <utility>
#include <vector>

#include "base/try.h"
#include "bpffs/iterator_reader.h"
#include "bpffs/map_reader.h"
#include "bpffs/preload.h"

namespace ring3::bpffs {
namespace {

using syscall::PinIdentity;
using syscall::PinKind;
using syscall::PinPath;

PinIdentity identity(const Request& request) {
  return {request.who.uid, request.who.gid, request.who.groups, request.who.admin || request.who.uid == 0};
}

PinPath at(std::uint64_t node, const std::string& name = {}) { return PinPath(node, name); }

mode_t type_bits(PinKind kind) {
  switch (kind) {
    case PinKind::kDirectory: return S_IFDIR;
    case PinKind::kSymlink: return S_IFLNK;
    case PinKind::kObject: break;
  }
  return S_IFREG;
}

Attr attr_of(const syscall::PinStat& st) {
  Attr out;
  out.node = st.inode;
  out.mode = st.mode | type_bits(st.kind);
  out.uid = st.uid;
  out.gid = st.gid;
  out.links = st.links;
  out.accessed_ns = st.accessed_ns;
  out.modified_ns = st.modified_ns;
  out.changed_ns = st.changed_ns;
  return out;
}

bool made_up(std::uint64_t node) { return (node & kMadeUp) != 0; }

/// Whether a view that belongs to the runtime's user may be looked at. Others are not even told whether it is there.
Result<void> may_view(Views& views, std::uint64_t node, const Request& request, mode_t wanted) {
  const bool admin = request.who.admin || request.who.uid == 0;
  if (!admin && request.who.uid != Views::owner()) return Errno::kAcces;
  const Attr attr = RING3_TRY(views.attr(node));
  if (!admin && (attr.mode >> 6 & wanted) != wanted) return Errno::kAcces;
  return {};
}

Reply with_attr(Attr attr) {
  Reply reply;
  reply.attr = attr;
  return reply;
}

/// The answer to an operation that says nothing.
Result<Reply> done(const Result<void>& status) {
  if (!status.ok()) return status.error();
  return Reply{};
}

}  // namespace

FileSystem::~FileSystem() {
  if (!instance_) return;
  unload_iterators(*instance_);
  runtime_.kernel().mounts().unmount(instance_, where_);
}

Result<Reply> FileSystem::call(const Request& request) {
  using Handler = Result<Reply> (FileSystem::*)(const Request&);
  static constexpr std::array<Handler, 22> kHandlers = {
      nullptr,
      &FileSystem::mount,      &FileSystem::look_up,        &FileSystem::get_attr,  &FileSystem::set_attr,
      &FileSystem::read_link,  &FileSystem::make_directory, &FileSystem::make_node, &FileSystem::symlink,
      &FileSystem::link,       &FileSystem::unlink,         &FileSystem::remove_directory, &FileSystem::rename,
      &FileSystem::open,       &FileSystem::read,           &FileSystem::release,   &FileSystem::list,
      &FileSystem::set_xattr,  &FileSystem::get_xattr,      &FileSystem::list_xattr, &FileSystem::remove_xattr,
      &FileSystem::describe};
  const auto op = static_cast<std::size_t>(request.op);
  if (op == 0 || op >= kHandlers.size()) return Errno::kNoSys;
  if (!instance_ && request.op != Op::kMount) return Errno::kNoDev;
  RING3_TRY(is_told(request));
  return (this->*kHandlers[op])(request);
}

Result<void> FileSystem::is_told(const Request& request) {
  MutexLock lock(mutex_);
  for (const std::uint64_t node : {request.node, request.node2})
    if (node > kRoot && !made_up(node) && told_.count(node) == 0) return Errno::kStale;
  return {};
}

Result<Reply> FileSystem::mount(const Request& request) {
  if (instance_) return Errno::kBusy;
  if (request.name.empty() || request.name.front() != '/') return Errno::kInval;
  const auto types = runtime_.host_btf()->btf();
  options_ = RING3_TRY(parse_mount_options(request.text, *types, why_));
  const bool own = (request.flags & kMountNew) != 0;
  if (options_.delegation.any() && !request.who.admin && request.who.uid != 0) {
    why_ = "delegation is for administrators";
    return Errno::kPerm;
  }
  if (!own && (options_.uid || options_.gid || options_.mode || options_.delegation.any())) {
    why_ = "uid, gid, mode and delegation belong to a tree of its own (--new); the host's tree has them already";
    return Errno::kInval;
  }
  where_ = request.name;
  syscall::PinMounts& mounts = runtime_.kernel().mounts();
  if (!own) {
    instance_ = mounts.mount_main(where_);
  } else {
    if (!options_.uid) options_.uid = request.who.uid;
    if (!options_.gid) options_.gid = request.who.gid;
    instance_ = mounts.mount_new(where_, *options_.uid, *options_.gid, options_.mode.value_or(01777),
                                 options_.delegation, (request.flags & kMountForeign) != 0);
  }
  preload_iterators(runtime_, *instance_);
  return Reply{};
}

Result<Reply> FileSystem::describe(const Request&) {
  Reply reply;
  reply.text = mount_options_text(options_, *runtime_.host_btf()->btf());
  return reply;
}

std::uint64_t FileSystem::view_name(std::uint64_t node, const std::string& name) const {
  return node == kRoot && options_.views && name == Views::kRootName ? Views::root_node() : 0;
}

Result<void> FileSystem::free_of_views(std::uint64_t node, const std::string& name) const {
  if (made_up(node)) return Errno::kPerm;
  if (view_name(node, name) != 0) return Errno::kExist;
  return {};
}

Result<Reply> FileSystem::entry_reply(std::uint64_t parent, const std::string& name, const Request& request) {
  const syscall::PinStat st = RING3_TRY(tree().stat(at(parent, name), identity(request), false));
  tell(st.inode);
  return with_attr(attr_of(st));
}

/// Numbers of what is gone are kept until there are as many of them as of others.
void FileSystem::tell(std::uint64_t node) {
  std::vector<std::uint64_t> gone;
  {
    MutexLock lock(mutex_);
    told_.insert(node);
    if (told_.size() < tidy_at_) return;
    gone.assign(told_.begin(), told_.end());
  }
  std::erase_if(gone, [this](std::uint64_t told) { return tree().knows(told); });
  MutexLock lock(mutex_);
  for (const std::uint64_t told : gone) told_.erase(told);
  tidy_at_ = 2 * told_.size() + 1024;
}

Result<Reply> FileSystem::look_up(const Request& request) {
  if (made_up(request.node)) {
    RING3_TRY(may_view(views_, request.node, request, 1));
    const std::uint64_t node = RING3_TRY(views_.look_up(request.node, request.name));
    return with_attr(RING3_TRY(views_.attr(node)));
  }
  if (const std::uint64_t view = view_name(request.node, request.name); view != 0)
    return with_attr(RING3_TRY(views_.attr(view)));
  return entry_reply(request.node, request.name, request);
}

Result<Reply> FileSystem::get_attr(const Request& request) {
  if (made_up(request.node)) {
    // What is below the views' folder is reached through it only, by those who may: which ids there are is not for others.
    if (request.node != Views::root_node()) RING3_TRY(may_view(views_, request.node, request, 4));
    return with_attr(RING3_TRY(views_.attr(request.node)));
  }
  return with_attr(attr_of(RING3_TRY(tree().stat(at(request.node), identity(request), false))));
}

Result<Reply> FileSystem::set_attr(const Request& request) {
  if (made_up(request.node)) return Errno::kPerm;
  if ((request.flags & kSetSize) != 0) return Errno::kInval;
  const PinIdentity who = identity(request);
  if ((request.flags & kSetMode) != 0) RING3_TRY(tree().change_mode(at(request.node), who, request.mode & 07777));
  if ((request.flags & (kSetUid | kSetGid)) != 0) {
    const uid_t uid = (request.flags & kSetUid) != 0 ? request.uid : static_cast<uid_t>(-1);
    const gid_t gid = (request.flags & kSetGid) != 0 ? request.gid : static_cast<gid_t>(-1);
    RING3_TRY(tree().change_owner(at(request.node), who, uid, gid));
  }
  if ((request.flags & kSetTimes) != 0)
    RING3_TRY(tree().change_times(at(request.node), who, request.accessed_ns, request.modified_ns));
  return get_attr(request);
}

Result<Reply> FileSystem::read_link(const Request& request) {
  if (made_up(request.node)) return Errno::kInval;
  const syscall::PinStat st = RING3_TRY(tree().stat(at(request.node), identity(request), false));
  if (st.kind != PinKind::kSymlink) return Errno::kInval;
  Reply reply;
  reply.text = st.target;
  return reply;
}

Result<Reply> FileSystem::make_directory(const Request& request) {
  RING3_TRY(free_of_views(request.node, request.name));
  RING3_TRY(tree().make_directory(at(request.node, request.name), identity(request), request.mode, request.who.umask));
  return entry_reply(request.node, request.name, request);
}

/// Nothing but pins lives here: open(O_CREAT) is EACCES, mknod of any kind EPERM.
Result<Reply> FileSystem::make_node(const Request& request) {
  RING3_TRY(free_of_views(request.node, request.name));
  return (request.flags & O_CREAT) != 0 ? Errno::kAcces : Errno::kPerm;
}

Result<Reply> FileSystem::symlink(const Request& request) {
  RING3_TRY(free_of_views(request.node, request.name));
  RING3_TRY(tree().symlink(request.text, at(request.node, request.name), identity(request)));
  return entry_reply(request.node, request.name, request);
}

Result<Reply> FileSystem::link(const Request& request) {
  if (made_up(request.node)) return Errno::kPerm;
  RING3_TRY(free_of_views(request.node2, request.name));
  RING3_TRY(tree().link(at(request.node), at(request.node2, request.name), identity(request)));
  return entry_reply(request.node2, request.name, request);
}

Result<Reply> FileSystem::unlink(const Request& request) {
  if (made_up(request.node)) return Errno::kPerm;
  if (view_name(request.node, request.name) != 0) return Errno::kIsDir;
  return done(tree().unlink(at(request.node, request.name), identity(request)));
}

Result<Reply> FileSystem::remove_directory(const Request& request) {
  if (made_up(request.node) || view_name(request.node, request.name) != 0) return Errno::kPerm;
  return done(tree().remove_directory(at(request.node, request.name), identity(request)));
}

Result<Reply> FileSystem::rename(const Request& request) {
  if (made_up(request.node) || made_up(request.node2) || view_name(request.node, request.name) != 0 ||
      view_name(request.node2, request.name2) != 0)
    return Errno::kPerm;
  return done(tree().rename(at(request.node, request.name), at(request.node2, request.name2), identity(request),
                            request.flags));
}

Result<std::unique_ptr<TextSource>> FileSystem::pin_text(const Request& request) {
  // Nothing can be written here (B.4.3): a writer is refused before anything else is looked at.
  if ((request.flags & O_ACCMODE) != O_RDONLY) return Errno::kAcces;
  if (made_up(request.node)) {
    RING3_TRY(may_view(views_, request.node, request, 4));
    return views_.open(request.node);
  }
  Ref<Object> object = RING3_TRY(tree().get(at(request.node), identity(request), true, false));
  if (object->kind() == ObjectKind::kLink) return iterator_text(ref_cast<attach::Link>(std::move(object)), runtime_.host_btf()->btf());
  if (object->kind() != ObjectKind::kMap) return Errno::kIo;
  return map_text(ref_cast<maps::Map>(std::move(object)), runtime_.host_btf()->btf());
}

Result<std::unique_ptr<EntrySource>> FileSystem::folder(const Request& request) {
  if (made_up(request.node)) {
    RING3_TRY(may_view(views_, request.node, request, 4));
    return views_.list(request.node);
  }
  std::vector<Entry> entries;
  for (const syscall::PinEntry& entry : RING3_TRY(tree().list(at(request.node), identity(request))))
    entries.push_back({entry.name, entry.stat.inode, type_bits(entry.stat.kind)});
  if (view_name(request.node, Views::kRootName) != 0) entries.push_back({Views::kRootName, Views::root_node(), mode_t{S_IFDIR}});
  return std::unique_ptr<EntrySource>(new Snapshot(std::move(entries)));
}

Result<Reply> FileSystem::open(const Request& request) {
  auto file = std::make_shared<OpenFile>();
  {
    MutexLock lock(file->mutex);
    if ((request.flags & O_DIRECTORY) != 0)
      file->entries = RING3_TRY(folder(request));
    else
      file->text = RING3_TRY(pin_text(request));
  }
  Reply reply;
  MutexLock lock(mutex_);
  if (open_.size() >= kMaxOpen) return Errno::kMFile;
  reply.handle = ++last_handle_;
  open_.emplace(reply.handle, std::move(file));
  return reply;
}

Result<std::shared_ptr<FileSystem::OpenFile>> FileSystem::opened(std::uint64_t handle) {
  MutexLock lock(mutex_);
  const auto found = open_.find(handle);
  if (found == open_.end()) return Errno::kBadF;
  return found->second;
}

Result<Reply> FileSystem::read(const Request& request) {
  const std::shared_ptr<OpenFile> file = RING3_TRY(opened(request.handle));
  MutexLock lock(file->mutex);
  if (!file->text) return Errno::kIsDir;
  while (!file->ended && file->ready.size() < request.size) {
    const std::size_t before = file->ready.size();
    const Result<void> more = file->text->more(file->ready);
    if (!more.ok() && file->ready.empty()) return more.error();
    if (!more.ok()) break;  // said by the next read
    file->ended = file->ready.size() == before;
  }
  Reply reply;
  reply.text = file->ready.substr(0, request.size);
  file->ready.erase(0, reply.text.size());
  return reply;
}

Result<Reply> FileSystem::release(const Request& request) {
  std::shared_ptr<OpenFile> file;  // ends after the lock
  MutexLock lock(mutex_);
  const auto found = open_.find(request.handle);
  if (found == open_.end()) return Errno::kBadF;
  file = std::move(found->second);
  open_.erase(found);
  return Reply{};
}

Result<Reply> FileSystem::list(const Request& request) {
  const std::shared_ptr<OpenFile> file = RING3_TRY(opened(request.handle));
  MutexLock lock(file->mutex);
  if (!file->entries) return Errno::kNotDir;
  Reply reply;
  reply.entries = RING3_TRY(file->entries->read(request.offset, request.size));
  return reply;
}

Result<Reply> FileSystem::set_xattr(const Request& request) {
  if (made_up(request.node)) return Errno::kOpNotSupp;
  return done(tree().set_xattr(at(request.node), identity(request), request.name, request.text, request.flags));
}

Result<Reply> FileSystem::get_xattr(const Request& request) {
  if (made_up(request.node)) return Errno::kNoData;
  Reply reply;
  reply.text = RING3_TRY(tree().get_xattr(at(request.node), identity(request), request.name));
  return reply;
}

Result<Reply> FileSystem::list_xattr(const Request& request) {
  Reply reply;
  if (!made_up(request.node)) reply.text = RING3_TRY(tree().list_xattr(at(request.node), identity(request)));
  return reply;
}

Result<Reply> FileSystem::remove_xattr(const Request& request) {
  if (made_up(request.node)) return Errno::kOpNotSupp;
  return done(tree().remove_xattr(at(request.node), identity(request), request.name));
}

}  // namespace ring3::bpffs
