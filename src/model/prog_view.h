// Views: the kinds of program as far as helpers, contexts and results tell them apart. Some types of program are several
// kinds, by attach type. A bit each, so that a row names all its views at once.
#pragma once

#include <cstdint>

namespace ring3::model {

using ProgViews = std::uint64_t;

enum ProgView : ProgViews {
  kViewNone = 0,
  kViewSocketFilter = 1ull << 0,
  kViewKprobe = 1ull << 1,
  kViewTc = 1ull << 2,           // classifiers and actions
  kViewTracepoint = 1ull << 3,
  kViewXdp = 1ull << 4,
  kViewXdpDevmap = 1ull << 5,
  kViewPerfEvent = 1ull << 6,
  kViewCgroupSkb = 1ull << 7,
  kViewSockCreate = 1ull << 8,
  kViewSockPostBind4 = 1ull << 9,
  kViewSockPostBind6 = 1ull << 10,
  kViewSockRelease = 1ull << 11,
  kViewLwtIn = 1ull << 12,
  kViewLwtOut = 1ull << 13,
  kViewLwtXmit = 1ull << 14,
  kViewSockOps = 1ull << 15,
  kViewSkSkb = 1ull << 16,
  kViewDeviceUntyped = 1ull << 17,  // loaded without an attach type
  kViewSkMsg = 1ull << 18,
  kViewRawTp = 1ull << 19,
  kViewSeg6Local = 1ull << 20,
  kViewLirc = 1ull << 21,
  kViewSkReuseport = 1ull << 22,
  kViewFlowDissector = 1ull << 23,
  kViewSysctlUntyped = 1ull << 24,  // the same
  kViewRawTpWritable = 1ull << 25,
  kViewSockoptGet = 1ull << 26,
  kViewSockoptSet = 1ull << 27,
  kViewTraceRawTp = 1ull << 28,  // raw tracepoints typed by BTF
  kViewTraceProbe = 1ull << 29,  // fentry, fexit, fmod_ret
  kViewTraceIter = 1ull << 30,
  kViewLsm = 1ull << 31,
  kViewLsmCgroup = 1ull << 32,
  kViewStructOps = 1ull << 33,
  kViewSkLookup = 1ull << 34,
  kViewSyscall = 1ull << 35,
  kViewNetfilter = 1ull << 36,
  kViewBind4 = 1ull << 37,       // from here: CGROUP_SOCK_ADDR
  kViewBind6 = 1ull << 38,
  kViewConnect4 = 1ull << 39,
  kViewConnect6 = 1ull << 40,
  kViewSendMsg4 = 1ull << 41,
  kViewSendMsg6 = 1ull << 42,
  kViewRecvMsg4 = 1ull << 43,
  kViewRecvMsg6 = 1ull << 44,
  kViewPeerName4 = 1ull << 45,
  kViewPeerName6 = 1ull << 46,
  kViewSockName4 = 1ull << 47,
  kViewSockName6 = 1ull << 48,
  kViewUnixConnect = 1ull << 49,
  kViewUnixSendMsg = 1ull << 50,
  kViewUnixRecvMsg = 1ull << 51,
  kViewUnixPeerName = 1ull << 52,
  kViewUnixSockName = 1ull << 53,
  kViewDeviceTyped = 1ull << 54,
  kViewSysctlTyped = 1ull << 55,
};

// Groups, by what their members share.
constexpr ProgViews kViewAll = (1ull << 56) - 1;
constexpr ProgViews kViewCgroupDevice = kViewDeviceUntyped | kViewDeviceTyped;
constexpr ProgViews kViewCgroupSysctl = kViewSysctlUntyped | kViewSysctlTyped;
constexpr ProgViews kViewAnyXdp = kViewXdp | kViewXdpDevmap;
constexpr ProgViews kViewLwt = kViewLwtIn | kViewLwtOut | kViewLwtXmit;
constexpr ProgViews kViewAnyLwt = kViewLwt | kViewSeg6Local;
constexpr ProgViews kViewCgroupSock = kViewSockCreate | kViewSockPostBind4 | kViewSockPostBind6 | kViewSockRelease;
constexpr ProgViews kViewSockopt = kViewSockoptGet | kViewSockoptSet;
constexpr ProgViews kViewAddr4 =
    kViewBind4 | kViewConnect4 | kViewSendMsg4 | kViewRecvMsg4 | kViewPeerName4 | kViewSockName4;
constexpr ProgViews kViewAddr6 =
    kViewBind6 | kViewConnect6 | kViewSendMsg6 | kViewRecvMsg6 | kViewPeerName6 | kViewSockName6;
constexpr ProgViews kViewAddrUnix =
    kViewUnixConnect | kViewUnixSendMsg | kViewUnixRecvMsg | kViewUnixPeerName | kViewUnixSockName;
constexpr ProgViews kViewAddr = kViewAddr4 | kViewAddr6 | kViewAddrUnix;
constexpr ProgViews kViewBtfTracing = kViewTraceRawTp | kViewTraceProbe | kViewTraceIter;
constexpr ProgViews kViewAnyLsm = kViewLsm | kViewLsmCgroup;
constexpr ProgViews kViewPlainTracing =
    kViewKprobe | kViewTracepoint | kViewPerfEvent | kViewRawTp | kViewRawTpWritable;
/// Kinds that see pointers to host structs in their context.
constexpr ProgViews kViewTyped = kViewBtfTracing | kViewAnyLsm;

}  // namespace ring3::model
