// Objects that state no expectations. What their runners state in tables of their own is taken from there; of all other
// programs, what this machine's kernel says to them is expected.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch.h"
#include "runner.h"

namespace ring3::conformance {

/// What a runner states of one program.
struct Stated {
  bool refused = false;
  std::vector<std::string> messages;   // in order of the log; {{regex}} parts
  std::optional<std::int64_t> retval;  // accepted, run once
};

/// Tables of runners. Objects that occur in them are judged by them alone: what is not named is to be accepted.
class StatedVerdicts {
 public:
  /// Lines OBJECT, OBJECT PROGRAM [MESSAGE…] for what must be refused ("*": each of the object), OBJECT PROGRAM =RESULT; tabs between.
  bool read(const std::string& file);
  bool has(const std::string& object) const { return objects_.count(object) != 0; }
  Stated of(const std::string& object, const std::string& program) const;

 private:
  std::map<std::string, std::map<std::string, Stated>> objects_;
};

/// Programs that this machine's kernel judges otherwise than 6.12 does, a reason each.
using NewerVerdicts = std::map<std::string, std::string>;

std::unique_ptr<Batch> plain_batch(const std::string& path, const StatedVerdicts& stated, const NewerVerdicts& newer,
                                   const Backend& backend);

}  // namespace ring3::conformance
