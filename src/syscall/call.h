// One command being answered: what handlers see. Everything of the caller is reached through here, with
// the errnos the commands share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attach/link.h"
#include "base/try.h"
#include "maps/map.h"
#include "object/object.h"
#include "prog/btf_object.h"
#include "prog/log_buffer.h"
#include "prog/program.h"
#include "syscall/caller.h"
#include "syscall/kernel.h"
#include "syscall/load_session.h"

namespace ring3::syscall {

/// A log the caller named in the common attributes of the five-argument form.
struct CommonLog {
  std::uint64_t buffer = 0;
  std::uint32_t size = 0;
  std::uint32_t level = 0;
  std::uint32_t true_size = 0;  // output
  bool present = false;
};

/// A log being written, and where in the caller's memory it goes.
struct CommandLog {
  prog::LogBuffer text;
  std::uint64_t buffer = 0;
};

class Call {
 public:
  Call(Kernel& kernel, Caller& caller, CommonLog& common) : kernel_(kernel), caller_(caller), common_(common) {}

  Kernel& kernel() { return kernel_; }
  Caller& caller() { return caller_; }
  UserMemory& memory() { return caller_.memory(); }
  model::Rights rights() const { return caller_.rights(); }
  CommonLog& common_log() { return common_; }
  Birth birth();

  // Descriptors of the caller. Errors: kBadF not open; kInval open, but not such an object.
  Result<OpenObject> object(int fd);
  struct OpenMap {
    Ref<maps::Map> map;
    Access access;
    bool may_read() const { return access != Access::kWriteOnly; }
    bool may_write() const { return access != Access::kReadOnly; }
  };
  Result<OpenMap> map(int fd);
  Result<Ref<prog::Program>> program(int fd);
  Result<Ref<attach::Link>> link(int fd);
  Result<Ref<prog::BtfObject>> btf(int fd);

  /// A new descriptor of the caller for an object. Errors: those of Descriptors::open and ClientFiles::install.
  Result<long> give(Ref<Object> object, Access access);
  /// Whether the caller's user may have this fresh object, which counts from now on. Errors, explained: those of ClientLimits.
  Result<void> admit(Object& object);
  /// Whether a map of this spec could ever be admitted: asked before memory for it is taken. Errors, explained: kTooBig, kNoMem, kPerm.
  Result<void> admit_spec(const maps::MapSpec& spec);
  /// The last step of creation: publishes the object, or enters it into the caller's load session, and gives
  /// the caller a descriptor. After an error the object dies unseen.
  Result<long> publish_and_give(Ref<Object> object, Access access);
  /// An object by id: published, or made in the caller's own session. kNoEnt.
  Result<Ref<Object>> find_by_id(ObjectKind kind, std::uint32_t id);

  /// A name field of an attribute (behaviour.md 0.1.7). Errors: kInval.
  static Result<std::string> object_name(const char (&field)[16]);

  /// The log of the attribute, or of the common attributes. Errors: kInval both name a buffer, or the rules of
  /// LogBuffer.
  Result<CommandLog> open_log(std::uint32_t level, std::uint32_t size, std::uint64_t buffer);
  /// Copies the log out and stores its true size. Its error replaces the command's answer.
  /// Errors: kNoSpc the log did not fit; kFault it could not be written.
  Result<void> close_log(const CommandLog& log, std::uint32_t& true_size);
  /// Why a command without a log of its own is refused: one line for the host's log and the common log.
  void explain(std::string_view text);

 private:
  Kernel& kernel_;
  Caller& caller_;
  CommonLog& common_;
};

}  // namespace ring3::syscall
