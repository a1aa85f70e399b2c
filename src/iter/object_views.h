// Objects as iterator programs see them.
#pragma once

#include "btf/host_view.h"
#include "maps/map.h"
#include "prog/program.h"

namespace ring3::iter {

void fill_map(btf::HostView& view, const maps::Map& map);
/// aux: what bpf_prog::aux leads to.
void fill_program(btf::HostView& view, btf::HostView& aux, const prog::Program& program);

}  // namespace ring3::iter
