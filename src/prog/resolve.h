// Load step 3: descriptors inside the instructions become maps, and maps become facts.
#pragma once

#include <vector>

#include "isa/insn.h"
#include "maps/map.h"
#include "prog/load_request.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"
#include "verifier/verifier.h"

namespace ring3::prog {

struct ResolvedProgram {
  std::vector<verifier::WideImmediate> wide;  // sorted by idx
  std::vector<Ref<maps::Map>> maps;           // in order of first use; bound ones behind
  std::vector<model::MapFacts> facts;         // parallel to `maps`
  std::vector<Ref<BtfObject>> btfs;           // of a counted fd_array, kept with the program
};

/// Errors (log names the cause): behaviour.md E.3: kInval, kBadF, kProto, kFault, kTooBig more than 64 maps.
Result<ResolvedProgram> resolve(const LoadRequest& request, std::span<const isa::Insn> decoded,
                                DescriptorSource& descriptors, verifier::LogSink& log);

/// A map as the verifier sees it.
model::MapFacts map_facts(const maps::Map& map);

}  // namespace ring3::prog
