// One bpffs mount as its host sees it: every operation of a file system over a tree of pins, with the errnos Linux
// gives (behaviour.md B.1 to B.6), and the host's own read-only names (views.h).
//
// A FileSystem is mounted by its first request (Op::kMount) and unmounted by its end: a tree of its own
// (kMountNew) goes with all its pins, the host's tree stays. Its paths mean the tree for pinning clients while mounted.
//
// A node of the tree can be named in a request when an answer of this mount has named it, which a kernel in front of it
// keeps to anyway: else a client without one could pass by directories that it may not search.
//
// Thread-safe. mutex_ is a leaf: it guards the tables of open files, not what they read; one file is read by one
// thread at a time.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/mutex.h"
#include "bpffs/entry_source.h"
#include "bpffs/mount_options.h"
#include "bpffs/request.h"
#include "bpffs/text_source.h"
#include "bpffs/views.h"
#include "runtime/runtime_impl.h"
#include "syscall/pin_mounts.h"

namespace ring3::bpffs {

class FileSystem final : public Backend {
 public:
  explicit FileSystem(RuntimeImpl& runtime) : runtime_(runtime), views_(runtime) {}
  ~FileSystem() override;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  /// Errors: those of the operation; kNoDev not mounted yet; kMFile more than kMaxOpen files.
  Result<Reply> call(const Request& request) override;
  /// What the last kMount was refused for.
  const std::string& why() const { return why_; }

 private:
  static constexpr std::size_t kMaxOpen = 4096;
  struct OpenFile {
    Mutex mutex;
    std::unique_ptr<TextSource> text RING3_GUARDED_BY(mutex);
    std::unique_ptr<EntrySource> entries RING3_GUARDED_BY(mutex);
    std::string ready RING3_GUARDED_BY(mutex);
    bool ended RING3_GUARDED_BY(mutex) = false;
  };

  Result<Reply> mount(const Request&);
  Result<Reply> look_up(const Request&);
  Result<Reply> get_attr(const Request&);
  Result<Reply> set_attr(const Request&);
  Result<Reply> read_link(const Request&);
  Result<Reply> make_directory(const Request&);
  Result<Reply> make_node(const Request&);
  Result<Reply> symlink(const Request&);
  Result<Reply> link(const Request&);
  Result<Reply> unlink(const Request&);
  Result<Reply> remove_directory(const Request&);
  Result<Reply> rename(const Request&);
  Result<Reply> open(const Request&);
  Result<Reply> read(const Request&);
  Result<Reply> release(const Request&);
  Result<Reply> list(const Request&);
  Result<Reply> set_xattr(const Request&);
  Result<Reply> get_xattr(const Request&);
  Result<Reply> list_xattr(const Request&);
  Result<Reply> remove_xattr(const Request&);
  Result<Reply> describe(const Request&);

  syscall::PinTree& tree() { return instance_->tree; }
  /// The views' folder in the root; 0: another name, or no views are wanted.
  std::uint64_t view_name(std::uint64_t node, const std::string& name) const;
  Result<void> free_of_views(std::uint64_t node, const std::string& name) const;
  Result<void> is_told(const Request& request);
  void tell(std::uint64_t node);
  Result<Reply> entry_reply(std::uint64_t parent, const std::string& name, const Request& request);
  Result<std::unique_ptr<TextSource>> pin_text(const Request& request);
  Result<std::unique_ptr<EntrySource>> folder(const Request& request);
  Result<std::shared_ptr<OpenFile>> opened(std::uint64_t handle);

  RuntimeImpl& runtime_;
  Views views_;
  MountOptions options_;
  std::string where_, why_;
  std::shared_ptr<syscall::PinInstance> instance_;  // null: not mounted
  Mutex mutex_;
  std::uint64_t last_handle_ RING3_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, std::shared_ptr<OpenFile>> open_ RING3_GUARDED_BY(mutex_);
  std::set<std::uint64_t> told_ RING3_GUARDED_BY(mutex_);  // nodes of the tree that an answer has named, but the root
  std::size_t tidy_at_ RING3_GUARDED_BY(mutex_) = 1024;    // so many, and those that are gone are taken out
};

}  // namespace ring3::bpffs
