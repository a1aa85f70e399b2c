// Load step 3: descriptors inside the instructions become maps, and maps become facts.
#pragma once

#include <vector>

#include "isa/insn.h"
#include "maps/map.h"
#include "prog/load_request.h"
#include "ring3/result.h"
#include "sign/sha256.h"
#include "verifier/log_sink.h"
#include "verifier/verifier.h"

namespace ring3::prog {

struct ResolvedProgram {
  std::vector<verifier::WideImmediate> wide;  // sorted by idx
  std::vector<Ref<maps::Map>> maps;           // in order of first use; bound ones behind
  std::vector<model::MapFacts> facts;         // parallel to `maps`
  std::vector<Ref<BtfObject>> btfs;           // of a counted fd_array, kept with the program
};

/// A counted fd_array, looked up once: what was found is what the program gets, whatever the client writes there meanwhile.
struct BoundArray {
  ResolvedProgram program;           // its maps and BTF objects
  std::vector<std::int32_t> map_at;  // per entry: index into program.maps; -1: BTF
};

/// Every entry is a map or BTF, and all of them belong to the program; without a count there are none.
/// Errors (log names the cause): kBadF, kInval, kFault, kTooBig more than 64 maps; kAcces a map that is exclusive to another program, BTF for a signed one.
Result<BoundArray> bind_fd_array(const LoadRequest& request, const sign::Sha256& digest, DescriptorSource& descriptors,
                                 verifier::LogSink& log);

/// A signed program (request.signature) is held to what `bound` has: its signature covers that.
/// Errors (log names the cause): behaviour.md E.3, E.6.3: kInval, kBadF, kProto, kFault, kTooBig more than 64 maps; kAcces a map that is
/// exclusive to another program, or that a signature does not cover.
Result<ResolvedProgram> resolve(const LoadRequest& request, const sign::Sha256& digest, BoundArray bound, std::span<const isa::Insn> decoded,
                                DescriptorSource& descriptors, verifier::LogSink& log);

/// A map as the verifier sees it.
model::MapFacts map_facts(const maps::Map& map);

}  // namespace ring3::prog
