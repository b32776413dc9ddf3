/* The threads: they sleep on a condition while there is nothing to do, a caller that finds them busy works alone, and
 * a forked child starts with none. */
#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum { MOST_THREADS = 256 };

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* by one caller at a time */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;  /* of all that follows, but for `next` */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, idle = PTHREAD_COND_INITIALIZER;
static int64_t workers, wanted, busy;
static struct {
    void (*work)(const void *, int64_t);
    const void *context;
    int64_t tasks;
    atomic_int_fast64_t next;
} job;

static void take_tasks(void)
{
    for (int64_t task; (task = atomic_fetch_add(&job.next, 1)) < job.tasks;)
        job.work(job.context, task);
}

static void *worker(void *unused)
{
    pthread_mutex_lock(&guard);
    for (;;) {
        while (wanted == 0)
            pthread_cond_wait(&wake, &guard);
        wanted--, busy++;
        pthread_mutex_unlock(&guard);
        take_tasks();
        pthread_mutex_lock(&guard);
        if (--busy == 0)
            pthread_cond_signal(&idle);
    }
    return unused;
}

/* Before a fork both locks are taken, so that the child, which has no thread but its own, finds them free. */
static void before_fork(void)
{
    pthread_mutex_lock(&in_use);
    pthread_mutex_lock(&guard);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&guard);
    pthread_mutex_unlock(&in_use);
}

static void in_child(void)
{
    workers = wanted = busy = 0;
    pthread_cond_init(&wake, NULL);
    pthread_cond_init(&idle, NULL);
    after_fork();
}

static void watch_forks(void) { pthread_atfork(before_fork, after_fork, in_child); }

/* Threads that never see a signal: those belong to the interpreter's own. */
static void start_workers(int64_t count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    pthread_once(&once, watch_forks);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t thread; workers < count; workers++) {
        if (pthread_create(&thread, NULL, worker, NULL) != 0)
            break;
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void rnncli_run(void (*work)(const void *, int64_t), const void *context, int64_t tasks, int64_t threads)
{
    const int64_t most = tasks < MOST_THREADS ? tasks : MOST_THREADS;
    const int64_t helpers = (threads < most ? threads : most) - 1;
    if (helpers < 1 || pthread_mutex_trylock(&in_use) != 0) {
        for (int64_t task = 0; task < tasks; task++)
            work(context, task);
        return;
    }
    pthread_mutex_lock(&guard);
    job.work = work, job.context = context, job.tasks = tasks;
    atomic_store(&job.next, 0);
    start_workers(helpers);
    wanted = helpers < workers ? helpers : workers;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&guard);
    take_tasks();
    pthread_mutex_lock(&guard);
    wanted = 0; /* who is still asleep need not get up any more */
    while (busy > 0)
        pthread_cond_wait(&idle, &guard);
    pthread_mutex_unlock(&guard);
    pthread_mutex_unlock(&in_use);
}
