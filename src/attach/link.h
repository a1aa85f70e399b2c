// A link: a program or map held in a place, owned by whoever holds the link. LinkOps has one file per
// kind. A link is created pending, attached by commit(); inside a transaction commit() is deferred to the
// end, so nothing is attached by a load that fails.
#pragma once

#include <cstdint>
#include <string>

#include "object/object.h"
#include "ring3/result.h"
#include "uapi/bpf.h"

namespace ring3::attach {

class Link;

struct LinkOps {
  uapi::bpf_link_type type;
  const char* name;
  Result<void> (*attach)(Link&) = nullptr;      // at commit
  void (*release)(Link&) noexcept = nullptr;    // last reference, or host shutdown: detach if attached
  Result<void> (*detach)(Link&) = nullptr;      // empty: kOpNotSupp
  Result<void> (*update_prog)(Link&, Ref<Object> new_prog, Ref<Object> old_prog, std::uint32_t flags) = nullptr;
  Result<void> (*update_map)(Link&, Ref<Object> new_map, Ref<Object> old_map, std::uint32_t flags) = nullptr;
  void (*fill_info)(const Link&, uapi::bpf_link_info&) = nullptr;
  bool pollable = false;                        // hang-up after detach
};

}  // namespace ring3::attach
