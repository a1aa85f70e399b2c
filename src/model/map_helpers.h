// Which maps go with which helpers, as rows: map_helpers.def.
#pragma once

#include <cstdint>

#include "model/prog_view.h"

namespace ring3::model {

/// May a map of this type be an argument of this helper?
bool map_goes_with(std::uint32_t map_type, std::uint32_t helper);

/// May programs of this kind update and delete elements of socket maps? (Linux: "cannot update sockmap in this context".)
bool may_update_socket_maps(ProgViews view, std::uint32_t helper);

/// Is it a map of sockets?
bool is_socket_map(std::uint32_t map_type);

}  // namespace ring3::model
