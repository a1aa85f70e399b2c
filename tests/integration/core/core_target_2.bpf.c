#define TARGET 2
#include "core_targets.h"
