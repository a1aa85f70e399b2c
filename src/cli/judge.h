// A runtime that judges programs and runs none, for `ring3 verify`. libbpf's bpf(2) calls come to it in the process.
//
// Its types are those of a BTF file. Of a kernel's BTF, the kernel's own functions and storable structs are known
// (model/kernel_kfuncs.def), and of its struct_ops types what their BTF does not say (model/kernel_struct_ops.def). A host's BTF names its functions and struct_ops tables but says nothing about what the host's
// code registers: such functions have no flags unless Kfunc words say so, every member of a table is supported and may sleep,
// and references to every struct may be stored that the object declares so. assumed() lists what was taken so.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/libbpf_door.h"
#include "ring3/runtime.h"
#include "runtime/runtime_impl.h"
#include "verifier/verifier.h"

namespace ring3::cli {

/// What became of one load.
struct Judgement {
  Errno error{};                                // 0: accepted
  std::optional<verifier::Stats> stats;         // nothing: refused before verification
  std::optional<verifier::Rejection> rejection;
};

struct JudgeOptions {
  std::vector<std::byte> btf;
  model::Rights rights = model::Rights::all();  // of who loads the program; maps and types are made with all
  std::vector<std::string> kfuncs;              // NAME=FLAG,FLAG…: what a host registers its function with
  Log* log = nullptr;
};

class Judge final : public control::LibbpfAnswers, public LoadObserver {
 public:
  /// Errors, with words in why: what Runtime::create() says of the BTF; kInval a kfunc word.
  static Result<std::unique_ptr<Judge>> create(JudgeOptions options, std::string& why);
  virtual ~Judge() = default;

  /// What the object's own types ask for: structs they declare references to, so that maps with them can be made.
  void look_at(std::span<const std::byte> object_btf);
  /// From now on the first load of a program of this name is kept.
  void expect(std::string_view program);
  const std::optional<Judgement>& judgement() const { return judgement_; }
  /// Functions the object calls whose flags nobody has told.
  const std::set<std::string>& assumed() const { return assumed_; }

  long bpf(int cmd, void* attr, std::uint32_t size, void* common, std::uint32_t common_size) override;
  Result<OwnedFd> types() override;
  void judged(const syscall::JudgedProgram& program) override;

 private:
  /// Instances of judged tables are never made.
  class NoTable final : public StructOpsHost {
   public:
    Result<void> reg(StructOpsInstance&, StructOpsAttachment&) override { return Errno::kOpNotSupp; }
    void unreg(StructOpsInstance&, StructOpsAttachment&) noexcept override {}
  };

  explicit Judge(JudgeOptions options) : options_(std::move(options)) {}
  Result<void> offer_functions(std::string& why);
  void offer_tables();
  void offer_stored_type(std::string_view name);
  const btf::Btf& types_of_host() const { return *runtime_->impl().facts()->host_btf; }

  const JudgeOptions options_;
  NoTable table_;
  std::unique_ptr<Runtime> runtime_;
  bool of_kernel_ = false;
  std::string expected_;
  std::optional<Judgement> judgement_;
  std::set<std::string> untold_;   // of all functions in the types
  std::set<std::string> assumed_;
};

}  // namespace ring3::cli
