/* Recurrent layers on a CPU: rnn, lstm, gru and carry_lstm in one direction, forward and backward, in float32.
 *
 * Plain C without dependencies; layer.py calls it. Rows of a batch are independent through time, so that a thread takes
 * a block of rows through the whole sequence, or back through some of its steps; then the gradients of the weights get
 * what these steps bring, all rows together. The results' bits depend on the instruction set, and not on the number of
 * threads. */
#include <stddef.h>
#include <stdint.h>

#include "plan.h"
#include "pool.h"

#ifndef SOURCE_HASH
#define SOURCE_HASH "unknown"
#endif

#define ALWAYS inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif
/* How much is worked through at a time, for the sake of caches; of sums that are added up, for exactness too. */
enum { MOST_STEPS = 128, CHUNK_RUNS = 128, WEIGHTS_AT_ONCE = 5120, GRADIENTS_AT_ONCE = 4096, MOST_COLUMNS = 288 };
enum { MOST_ROWS = 96, COLUMNS_AT_ONCE = 16 };
enum { FAR = 1 << 19 }; /* more floats than a second-level cache holds, */
#ifndef WINDOW
#define WINDOW (1 << 18) /* and fewer */
#endif

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(x) JOIN(x, SET)

#ifndef __x86_64__
#define WITH_PORTABLE
#endif
#ifdef WITH_PORTABLE
/* Portable: vectors of four floats. */
#define SET portable
#define TITLE "portable"
#define LANES 4
#define MOST 24
#ifdef __ARM_NEON
#include <arm_neon.h>
#define FMA(a, b, c) ((vec)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define SPREAD(x) ((vec)vdupq_n_f32(x))
#define UPPER(limit, x) ((vec)vminq_f32((float32x4_t)(limit), (float32x4_t)(x)))
#define LOWER(limit, x) ((vec)vmaxq_f32((float32x4_t)(limit), (float32x4_t)(x)))
#define ROWS_OF_2 8
#define ROWS_OF_3 6
#define ROWS_OF_4 6
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#define SPREAD(x) ((vec){(x), (x), (x), (x)})
#define UPPER(limit, x) NAME(upper)(limit, x)
#define LOWER(limit, x) NAME(lower)(limit, x)
typedef float vec_portable __attribute__((vector_size(16)));
typedef int32_t ints_portable __attribute__((vector_size(16)));
static ALWAYS vec_portable choose(ints_portable mask, vec_portable a, vec_portable b)
{
    return (vec_portable)((mask & (ints_portable)a) | (~mask & (ints_portable)b));
}
static ALWAYS vec_portable NAME(upper)(vec_portable limit, vec_portable x)
{
    return choose((ints_portable)(x > limit), limit, x);
}
static ALWAYS vec_portable NAME(lower)(vec_portable limit, vec_portable x)
{
    return choose((ints_portable)(x < limit), limit, x);
}
#define ROWS_OF_2 4
#define ROWS_OF_3 4
#define ROWS_OF_4 3
#endif
#include "kernels.h"
#endif

#ifdef __x86_64__
#include <immintrin.h>

/* AVX2: 16 registers of eight floats. A comparison with no number gives the second operand, x. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define SET avx2
#define TITLE "avx2"
#define LANES 8
#define MOST 12
#define FMA(a, b, c) ((vec)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define SPREAD(x) ((vec)_mm256_set1_ps(x))
#define UPPER(limit, x) ((vec)_mm256_min_ps((__m256)(limit), (__m256)(x)))
#define LOWER(limit, x) ((vec)_mm256_max_ps((__m256)(limit), (__m256)(x)))
#define ROWS_OF_2 6
#define ROWS_OF_3 4
#define ROWS_OF_4 3
#include "kernels.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* AVX-512: 32 registers of sixteen floats. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#endif
#define SET avx512
#define TITLE "avx512"
#define LANES 16
#define MOST 24
#define FMA(a, b, c) ((vec)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define SPREAD(x) ((vec)_mm512_set1_ps(x))
#define UPPER(limit, x) ((vec)_mm512_min_ps((__m512)(limit), (__m512)(x)))
#define LOWER(limit, x) ((vec)_mm512_max_ps((__m512)(limit), (__m512)(x)))
#define ROWS_OF_2 8
#define ROWS_OF_3 8
#define ROWS_OF_4 6
#include "kernels.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

/* ------------------------------------------------------------------------------------------- which kernels -- */

static const struct kernels *const SETS[] = {
#ifdef __x86_64__
    &kernels_avx512,
    &kernels_avx2,
#endif
#ifdef WITH_PORTABLE
    &kernels_portable,
#endif
};

static int runs_here(const struct kernels *kernels)
{
#ifdef __x86_64__
    __builtin_cpu_init();
    if (kernels == &kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
               && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (kernels == &kernels_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return kernels != NULL;
}
enum { SET_COUNT = sizeof SETS / sizeof SETS[0] };

const struct kernels *rnncli_set(int64_t set) { return SETS[set]; }

/* The name of an instruction set, fastest first; null past the last. */
const char *rnncli_set_name(int64_t set) { return set >= 0 && set < SET_COUNT ? SETS[set]->name : NULL; }

int64_t rnncli_set_runs_here(int64_t set) { return runs_here(SETS[set]); }

/* The hash of the source that this was compiled from. */
const char *rnncli_source_hash(void) { return SOURCE_HASH; }

/* ------------------------------------------------------------------------------------------------- the plan -- */

static const int SLOT_GATES[4] = {0, 1, 2, 3};
static const int GRU_X_GATES[3] = {2, 0, 1}; /* slots: n of the input, r, z, n of the state */

/* A piece of an arena that grows by whole cache lines; without memory it only counts. */
static void *carve(float **arena, int64_t *size, int64_t floats)
{
    float *at = *arena;
    floats = rounded_up(floats, 16);
    *size += floats;
    if (at)
        *arena = at + floats;
    return at;
}

void rnncli_lay_out(struct plan *p, const struct call *c, const struct kernels *kernels, int backward,
                    int64_t sizes[2])
{
    const int64_t lanes = kernels->lanes, vectors_of_units = (c->hidden + lanes - 1) / lanes;
    const int carries = c->cell == LSTM || c->cell == CARRY_LSTM;
    int64_t abreast = 1; /* vectors of one gate in a panel, so that a tile has four vectors if it can */
    for (int64_t i = 2; i <= 4 && c->cell == RNN; i++)
        abreast = vectors_of_units % i == 0 ? i : abreast;
    p->call = c;
    p->kernels = kernels;
    p->lanes = lanes;
    p->vectors = c->cell == RNN ? abreast : 4;
    p->units = abreast * lanes;
    p->panels = vectors_of_units / abreast;
    p->padded = p->panels * p->units;
    p->own_at = carries ? p->padded : 0;
    p->h_at = p->own_at + (c->mask ? p->padded : 0);
    p->x_at = p->h_at + p->padded;
    p->row = (rounded_up(p->x_at + 1 + c->inputs, 16) / 16 | 1) * 16; /* an odd number of lines: rows spread over sets */
    const int64_t floats_a_step = c->batch * (p->row + p->panels * p->vectors * lanes);
    p->window = smaller(c->steps, WINDOW / floats_a_step + 1);
    p->windows = (c->steps + p->window - 1) / p->window;
    p->at_once = c->threads > 1 ? p->windows : 1;
    p->row_slots = c->training ? c->steps + 1 : 2;
    p->gate_slots = !c->training ? 1 : c->cell == RNN ? smaller(c->steps, p->at_once * p->window) : c->steps;
    const int64_t shares = c->threads * ((c->batch + MOST_ROWS * c->threads - 1) / (MOST_ROWS * c->threads));
    p->block = rounded_up((c->batch + shares - 1) / shares, 2);
    p->blocks = (c->batch + p->block - 1) / p->block;
    p->group = c->threads > 1 ? (p->panels + 2 * c->threads - 1) / (2 * c->threads) : p->panels;
    p->groups = (p->panels + p->group - 1) / p->group;
    p->pieces = (h_columns(p) + MOST_COLUMNS - 1) / MOST_COLUMNS;
    if (p->pieces * p->groups < c->threads) /* one for every thread */
        p->pieces = (c->threads + p->groups - 1) / p->groups;
    p->piece = rounded_up((h_columns(p) + p->pieces - 1) / p->pieces, 12);
    p->pieces = (h_columns(p) + p->piece - 1) / p->piece;
    p->far = p->panels * p->vectors * lanes * (c->hidden + c->inputs) > FAR;
    p->chunk_steps = GRADIENTS_AT_ONCE / (p->vectors * lanes);
    p->dx_padded = rounded_up(c->inputs, lanes);

    const int64_t wide = p->vectors * lanes, hidden = c->hidden, inputs = 1 + c->inputs;
    float *saved = c->saved, *scratch = c->scratch, **of_steps = c->training ? &saved : &scratch;
    int64_t *size_of_steps = c->training ? &sizes[0] : &sizes[1];
    sizes[0] = sizes[1] = 0;
    p->rows = carve(of_steps, size_of_steps, p->row_slots * c->batch * p->row);
    p->gates = carve(of_steps, size_of_steps, (c->training ? p->panels * c->steps : 1) * c->batch * wide);
    p->order = carve(&scratch, &sizes[1], c->batch);
    p->active = carve(&scratch, &sizes[1], c->steps + 1);
    const int gru = c->cell == GRU, carry = c->cell == CARRY_LSTM;
    const int64_t used = gru ? 3 * lanes : wide;
    if (!backward) {
        p->sums = carries ? NULL : carve(&scratch, &sizes[1], c->batch * wide);
        p->pack_h = carve(&scratch, &sizes[1], p->panels * (hidden + (gru ? 1 : inputs)) * used);
        p->pack_x = carve(&scratch, &sizes[1], gru ? p->panels * inputs * used : 0);
        p->pack_c = carve(&scratch, &sizes[1], carry ? p->panels * hidden * lanes : 0);
        return;
    }
    p->pack_h = carve(&scratch, &sizes[1], p->panels * used * p->padded);
    p->pack_x = carve(&scratch, &sizes[1], p->panels * used * p->dx_padded);
    p->pack_c = carve(&scratch, &sizes[1], carry ? p->panels * lanes * p->padded : 0);
    p->grad_h = carve(&scratch, &sizes[1], p->panels * h_columns(p) * used);
    p->grad_x = carve(&scratch, &sizes[1], gru ? p->panels * inputs * used : 0);
    p->grad_c = carve(&scratch, &sizes[1], carry ? p->panels * hidden * lanes : 0);
    p->dh = carve(&scratch, &sizes[1], c->batch * p->padded);
    p->dc = carve(&scratch, &sizes[1], c->batch * p->padded);
    p->dx = carve(&scratch, &sizes[1], c->batch * p->dx_padded);
    p->dm = gru && c->mask ? carve(&scratch, &sizes[1], c->batch * p->padded) : p->dh;
    const int64_t floats_a_run = sizeof(struct run) / sizeof(float);
    const int64_t most_runs = 2 * c->steps + c->steps * c->batch / p->chunk_steps + 2;
    p->time_runs = carve(&scratch, &sizes[1], most_runs * floats_a_run);
    p->chunks = carve(&scratch, &sizes[1], most_runs * (int64_t)(sizeof(struct chunk) / sizeof(float)));
    p->window_chunks = carve(&scratch, &sizes[1], p->windows + 1);
    p->of_phases = carve(&scratch, &sizes[1], p->windows * (int64_t)(sizeof(struct windows) / sizeof(float)));
    p->phases = carve(&scratch, &sizes[1], 2 * p->windows * (int64_t)(sizeof(struct phase) / sizeof(float)));
    p->h_runs = carve(&scratch, &sizes[1], p->panels * floats_a_run);
    p->c_runs = carve(&scratch, &sizes[1], p->panels * floats_a_run);
}

/* Sort the rows by length, longest first and else in their order, and count the valid rows of every step.
 * Zero if a length is none. */
static int sort_rows(struct plan *p)
{
    const struct call *c = p->call;
    if (!c->lengths) {
        for (int64_t row = 0; row < c->batch; row++)
            p->order[row] = (int32_t)row;
        for (int64_t t = 0; t < c->steps; t++)
            p->active[t] = (int32_t)c->batch;
        return 1;
    }
    for (int64_t t = 0; t <= c->steps; t++)
        p->active[t] = 0;
    for (int64_t row = 0; row < c->batch; row++) {
        if (c->lengths[row] < 0 || c->lengths[row] > c->steps)
            return 0;
        p->active[c->lengths[row]]++;
    }
    for (int64_t t = c->steps, place = 0; t >= 0; t--) { /* the first place of every length */
        const int32_t count = p->active[t];
        p->active[t] = (int32_t)place;
        place += count;
    }
    for (int64_t row = 0; row < c->batch; row++)
        p->order[p->active[c->lengths[row]]++] = (int32_t)row;
    for (int64_t t = 0; t < c->steps; t++) /* now the end of the places of every length, and so of all that are longer */
        p->active[t] = p->active[t + 1];
    return 1;
}

/* ------------------------------------------------------------------------------------------------- packing -- */

/* Where the i-th lane of a panel's vectors takes its row of a weight matrix from; -1 where there is no unit. */
static int64_t row_of(const struct plan *p, int64_t panel, const int *gates, int64_t i)
{
    const int one_gate = p->call->cell == RNN;
    const int64_t unit = panel * p->units + (one_gate ? i : i % p->lanes);
    return unit < p->call->hidden ? (one_gate ? 0 : gates[i / p->lanes]) * p->call->hidden + unit : -1;
}

/* Weights as the forward products read them: [panel][column][vector][lane]; panels lie `stride` floats apart. A few
 * columns at a time: both forms then stay in the first-level cache. */
static void pack(const struct plan *p, const float *weight, int64_t columns, const int *gates, int64_t vectors,
                 float *out, int64_t stride)
{
    const int64_t width = vectors * p->lanes;
    for (int64_t panel = 0; panel < p->panels; panel++)
        for (int64_t first = 0; first < columns; first += COLUMNS_AT_ONCE)
            for (int64_t i = 0; i < width; i++) {
                const int64_t row = row_of(p, panel, gates, i), end = smaller(first + COLUMNS_AT_ONCE, columns);
                float *to = out + panel * stride + i;
                for (int64_t k = first; k < end; k++)
                    to[k * width] = row < 0 ? 0.0f : weight[row * columns + k];
            }
}

/* The gradient of weights from that form to torch's. */
static void unpack(const struct plan *p, const float *packed, int64_t stride, int64_t columns, const int *gates,
                   int64_t vectors, float *gradient)
{
    const int64_t width = vectors * p->lanes;
    for (int64_t panel = 0; panel < p->panels; panel++)
        for (int64_t first = 0; first < columns; first += COLUMNS_AT_ONCE)
            for (int64_t i = 0; i < width; i++) {
                const int64_t row = row_of(p, panel, gates, i), end = smaller(first + COLUMNS_AT_ONCE, columns);
                const float *from = packed + panel * stride + i;
                for (int64_t k = first; row >= 0 && k < end; k++)
                    gradient[row * columns + k] = from[k * width];
            }
}

/* Weights as the backward products read them: four vectors of columns at a time, [columns][panel][vector][lane]. */
static void pack_transposed(const struct plan *p, const float *weight, int64_t columns, int64_t padded,
                            const int *gates, int64_t vectors, float *out)
{
    const int64_t lanes = p->lanes, steps = p->panels * vectors * lanes;
    for (int64_t column = 0; column < padded; column += 4 * lanes) {
        const int64_t width = smaller(4 * lanes, padded - column);
        float *to = out + column * steps;
        for (int64_t k = 0; k < steps; k++, to += width) {
            const int64_t row = row_of(p, k / (vectors * lanes), gates, k % (vectors * lanes));
            const int64_t some = row < 0 ? 0 : smaller(width, columns - column);
            for (int64_t i = 0; i < some; i++)
                to[i] = weight[row * columns + column + i];
            for (int64_t i = some < 0 ? 0 : some; i < width; i++)
                to[i] = 0.0f;
        }
    }
}

static void pack_forward(const struct plan *p)
{
    const struct call *c = p->call;
    const int64_t hidden = c->hidden, inputs = 1 + c->inputs, wide = p->vectors * p->lanes;
    if (c->cell != GRU) {
        const int64_t stride = (hidden + inputs) * wide;
        pack(p, c->w_hh, hidden, SLOT_GATES, p->vectors, p->pack_h, stride);
        pack(p, c->w_ih, c->inputs, SLOT_GATES, p->vectors, p->pack_h + (hidden + 1) * wide, stride);
        if (c->cell == CARRY_LSTM)
            pack(p, c->w_ch, hidden, SLOT_GATES, 1, p->pack_c, hidden * p->lanes);
    } else {
        pack(p, c->w_hh, hidden, SLOT_GATES, 3, p->pack_h, (hidden + 1) * 3 * p->lanes);
        pack(p, c->w_ih, c->inputs, GRU_X_GATES, 3, p->pack_x + 3 * p->lanes, inputs * 3 * p->lanes);
    }
}

/* Biases: one row of the packed weights, for the input that is always one; gru's n has one for either product. */
static void pack_biases(const struct plan *p)
{
    const struct call *c = p->call;
    const int64_t hidden = c->hidden, inputs = 1 + c->inputs, vectors = c->cell == GRU ? 3 : p->vectors;
    const int64_t lanes = p->lanes, wide = vectors * lanes;
    const int *gates = c->cell == GRU ? GRU_X_GATES : SLOT_GATES;
    for (int64_t panel = 0; panel < p->panels; panel++)
        for (int64_t i = 0; i < wide; i++) {
            const int64_t v = i / lanes, row = row_of(p, panel, gates, i);
            const float in = c->b_ih && row >= 0 ? c->b_ih[row] : 0.0f, own = c->b_hh && row >= 0 ? c->b_hh[row] : 0.0f;
            if (c->cell != GRU) {
                p->pack_h[panel * (hidden + inputs) * wide + hidden * wide + i] = in + own;
                continue;
            }
            p->pack_x[panel * inputs * wide + i] = v == 0 ? in : in + own;
            if (v == 0) /* n stands first among the input's vectors and last among the state's */
                p->pack_h[panel * (hidden + 1) * wide + hidden * wide + 2 * lanes + i] = own;
        }
}

static void pack_backward(struct plan *p)
{
    const struct call *c = p->call;
    const int64_t vectors = c->cell == GRU ? 3 : p->vectors;
    pack_transposed(p, c->w_hh, c->hidden, p->padded, SLOT_GATES, vectors, p->pack_h);
    if (c->dx)
        pack_transposed(p, c->w_ih, c->inputs, p->dx_padded, c->cell == GRU ? GRU_X_GATES : SLOT_GATES, vectors,
                        p->pack_x);
    if (c->cell == CARRY_LSTM)
        pack_transposed(p, c->w_ch, c->hidden, p->padded, SLOT_GATES, 1, p->pack_c);
}

/* The valid rows of all steps, in chunks whose dz stays in the first-level cache while all columns pass by. A window
 * begins with a chunk of its own, though it be empty. */
static void list_chunks(struct plan *p)
{
    const struct call *c = p->call;
    const int64_t wide = p->vectors * p->lanes;
    struct run *next = p->time_runs, *run = next;
    int64_t steps = 0, count = 0;
    for (int64_t s = 0; s < c->steps; s++) {
        const int64_t rows = p->active[c->reversed ? c->steps - 1 - s : s];
        const int64_t at = s * c->batch * p->row, dz = s % p->gate_slots * c->batch * wide;
        if (s % p->window == 0) {
            p->window_chunks[s / p->window] = (int32_t)count;
            *(run = next++) = (struct run){at, dz, 0};
            p->chunks[count++] = (struct chunk){run, 1};
            steps = 0;
        }
        for (int64_t row = 0, some; row < rows; row += some) {
            const int full = steps == p->chunk_steps;
            if (full || run->a + run->count * p->row != at + row * p->row) { /* else no padding lies between */
                *(run = next++) = (struct run){at + row * p->row, dz + row * wide, 0};
                if (full)
                    p->chunks[count++] = (struct chunk){run, 0}, steps = 0;
                p->chunks[count - 1].count++;
            }
            some = smaller(rows - row, p->chunk_steps - steps);
            run->count += some;
            steps += some;
        }
    }
    p->window_chunks[p->windows] = (int32_t)count;
}

/* What the backward products run over: the panels of a step's dz, and the valid rows of all steps. */
static void list_runs(struct plan *p)
{
    const struct call *c = p->call;
    const int64_t wide = p->vectors * p->lanes, used = c->cell == GRU ? 3 * p->lanes : wide;
    const int64_t panel_size = p->gate_slots * c->batch * wide;
    for (int64_t panel = 0; panel < p->panels; panel++) {
        p->h_runs[panel] = (struct run){panel * panel_size, panel * used, used};
        p->c_runs[panel] = (struct run){panel * panel_size, panel * p->lanes, p->lanes};
    }
    list_chunks(p);
}

static void unpack_biases(const struct plan *p)
{
    const struct call *c = p->call;
    const int64_t vectors = c->cell == GRU ? 3 : p->vectors, lanes = p->lanes, wide = vectors * lanes;
    const int64_t of_ones = p->padded * wide, stride = h_columns(p) * wide;
    const int *gates = c->cell == GRU ? GRU_X_GATES : SLOT_GATES;
    for (int64_t panel = 0; panel < p->panels; panel++)
        for (int64_t i = 0; i < wide; i++) {
            const int64_t v = i / lanes, row = row_of(p, panel, gates, i);
            const float *own = p->grad_h + panel * stride + of_ones;
            if (row < 0)
                continue;
            if (c->db_ih)
                c->db_ih[row] = c->cell == GRU ? p->grad_x[panel * (1 + c->inputs) * wide + i] : own[i];
            if (c->db_hh) /* gru's n stands last among the state's vectors, r and z one place earlier */
                c->db_hh[row] = c->cell == GRU ? own[v == 0 ? 2 * lanes + i : i - lanes] : own[i];
        }
}

void rnncli_unpack_gradients(const struct plan *p)
{
    const struct call *c = p->call;
    const int64_t vectors = c->cell == GRU ? 3 : p->vectors, wide = vectors * p->lanes, stride = h_columns(p) * wide;
    unpack(p, p->grad_h, stride, c->hidden, SLOT_GATES, vectors, c->dw_hh);
    if (c->cell == GRU)
        unpack(p, p->grad_x + wide, (1 + c->inputs) * wide, c->inputs, GRU_X_GATES, vectors, c->dw_ih);
    else
        unpack(p, p->grad_h + (p->padded + 1) * wide, stride, c->inputs, SLOT_GATES, vectors, c->dw_ih);
    if (c->cell == CARRY_LSTM)
        unpack(p, p->grad_c, c->hidden * p->lanes, c->hidden, SLOT_GATES, 1, c->dw_ch);
    unpack_biases(p);
}

/* ---------------------------------------------------------------------------------------------- entry points -- */

/* Floats of `saved` and `scratch` that a call needs. */
void rnncli_sizes(const struct call *call, int64_t set, int64_t backward, int64_t sizes[2])
{
    struct call empty = *call;
    struct plan plan;
    empty.saved = empty.scratch = NULL;
    rnncli_lay_out(&plan, &empty, SETS[set], (int)backward, sizes);
}

int rnncli_prepare_forward(struct plan *p)
{
    if (!sort_rows(p))
        return 0;
    pack_forward(p);
    pack_biases(p);
    return 1;
}

void rnncli_prepare_backward(struct plan *p)
{
    sort_rows(p);
    pack_backward(p);
    list_runs(p);
}

static void forward_block(const void *context, int64_t block)
{
    const struct plan *p = context;
    p->kernels->forward(p, block);
}

static void backward_block(const void *context, int64_t block)
{
    const struct windows *some = context;
    for (int64_t window = some->last; window >= some->first; window--)
        some->plan->kernels->backward(some->plan, window, block);
}

static void weights_of(const void *context, int64_t task)
{
    const struct windows *some = context;
    for (int64_t window = some->last; window >= some->first; window--)
        some->plan->kernels->gradient(some->plan, window, task);
}

int64_t rnncli_list_phases(const struct plan *p, struct phase *phases)
{
    int64_t count = 0;
    for (int64_t last = p->windows - 1; last >= 0; last -= p->at_once, count += 2) {
        struct windows *some = &p->of_phases[count / 2];
        *some = (struct windows){p, last < p->at_once ? 0 : last - p->at_once + 1, last};
        phases[count] = (struct phase){backward_block, some, p->blocks};
        phases[count + 1] = (struct phase){weights_of, some, p->groups * p->pieces};
    }
    return count;
}

/* Outputs and final state; with `training` set, `saved` then holds what rnncli_backward needs. Not zero, and nothing
 * done, if a length is negative or beyond the last step. */
int64_t rnncli_forward(const struct call *call, int64_t set)
{
    struct plan plan;
    int64_t sizes[2];
    rnncli_lay_out(&plan, call, SETS[set], 0, sizes);
    if (!rnncli_prepare_forward(&plan))
        return 1;
    rnncli_run(&(struct phase){forward_block, &plan, plan.blocks}, 1, call->threads);
    return 0;
}

/* Gradients of everything, from those of outputs and final state; `saved` is used up. */
void rnncli_backward(const struct call *call, int64_t set)
{
    struct plan plan;
    int64_t sizes[2];
    rnncli_lay_out(&plan, call, SETS[set], 1, sizes);
    rnncli_prepare_backward(&plan);
    rnncli_run(plan.phases, rnncli_list_phases(&plan, plan.phases), call->threads);
    rnncli_unpack_gradients(&plan);
}
