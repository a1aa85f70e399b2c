/* One map more than a loader may have. */
#define MAPS_MORE MAP(i0)
#include "many_maps.h"
