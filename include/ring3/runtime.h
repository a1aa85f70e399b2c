#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ring3/log.h"
#include "ring3/result.h"
#include "ring3/rights.h"

namespace ring3 {

/// BTF of a host's header, made by ring3_add_btf(NAME HEADER): `extern const ring3::BtfBlob NAME_btf`.
struct BtfBlob {
  const void* data;
  std::size_t size;
};

struct RuntimeOptions {
  std::string name;                    ///< shown by `ring3 hosts`; letters, digits, '-', '_'; at most 31
  BtfBlob btf;                         ///< the host's types; what clients see as "vmlinux"
  Log* log = nullptr;                  ///< outlives the runtime; null: lines are dropped
  std::uint32_t possible_cpus = 0;     ///< 0: what the machine says
};

class RuntimeImpl;

/// One "kernel". No globals: two runtimes live in one process. Thread-safe.
/// Its end detaches everything in reverse dependency order; objects still held by handles stay valid as
/// memory until the handle goes, but nothing runs any more.
class Runtime {
 public:
  /// Errors: kInval the name, or BTF that does not validate (the log names the record); kNoMem.
  static Result<std::unique_ptr<Runtime>> create(const RuntimeOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// bpf(2) by a caller inside this process: attr points to `size` bytes of the calling process.
  /// Returns what the system call would: a result ≥ 0 or a negated errno.
  long bpf(int cmd, void* attr, std::uint32_t size);

  /// Opens the control socket, so that `ring3 -H NAME …` and `ring3 run` reach this runtime.
  /// path: "" for the standard place ($XDG_RUNTIME_DIR/ring3/NAME.sock, or /run/ring3 for root).
  Result<void> listen(const std::string& path = "");

  RuntimeImpl& impl() { return *impl_; }

 private:
  explicit Runtime(std::unique_ptr<RuntimeImpl> impl);
  std::unique_ptr<RuntimeImpl> impl_;
};

}  // namespace ring3
