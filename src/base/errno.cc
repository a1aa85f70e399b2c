#include "ring3/errno.h"

namespace ring3 {

const char* errno_name(Errno e) noexcept {
  switch (e) {
    case Errno::kPerm: return "EPERM";
    case Errno::kNoEnt: return "ENOENT";
    case Errno::kSrch: return "ESRCH";
    case Errno::kIntr: return "EINTR";
    case Errno::kIo: return "EIO";
    case Errno::kTooBig: return "E2BIG";
    case Errno::kBadF: return "EBADF";
    case Errno::kAgain: return "EAGAIN";
    case Errno::kNoMem: return "ENOMEM";
    case Errno::kAcces: return "EACCES";
    case Errno::kFault: return "EFAULT";
    case Errno::kBusy: return "EBUSY";
    case Errno::kExist: return "EEXIST";
    case Errno::kXDev: return "EXDEV";
    case Errno::kNoDev: return "ENODEV";
    case Errno::kNotDir: return "ENOTDIR";
    case Errno::kIsDir: return "EISDIR";
    case Errno::kInval: return "EINVAL";
    case Errno::kNFile: return "ENFILE";
    case Errno::kMFile: return "EMFILE";
    case Errno::kNoTty: return "ENOTTY";
    case Errno::kNoSpc: return "ENOSPC";
    case Errno::kSPipe: return "ESPIPE";
    case Errno::kRoFs: return "EROFS";
    case Errno::kDom: return "EDOM";
    case Errno::kRange: return "ERANGE";
    case Errno::kDeadLk: return "EDEADLK";
    case Errno::kNameTooLong: return "ENAMETOOLONG";
    case Errno::kNoSys: return "ENOSYS";
    case Errno::kNotEmpty: return "ENOTEMPTY";
    case Errno::kLoop: return "ELOOP";
    case Errno::kNoData: return "ENODATA";
    case Errno::kTime: return "ETIME";
    case Errno::kNoLink: return "ENOLINK";
    case Errno::kProto: return "EPROTO";
    case Errno::kBadMsg: return "EBADMSG";
    case Errno::kOverflow: return "EOVERFLOW";
    case Errno::kBadFd: return "EBADFD";
    case Errno::kNotSock: return "ENOTSOCK";
    case Errno::kOpNotSupp: return "EOPNOTSUPP";
    case Errno::kConnRefused: return "ECONNREFUSED";
    case Errno::kAlready: return "EALREADY";
    case Errno::kInProgress: return "EINPROGRESS";
    case Errno::kStale: return "ESTALE";
    case Errno::kNoKey: return "ENOKEY";
    case Errno::kKeyRejected: return "EKEYREJECTED";
    case Errno::kNotSupp: return "ENOTSUPP";
  }
  return "E?";
}

}  // namespace ring3
