// Where a reference was taken: in debug builds every Ref carries a record of its place in the source,
// and the leak list names it. Release builds compile all of this away.
//
// A record belongs to one Ref, moves with it and dies with it. Records of an object form a list
// guarded by one process-wide mutex (debug only, a leaf of the lock order).
#pragma once

#include <string>
#include <vector>

#if !defined(NDEBUG)
#define RING3_REF_ORIGINS 1
#endif

namespace ring3 {

class Object;

/// A place in the source, caught by default arguments.
struct Place {
  const char* file;
  int line;
  static constexpr Place here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

#if defined(RING3_REF_ORIGINS)

struct RefOrigin {
  Place place;
  RefOrigin* prev = nullptr;
  RefOrigin* next = nullptr;
};

/// Head of an object's list.
struct RefOrigins {
  RefOrigin* first = nullptr;
};

/// Null when memory is short: the reference then goes unnamed.
RefOrigin* track_ref(const Object* o, Place place) noexcept;
void untrack_ref(const Object* o, RefOrigin* origin) noexcept;
/// "file:line" of each tracked reference.
std::vector<std::string> ref_places(const Object& o);

#endif

}  // namespace ring3
