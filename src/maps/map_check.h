// Creation of a map in the kernel's order of checks (behaviour.md 0.1.9), so that one fault at a time
// gives one errno. The command layer interleaves its own steps:
//
//   check_attr   contradictory BTF ids, map_extra, access-mode flags, unknown type, the type's own check
//   (token, capability, name, BTF descriptor: command layer; `fields` is filled in from the value type)
//   check_btf    sizes of key and value types, the kind's own wishes
//   check_fields flags, then whether this map type may hold each kind of special field
//   create       allocation
//
// create_map() runs all of them, for callers that have resolved everything beforehand.
#pragma once

#include "base/text_sink.h"
#include "maps/map.h"
#include "maps/map_kinds.h"

namespace ring3::maps {

/// Errors: kInval, kTooBig, kPerm, kNotSupp as the kind says; text to the log.
Result<const MapOps*> check_attr(const MapKinds& kinds, const MapSpec& spec, TextSink& log);
Result<void> check_btf(const MapOps& ops, const MapSpec& spec, TextSink& log);
/// Errors: kAcces read-only or write-only to programs; kOpNotSupp the type cannot hold such a field; kNoEnt a
/// pointer whose references the host cannot give back.
Result<void> check_fields(const MapSpec& spec, MapHost& host, TextSink& log);

/// A map of a checked spec, unpublished, one reference, charged to the host's account. Errors: the kind's; kNoMem, kTooBig
/// the limit of all maps, with text.
Result<Ref<Map>> make_map(const MapOps& ops, const MapSpec& spec, MapHost& host, TextSink& log);

/// All checks, then make_map().
Result<Ref<Map>> create_map(const MapKinds& kinds, const MapSpec& spec, MapHost& host, TextSink& log);

/// The text of a map that does not fit, and its errno: kTooBig it alone is more than the limit, else kNoMem.
Errno refuse_memory(const MemoryAccount& memory, const MapSpec& spec, std::string_view kind, std::uint64_t bytes, TextSink& log);
/// What is said when an element did not fit: how much is held of which limit. Empty: there is no limit.
std::string memory_text(const Map& map);

/// Flags that set access modes: at most one of each pair.
bool access_flags_ok(std::uint32_t flags);
inline constexpr std::uint32_t kAccessFlags =
    uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY | uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG;

/// Most bytes of one value of a per-CPU kind.
inline constexpr std::uint32_t kMaxPerCpuValue = 32 * 1024;

/// check_btf slot of kinds that take no BTF at all.
Result<void> refuse_btf(const MapSpec&);

}  // namespace ring3::maps
