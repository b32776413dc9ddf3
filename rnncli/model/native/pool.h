/* A few threads that sleep until there is work. */
#ifndef RNNCLI_POOL_H
#define RNNCLI_POOL_H

#include <stdint.h>

/* Tasks that may be done at the same time. */
struct phase {
    void (*work)(const void *context, int64_t task);
    const void *context;
    int64_t tasks;
};

/* Do all tasks of one phase after the other, on up to `threads` threads, and return when all are done. Which thread takes
 * which task is left to chance: no task may depend on it. Meanwhile numbers below the smallest normal one are zeros. */
void rnncli_run(const struct phase *phases, int64_t count, int64_t threads);

#endif
