#include "model/hidden_args.h"

namespace ring3::model {
namespace {

using S = KfuncSpecial;

constexpr HiddenArgs kRows[] = {
    // function          type node read-only shown
    {S::kObjNew, 2, 0, 0, 0},
    {S::kObjDrop, 2, 0, 0, 0},
    {S::kPercpuObjNew, 2, 0, 0, 0},
    {S::kRefcountAcquire, 2, 0, 0, 0},
    {S::kListPush, 3, 4, 0, 0},
    {S::kRbtreeAdd, 4, 5, 0, 0},
    {S::kDynptrFromSkb, 0, 0, 4, 0},
    {S::kDynptrFromXdp, 0, 0, 4, 0},
    {S::kMapStruct, 0, 0, 0, 2},
};

}  // namespace

const HiddenArgs* hidden_args(KfuncSpecial special) {
  for (const HiddenArgs& row : kRows)
    if (row.special == special) return &row;
  return nullptr;
}

}  // namespace ring3::model
