#include "exec/kfunc_table.h"

#include "exec/helpers/kfunc_rows.h"

namespace ring3::exec {

rewrite::HelperFn find_own_kfunc(std::string_view name) noexcept {
  for (const KfuncRows rows : {object_kfuncs(), link_kfuncs(), section_kfuncs(), iterator_kfuncs(), task_kfuncs(), dynptr_kfuncs(),
                               work_kfuncs(), arena_kfuncs(), map_kfuncs()})
    for (const OwnKfunc& row : rows)
      if (row.name == name) return row.fn;
  return nullptr;
}

}  // namespace ring3::exec
