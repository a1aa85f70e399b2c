// The annotated objects: one program of one object a case, loaded the way its expectations say, judged by them.
#pragma once

#include <memory>
#include <string>

#include "batch.h"

namespace ring3::conformance {

/// How a kernel is asked; see make_kernel().
struct Backend {
  std::string name, btf;
};

/// The programs of an object that say what is expected of them, in its order. sources: folder of the selftests, for CO-RE
/// files that tags name.
std::unique_ptr<Batch> annotated_batch(const std::string& path, const std::string& sources, const Backend& backend);

}  // namespace ring3::conformance
