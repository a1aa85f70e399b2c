#define TARGET 5
#include "core_targets.h"
