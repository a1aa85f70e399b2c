// The load pipeline, one file a step:
//
//   check_request     what the attribute alone decides                       check.cc
//   bind_fd_array     a counted fd_array: all of it belongs to the program   resolve.cc
//   check_signature   over the instructions and those maps                   signature.cc
//   admit             the host's policy                                      runtime/
//   decode            slots become instructions, field rules                 isa/
//   read_debug_info   function and line records                              debug_info.cc
//   resolve           descriptors in instructions become maps and facts      resolve.cc
//   find_target       struct_ops member, later functions                     target.cc
//   verify            the verdict                                            verifier/
//   rewrite, compile  what runs                                              rewrite/, exec/
//
// A failure at any step drops everything made so far. The program is invisible until the caller
// publishes it (ObjectTable::publish, the last step; inside a transaction, at its commit).
#pragma once

#include <memory>

#include "exec/engine.h"
#include "exec/machine.h"
#include "model/facts.h"
#include "object/object_table.h"
#include "prog/load_request.h"
#include "prog/program.h"
#include "sign/keyring.h"
#include "verifier/verifier.h"

namespace ring3::prog {

/// A program before anything is known of it but where it comes from.
struct Candidate {
  const LoadRequest& request;
  const sign::Sha256& digest;
  const Provenance& provenance;
  Errno error{};  // of its signature; 0: it is good, or there is none
};

/// What loading needs of the runtime that will own the program. Called from any thread.
class ProgramHost {
 public:
  virtual ObjectTable& objects() = 0;
  /// A snapshot: registrations made later are not seen by a load that is under way.
  virtual std::shared_ptr<const model::Facts> facts() = 0;
  virtual Ref<BtfObject> host_btf() = 0;
  virtual exec::Engine& engine() = 0;
  virtual exec::Machine& machine() = 0;
  /// How references that programs' own objects hold are given back.
  virtual maps::MapHost& map_host() = 0;
  virtual const verifier::Limits& limits() = 0;
  /// A registered struct_ops type may veto a program for one of its members. Errors: the host's code.
  virtual Result<void> check_struct_ops_member(const model::StructOpsType& type, std::uint32_t member,
                                               bool sleepable) = 0;
  /// Programs that can be verified but not run here load all the same, without an entry (Program::runnable()).
  virtual bool accepts_unrunnable() { return false; }
  /// Whose signatures are good; null: nobody's.
  virtual const sign::Keyrings* keyrings() { return nullptr; }
  /// The host's policy. One with a bad signature is told as well, for the record: it fails by that error. Errors: kPerm.
  virtual Result<void> admit(const Candidate&) { return {}; }

 protected:
  ~ProgramHost() = default;
};

/// Makes a program, unpublished. log receives the verifier's text and, for refusals before the verifier, one line.
/// Errors: behaviour.md 0.1.8, A.2.2, E.3, and the verifier's own.
Result<Ref<Program>> load(const LoadRequest& request, DescriptorSource& descriptors, ProgramHost& host,
                          verifier::LogSink& log);

}  // namespace ring3::prog
