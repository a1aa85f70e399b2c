// What `ring3` ends with (ring3(1)).
#pragma once

#include "ring3/errno.h"

namespace ring3::cli {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kDenied = 4,
  kRefused = 5,       // by the verifier
  kIncompatible = 6,  // the host does not have what the object needs
  kInUse = 7,
  kUnreachable = 8,   // the host
};

/// Of an answer of the host to a module request.
constexpr ExitCode exit_code_of(Errno error) {
  switch (error) {
    case Errno::kNoEnt: return ExitCode::kNotFound;
    case Errno::kPerm:
    case Errno::kAcces: return ExitCode::kDenied;
    case Errno::kBusy:
    case Errno::kExist: return ExitCode::kInUse;
    case Errno::kSrch:
    case Errno::kOpNotSupp:
    case Errno::kNotSupp: return ExitCode::kIncompatible;
    case Errno::kConnRefused: return ExitCode::kUnreachable;
    default: return ExitCode::kFailed;
  }
}

/// Of a file that could not be read.
constexpr ExitCode exit_code_of_file(Errno error) {
  switch (error) {
    case Errno::kNoEnt: return ExitCode::kNotFound;
    case Errno::kAcces: return ExitCode::kDenied;
    default: return ExitCode::kFailed;
  }
}

}  // namespace ring3::cli
