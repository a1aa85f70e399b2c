// The machine's own kernel as an oracle of the verifier's fuzz target: the same program by BPF_PROG_LOAD, with all rights. Nothing
// is attached or run, and the descriptor is closed at once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fuzz/support/fuzz_world.h"
#include "fuzz/support/kernel_path.h"
#include "isa/insn.h"
#include "ring3/errno.h"
#include "tests/support/kernel_load.h"

namespace ring3::fuzz {

class KernelOracle {
 public:
  /// Null: bpf(2) loads no programs here, and why says so.
  static std::unique_ptr<KernelOracle> make(std::string& why);
  ~KernelOracle();
  KernelOracle(const KernelOracle&) = delete;
  KernelOracle& operator=(const KernelOracle&) = delete;

  struct Asked {
    std::uint32_t prog_type = 0, flags = 0;
    std::span<const isa::RawInsn> raw;  // names as in fuzz_world.h; map 0 is the array
    bool has_types = false;             // its functions have records
    bool accepted = false;              // by ring3
    std::vector<bool> reached;          // … which instructions it walked
    Errno error{};                      // if not
    std::string rule;                   // … and which rule it breaks
    std::function<bool()> every_path_agrees;  // … a walk without pruning ends, and says the same
    Believed believed;                        // … and what that walk knew
    std::function<bool()> runs_for_ever;      // refused as a loop without end: some run of it was seen not to end
    std::vector<std::vector<isa::RawInsn>> edits{};  // the same program, written in other ways
    std::string found_by;               // how to see it again
  };
  /// What is wrong: accepted here, refused there, for no reason that is known. Empty: nothing.
  std::string compare(const Asked& asked);
  /// How often the verdicts were equal, and the differences by reason.
  void print() const;

 private:
  KernelOracle(long map, long hash);
  /// The program with descriptors and ids of the kernel's. Nothing: it names what is not there.
  std::optional<std::vector<isa::RawInsn>> translated(std::span<const isa::RawInsn> raw, long map) const;
  /// 0, or an errno. Nothing: cannot be asked. map: which one stands for map 0.
  std::optional<long> load(const Asked& asked, std::span<const isa::RawInsn> raw, long map, std::string* log) const;

  const native::Bpf bpf_;
  const long map_, hash_;  // the array, and a map of that size of which no kernel knows what is in it
  long types_ = -1;
  std::array<std::int32_t, kHostFunctions> functions_{};  // 0: the kernel does not show it
  std::uint64_t compared_ = 0, both_accept_ = 0, given_up_ = 0;
  /// Differences of one kind.
  struct Kind {
    std::uint64_t count = 0;
    std::string first;  // found_by of the first few
  };
  static void note(Kind& kind, const std::string& found_by);
  static void print(const char* what, const std::map<std::string, Kind>& kinds);
  bool refuses_an_edit(const Asked& asked) const;
  /// Why a kernel may refuse what is accepted here, in words. Empty: for no reason that is known.
  static std::string reason(const Asked& asked, const std::string& log);

  std::map<std::string, Kind> only_here_;   // accepted here: by reason
  std::map<std::string, Kind> only_there_;  // refused here: by rule
};

/// Null unless a program turned it on.
inline std::unique_ptr<KernelOracle>& kernel_oracle() {
  static std::unique_ptr<KernelOracle> oracle;
  return oracle;
}

}  // namespace ring3::fuzz
