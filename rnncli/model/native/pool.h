/* A few threads that sleep until there is work. */
#ifndef RNNCLI_POOL_H
#define RNNCLI_POOL_H

#include <stdint.h>

/* Call work(context, 0) … work(context, tasks - 1), on up to `threads` threads at a time, and return when all are done.
 * Which thread takes which task is left to chance: no task may depend on it. */
void rnncli_run(void (*work)(const void *, int64_t), const void *context, int64_t tasks, int64_t threads);

#endif
