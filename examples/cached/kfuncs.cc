// What a policy may call. The verifier has checked every pointer: it is an object of the cache that the policy was given or
// holds a reference to. References may be given back on any thread.
#include "store.h"

namespace {
cached::Entry* entry_of(cache_obj* obj) { return static_cast<cached::Entry*>(obj); }
}  // namespace

extern "C" {

cache_obj* cache_obj_get(cache_obj* obj) { return entry_of(obj)->acquire() ? obj : nullptr; }

void cache_obj_put(cache_obj* obj) { entry_of(obj)->release(); }

}  // extern "C"
