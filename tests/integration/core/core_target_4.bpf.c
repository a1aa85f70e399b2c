#define TARGET 4
#include "core_targets.h"
