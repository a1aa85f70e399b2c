#include "struct_ops/ops_state.h"

namespace ring3::struct_ops {
namespace {

/// Either a state or an errno.
struct Cell {
  constexpr Cell(OpsState s) : state(s), error{} {}              // NOLINT: implicit on purpose
  constexpr Cell(Errno e) : state(OpsState::kInit), error(e) {}  // NOLINT
  OpsState state;
  Errno error;
};

struct Row {
  OpsEvent event;
  OpsFlavour flavour;
  Cell init, in_use, to_be_free, ready;
};

using enum OpsEvent;
using enum OpsFlavour;
using enum OpsState;
using E = Errno;

constexpr Row kRows[] = {
    //                        INIT           INUSE          TOBEFREE        READY
    {kUpdate, kClassic,       kInUse,        E::kBusy,      E::kBusy,       E::kBusy},
    {kUpdate, kLink,          kReady,        E::kBusy,      E::kBusy,       E::kBusy},
    {kDelete, kClassic,       E::kNoEnt,     kToBeFree,     E::kInProgress, E::kOpNotSupp},
    {kDelete, kLink,          E::kOpNotSupp, E::kOpNotSupp, E::kOpNotSupp,  E::kOpNotSupp},
    {kLinkCreate, kClassic,   E::kInval,     E::kInval,     E::kInval,      E::kInval},
    {kLinkCreate, kLink,      E::kInval,     E::kInval,     E::kInval,      kReady},
    {kLinkUpdate, kClassic,   E::kInval,     E::kInval,     E::kInval,      E::kInval},
    {kLinkUpdate, kLink,      E::kInval,     E::kInval,     E::kInval,      kReady},
};

constexpr Cell Row::*column(OpsState from) {
  switch (from) {
    case kInit: return &Row::init;
    case kInUse: return &Row::in_use;
    case kToBeFree: return &Row::to_be_free;
    case kReady: return &Row::ready;
  }
  return &Row::init;
}

}  // namespace

Result<OpsState> next_state(OpsEvent event, OpsFlavour flavour, OpsState from) {
  for (const Row& row : kRows) {
    if (row.event != event || row.flavour != flavour) continue;
    const Cell& cell = row.*column(from);
    if (cell.error != Errno{}) return cell.error;
    return cell.state;
  }
  return Errno::kInval;
}

}  // namespace ring3::struct_ops
