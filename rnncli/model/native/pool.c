/* The threads: they sleep on a condition while there is nothing to do, a caller that finds them busy works alone, and
 * a forked child starts with none. Before it goes to sleep a thread looks for a while: between phases, where all are
 * about to be ready, and after a job, since the next step of a training is about to come. */
#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

/* A thousand looks take some 50 microseconds, about as long as it takes to be woken; what training does between two
 * calls takes longer than that. */
enum { MOST_THREADS = 256, LOOKS = 1000, LOOKS_FOR_A_JOB = 3000 };

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* by one caller at a time */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;  /* of workers and wanted, and of going to sleep */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER, arrived = PTHREAD_COND_INITIALIZER;
static int64_t workers, wanted, processors;
static atomic_int_fast64_t begun;                  /* jobs */
static atomic_int_fast64_t done, present, waiting; /* tasks; less than zero: workers at work; threads that sleep */
static struct {
    const struct phase *phases;
    int64_t number, count, seats; /* every thread has a seat, and a phase's tasks are dealt out to the seats in turn */
    atomic_int_fast64_t *taken; /* (count, seats) */
} job;

/* Whether a counter comes as far as that while it is looked at. */
static int seen(atomic_int_fast64_t *counter, int64_t value, int looks)
{
    for (int look = 0; look < looks; look++) {
        if (atomic_load(counter) >= value)
            return 1;
#if defined __x86_64__
        _mm_pause();
#elif defined __aarch64__
        __asm__ volatile("isb");
#endif
    }
    return 0;
}

/* Wait until a counter has come as far as that. */
static void wait_for(atomic_int_fast64_t *counter, int64_t value)
{
    if (seen(counter, value, LOOKS))
        return;
    pthread_mutex_lock(&guard);
    atomic_fetch_add(&waiting, 1);
    while (atomic_load(counter) < value)
        pthread_cond_wait(&arrived, &guard);
    atomic_fetch_sub(&waiting, 1);
    pthread_mutex_unlock(&guard);
}

static void advance(atomic_int_fast64_t *counter)
{
    atomic_fetch_add(counter, 1);
    if (atomic_load(&waiting) == 0) /* who is about to sleep has said so before its last look */
        return;
    pthread_mutex_lock(&guard);
    pthread_cond_broadcast(&arrived);
    pthread_mutex_unlock(&guard);
}

/* Do tasks, those of one's own seat first: what they read is likely to be in the caches of this processor. */
static void take_tasks(int64_t seat)
{
    int64_t first = 0; /* task of the phase, counted over all */
    for (int64_t p = 0; p < job.count; first += job.phases[p++].tasks) {
        const struct phase *phase = &job.phases[p];
        atomic_int_fast64_t *taken = job.taken + p * job.seats;
        for (int64_t i = 0; i < job.seats; i++) {
            const int64_t whose = (seat + i) % job.seats;
            for (int64_t task; (task = whose + job.seats * atomic_fetch_add(&taken[whose], 1)) < phase->tasks;) {
                wait_for(&done, first);
                phase->work(phase->context, task);
                advance(&done);
            }
        }
    }
}

/* Numbers below the smallest normal one become zeros; what the thread did with them before. A gradient that vanishes on
 * its way back through time would cost a hundred cycles an operation. */
static uint64_t flush_subnormals(void)
{
    uint64_t before = 0;
#if defined __x86_64__
    before = _mm_getcsr();
    _mm_setcsr((unsigned int)before | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
#elif defined __aarch64__
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | UINT64_C(1) << 24));
#endif
    return before;
}

static void as_before(uint64_t before)
{
#if defined __x86_64__
    _mm_setcsr((unsigned int)before);
#elif defined __aarch64__
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

static void *worker(void *number)
{
    flush_subnormals();
    for (;;) {
        pthread_mutex_lock(&guard);
        while (wanted == 0)
            pthread_cond_wait(&wake, &guard);
        wanted--;
        atomic_fetch_sub(&present, 1);
        pthread_mutex_unlock(&guard);
        const int64_t next = job.number + 1;
        const int looks = job.seats <= processors ? LOOKS_FOR_A_JOB : 0; /* else it is in the way of others */
        take_tasks((int64_t)(intptr_t)number % job.seats);
        advance(&present);
        seen(&begun, next, looks);
    }
    return number;
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
    workers = wanted = 0;
    atomic_store(&present, 0);
    atomic_store(&waiting, 0);
    pthread_cond_init(&wake, NULL);
    pthread_cond_init(&arrived, NULL);
    after_fork();
}

static void begin(void)
{
    processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_atfork(before_fork, after_fork, in_child);
}

/* Threads that never see a signal: those belong to the interpreter's own. */
static void start_workers(int64_t count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    pthread_once(&once, begin);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (pthread_t thread; workers < count; workers++) {
        if (pthread_create(&thread, NULL, worker, (void *)(intptr_t)(workers + 1)) != 0)
            break;
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void share_out(const struct phase *phases, int64_t count, int64_t helpers, atomic_int_fast64_t *taken)
{
    pthread_mutex_lock(&guard);
    job.number++, job.phases = phases, job.count = count, job.seats = helpers + 1, job.taken = taken;
    atomic_store(&done, 0);
    for (int64_t i = 0; i < count * job.seats; i++)
        atomic_init(&taken[i], 0);
    start_workers(helpers);
    wanted = helpers < workers ? helpers : workers;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&guard);
    atomic_store(&begun, job.number); /* now that the lock is free */
    take_tasks(0);
    pthread_mutex_lock(&guard);
    wanted = 0; /* who is still asleep need not get up any more */
    pthread_mutex_unlock(&guard);
    wait_for(&present, 0);
}

static void work_alone(const struct phase *phases, int64_t count)
{
    for (int64_t p = 0; p < count; p++)
        for (int64_t task = 0; task < phases[p].tasks; task++)
            phases[p].work(phases[p].context, task);
}

void rnncli_run(const struct phase *phases, int64_t count, int64_t threads)
{
    const uint64_t before = flush_subnormals();
    int64_t most = 0;
    for (int64_t p = 0; p < count; p++)
        most = phases[p].tasks > most ? phases[p].tasks : most;
    most = most < threads ? most : threads;
    most = most < MOST_THREADS ? most : MOST_THREADS;
    atomic_int_fast64_t *taken = NULL;
    if (most > 1 && pthread_mutex_trylock(&in_use) == 0) {
        taken = malloc((size_t)(count * most) * sizeof *taken);
        if (taken)
            share_out(phases, count, most - 1, taken);
        pthread_mutex_unlock(&in_use);
    }
    if (!taken)
        work_alone(phases, count);
    free(taken);
    as_before(before);
}
