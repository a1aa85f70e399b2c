#define TARGET 3
#include "core_targets.h"
