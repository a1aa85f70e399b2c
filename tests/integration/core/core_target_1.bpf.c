#define TARGET 1
#include "core_targets.h"
