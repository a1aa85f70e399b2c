#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "ring3/control.h"
#include "ring3/kfunc.h"
#include "ring3/kptr.h"
#include "ring3/log.h"
#include "ring3/result.h"
#include "ring3/rights.h"
#include "ring3/signing.h"
#include "ring3/struct_ops.h"
#include "ring3/struct_ops_host.h"
#include "ring3/test_run.h"
#include "ring3/variable.h"

namespace ring3 {

/// BTF of a host's header, made by ring3_add_btf(NAME HEADER): `extern const ring3::BtfBlob NAME_btf`.
struct BtfBlob {
  const void* data;
  std::size_t size;
};

/// How programs run.
enum class Execution : std::uint8_t {
  kBest,         ///< as machine code where there is a compiler for this machine, else interpreted
  kInterpreter,  ///< interpreted, everywhere
};

/// A clock that nobody but the host moves. After moving it the host calls Runtime::run_timers().
class Clock {
 public:
  /// Nanoseconds since some start; never less than before. Any thread, does not block.
  virtual std::uint64_t now_ns() = 0;

 protected:
  ~Clock() = default;
};

struct RuntimeOptions {
  std::string name;                    ///< shown by `ring3 hosts`; letters, digits, '-', '_'; at most 31
  BtfBlob btf;                         ///< the host's types; what clients see as "vmlinux". Outlives the runtime
  Log* log = nullptr;                  ///< outlives the runtime; null: lines are dropped
  std::uint32_t possible_cpus = 0;     ///< 0: what the machine says
  Execution execution = Execution::kBest;
  bool unprivileged = false;           ///< clients without CAP_BPF may make basic maps and load socket filters; what
                                       ///< such programs do is held to stricter rules, as Linux does it
  Clock* clock = nullptr;              ///< what programs see as time; outlives the runtime. Null: the machine's
  bool accept_unrunnable = false;      ///< programs that need what this host lacks (an attach point, a helper) load all the same:
                                       ///< verified in full and listed, but neither attached nor run
  bool lenient_fields = false;         ///< a map whose value breaks a rule of special fields is made without any, and its programs
                                       ///< are told, as in Linux; else the map is refused and the log names member and rule
  ClientLimits client_limits = {};     ///< what one user's clients may hold
  std::uint64_t map_memory_bytes = 0;  ///< what all maps together may hold, elements and objects in them included; 0: as much as there
                                       ///< is. Beyond it: kNoMem, kTooBig a map that alone needs more; the log names the map
  FrameTaker* frames = nullptr;        ///< takes the frames of clients' live XDP test runs; outlives the runtime. Null: nobody does, they are
                                       ///< dropped and counted
  SigningOptions signing = {};         ///< whose signatures are good, and what becomes of programs without one (docs/signing.md)
  bool blind_constants = false;        ///< machine code holds no constant as a program's author chose it; costs speed
};

/// What the maps of a runtime hold: Runtime::map_memory().
struct MapMemoryUse {
  std::uint64_t held_bytes = 0;   ///< until it is free, which is after readers for elements
  std::uint64_t limit_bytes = 0;  ///< RuntimeOptions::map_memory_bytes
  std::uint64_t refused = 0;      ///< how often something did not fit
};

class RuntimeImpl;

/// One "kernel". No globals: two runtimes live in one process. Thread-safe.
///
/// Order: create, register everything clients may use, then listen() or bpf(). Registering later works too;
/// a program that is being loaded meanwhile does not see it.
///
/// Its end detaches everything in reverse dependency order: after ~Runtime() no client's code runs, and
/// everything a client had loaded is gone. Threads that call into struct_ops points must have stopped before.
class Runtime {
 public:
  /// Errors: kInval the name, or BTF that does not validate; kBadMsg a certificate of a keyring (the log names it); kNoMem.
  static Result<std::unique_ptr<Runtime>> create(const RuntimeOptions& options);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Offers the C struct T (by its name in the host's BTF) for clients to implement, one instance at a time.
  /// Errors: behaviour.md A.1.3 (kInval, kOpNotSupp, kNoEnt), kExist registered already; the log says why.
  template <typename T>
  Result<StructOpsPoint<T>> struct_ops(const StructOpsOptions<T>& options = {}) {
    static_assert(std::is_standard_layout_v<T> && std::is_trivially_copyable_v<T>, "an ops struct is plain C");
    Result<detail::SingleInstance*> policy = add_policy(&options, &detail::make_policy<T>);
    if (!policy.ok()) return policy.error();
    return StructOpsPoint<T>(**policy);
  }
  /// The same with a host policy of the caller's own (def.host), for several instances at once, names, queues ….
  Result<void> struct_ops(const StructOpsDef& def);

  /// Lets programs call the C function Fn, declared in the host's header with RING3_KFUNC. Its C++ prototype is
  /// compared with the BTF's.
  /// Errors: kNoEnt no such function in the BTF; kInval the prototypes differ (the log names both), or a flag does
  /// not fit the prototype; kExist registered already.
  template <auto Fn>
  Result<void> kfunc(const KfuncOptions& options = {}) {
    return add_kfunc(detail::KfuncThunk<Fn, decltype(Fn)>::def(options));
  }

  /// Lets programs read a variable of the host, declared in its header with RING3_VARIABLE: `rt->variable<&limiter_config>()`. It
  /// outlives the runtime; the host may change it at any time, and a program sees single words whole.
  /// Errors: kNoEnt no such variable in the BTF; kInval another size there, or a per-CPU one; kExist registered already.
  template <auto* Variable>
  Result<void> variable() {
    return add_variable(detail::variable_def<Variable>());
  }
  /// The same for one declared with RING3_PERCPU, which bpf_this_cpu_ptr() and bpf_per_cpu_ptr() read: `copies` objects of T, each
  /// `stride_bytes` behind the one before, at least one for each CPU there can be (RuntimeOptions::possible_cpus).
  /// Errors: as above; kInval too few copies, or a variable that is none per CPU.
  template <typename T>
  Result<void> percpu_variable(std::string_view name, const T* first, std::size_t copies, std::size_t stride_bytes = sizeof(T)) {
    return add_variable({.name = name, .first = first, .size_bytes = sizeof(T), .copies = copies, .stride_bytes = stride_bytes});
  }

  /// Lets programs own references to the host struct T (by its name in the host's BTF) and keep them in maps:
  /// `rt->kptr<cache_obj>({.acquire = obj_get, .release = obj_put})`. ring3/counted.h has options for objects with a
  /// counter of ring3's and for std::shared_ptr.
  /// Errors: kNoEnt no such struct in the BTF, or among options.reaches; kInval no release, or a struct of another size;
  /// kTooBig more than 256 types; kExist registered already; kAgain no thread for a release that may sleep. The log
  /// names the type and the rule.
  template <typename T>
  Result<void> kptr(const KptrOptions<T>& options) {
    return add_kptr(detail::kptr_def<T>(options));
  }
  /// The same with a release alone: `rt->kptr<&cache_obj_put>()`.
  template <auto Release>
  Result<void> kptr(bool rcu_safe = false) {
    KptrOptions<typename detail::ObjectOf<decltype(Release)>::Type> options;
    options.release = Release;
    options.rcu_safe = rcu_safe;
    return kptr(options);
  }

  /// A host object goes: what object storage maps keep for it goes first. Called before the object's memory can be used for
  /// another, from its destructor for instance, under no lock that a release of a kptr type takes.
  void storage_owner_gone(const void* object) noexcept;

  /// How many references to host objects the maps of this runtime hold, by type, and how many objects the host says there are. It
  /// looks at every element: for listings and tests. Errors: kNoMem.
  Result<std::vector<KptrUse>> kptr_uses();

  /// Any thread, does not block. Pages of arenas that clients touched count from the next time a program takes or frees one.
  MapMemoryUse map_memory() const noexcept;

  /// bpf(2) by a caller inside this process: attr points to `size` bytes of the calling process.
  /// Returns what the system call would: a result ≥ 0 or a negated errno. All rights are granted.
  long bpf(int cmd, void* attr, std::uint32_t size);

  /// Runs a program that clients have loaded, by its id, on the calling thread. Blocking: as long as the program runs.
  /// Thread-safe. Errors: kNoEnt no such program; kInval sizes or fields its kind does not take; kNotSupp its kind
  /// has no run of this sort; kOpNotSupp members of struct_ops types, which are called through a point.
  Result<TestRunOutcome> test_run(std::uint32_t program_id, const TestRun& run);

  /// Runs, on the calling thread, programs' timers that are due by the host's own clock (RuntimeOptions::clock). Returns
  /// how many ran. With the machine's clock a thread of the runtime's does it.
  std::size_t run_timers();

  /// Opens the control socket, so that `ring3 -H NAME …` reaches this runtime: one thread that accepts, and one for
  /// each client. Ends with the runtime. The folder of the standard place is made when needed.
  /// Errors: kBusy another host listens there, or this one does already; kPerm the folder is somebody else's;
  /// kNameTooLong; kAcces, kNoEnt, kMFile …; the log says which file.
  Result<void> listen(const ListenOptions& options = {});

  RuntimeImpl& impl() { return *impl_; }

 private:
  explicit Runtime(std::unique_ptr<RuntimeImpl> impl);
  Result<detail::SingleInstance*> add_policy(const void* options, detail::MakePolicy make);
  Result<void> add_kfunc(const KfuncDef& def);
  Result<void> add_variable(const VariableDef& def);
  Result<void> add_kptr(const KptrDef& def);

  std::unique_ptr<RuntimeImpl> impl_;
};

}  // namespace ring3
