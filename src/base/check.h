#pragma once
/// GOS_CHECK: our own mistakes, never reachable by input. Prints expression, file and line, and aborts.
/// GOS_DCHECK: the same in debug builds only, for hot paths.

#include <cstdio>
#include <cstdlib>

#define GOS_CHECK(condition)                                                                          \
  do {                                                                                                \
    if (!(condition)) {                                                                               \
      std::fprintf(stderr, "gossamer: internal error: %s (%s:%d)\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                                   \
    }                                                                                                 \
  } while (0)

#ifdef NDEBUG
#define GOS_DCHECK(condition) ((void)0)
#else
#define GOS_DCHECK(condition) GOS_CHECK(condition)
#endif
