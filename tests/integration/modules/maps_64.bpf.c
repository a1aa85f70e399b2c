/* As many maps as a loader may have. */
#define MAPS_MORE
#include "many_maps.h"
