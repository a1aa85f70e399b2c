#pragma once

namespace ring3 {

/// An errno of the bpf(2) ABI, as a strong type. Values are Linux's.
/// kNotSupp is the kernel-internal 524 that bpf(2) lets escape; it differs from kOpNotSupp (95).
enum class Errno : int {
  kPerm = 1,
  kNoEnt = 2,
  kSrch = 3,
  kIntr = 4,
  kIo = 5,
  kTooBig = 7,  ///< E2BIG
  kBadF = 9,
  kAgain = 11,
  kNoMem = 12,
  kAcces = 13,
  kFault = 14,
  kBusy = 16,
  kExist = 17,
  kXDev = 18,
  kNoDev = 19,
  kNotDir = 20,
  kIsDir = 21,
  kInval = 22,
  kNFile = 23,
  kMFile = 24,
  kNoTty = 25,
  kNoSpc = 28,
  kSPipe = 29,
  kRoFs = 30,
  kDom = 33,
  kRange = 34,
  kDeadLk = 35,
  kNameTooLong = 36,
  kNoSys = 38,
  kNotEmpty = 39,
  kLoop = 40,
  kNoData = 61,
  kTime = 62,
  kNoLink = 67,
  kProto = 71,
  kBadMsg = 74,
  kOverflow = 75,
  kBadFd = 77,
  kNotSock = 88,
  kOpNotSupp = 95,
  kConnRefused = 111,
  kAlready = 114,
  kInProgress = 115,
  kStale = 116,
  kNoKey = 126,
  kKeyRejected = 129,
  kNotSupp = 524,
};

/// "EINVAL", "ENOTSUPP", …; "E?" for a value outside the list. Never null.
const char* errno_name(Errno e) noexcept;

/// What a bpf(2) command returns for e: the negated errno.
constexpr int to_syscall(Errno e) noexcept { return -static_cast<int>(e); }

}  // namespace ring3
