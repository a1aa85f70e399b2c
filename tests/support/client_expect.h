/* For test clients in C: the first thing that is not as it should be is told, and ends the client. */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPECT(condition)                                                               \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      exit(1);                                                                          \
    }                                                                                   \
  } while (0)
