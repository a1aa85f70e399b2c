// Module records on the wire: the fields of module::ModuleInfo, each named once for both directions.
#pragma once

#include "control/wire.h"
#include "module/module_info.h"

namespace ring3::control {

void put_module(WireWriter& out, const module::ModuleInfo& info);
/// What does not fit makes `in` fail.
module::ModuleInfo get_module(WireReader& in);

}  // namespace ring3::control
