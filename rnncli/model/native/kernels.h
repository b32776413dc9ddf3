/* The kernels, written for vectors of any width: recurrence.c includes this file once for every instruction set.
 *
 * It defines SET, TITLE, LANES, FMA, SPREAD, LOWER and UPPER for its vectors, and the tiles: MOST vectors of sums, and
 * the ROWS that go with 2, 3 and 4 vectors of weights. Every sum is made of fused multiply-adds in a fixed order,
 * whatever the tile, so that a row's bits depend neither on its neighbours nor on threads; contraction by the compiler
 * is off, so that it adds no choice of its own. */

#include "vectors.h"
#include "products.h"
#include "cells.h"

/* ----------------------------------------------------------------------------------------------- forward -- */

/* The gates of one panel before their activation. */
static void NAME(gates_of)(const struct plan *p, int64_t panel, int64_t rows, const float *now, float *sums)
{
    const struct call *c = p->call;
    const int64_t hidden = c->hidden, inputs = 1 + c->inputs, wide = p->vectors * LANES;
    if (c->cell == GRU) {
        const struct run x_run = {0, 0, inputs}, h_run = {0, 0, hidden};
        const float *bias = p->pack_h + panel * (hidden + 1) * 3 * LANES + hidden * 3 * LANES + 2 * LANES;
        for (int64_t i = 0; i < rows; i++)
            store(sums + i * wide + 3 * LANES, load(bias));
        multiply(&(struct product){rows, 3, 0, now + p->x_at, p->pack_x + panel * inputs * 3 * LANES, p->row, 1,
                                   3 * LANES, 1, &x_run, sums, wide, 0});
        multiply(&(struct product){rows, 3, 0, now + p->h_at, p->pack_h + panel * (hidden + 1) * 3 * LANES, p->row, 1,
                                   3 * LANES, 1, &h_run, sums + LANES, wide, 1, p->far});
        return;
    }
    const struct run runs[2] = {{p->h_at, 0, hidden}, {p->x_at, hidden * wide, inputs}};
    multiply(&(struct product){rows, p->vectors, 0, now, p->pack_h + panel * (hidden + inputs) * wide, p->row, 1, wide, 2,
                               runs, sums, wide, 0, p->far});
    if (c->cell == CARRY_LSTM) {
        const struct run c_run = {0, 0, hidden};
        multiply(&(struct product){rows, 1, 0, now, p->pack_c + panel * hidden * LANES, p->row, 1, LANES, 1, &c_run,
                                   sums + 3 * LANES, wide, 1});
    }
}

/* There and back: of weights that no cache holds, a step begins with those that the last one ended with. */
static ALWAYS int64_t NAME(to_and_fro)(int64_t step, int64_t index, int64_t count)
{
    return step % 2 ? count - 1 - index : index;
}

static void NAME(step_forward)(const struct plan *p, int64_t step, int64_t first, int64_t rows, const float *now,
                               float *next, float *gates, int64_t panel_size)
{
    for (int64_t i = 0; i < p->panels; i++) {
        const int64_t panel = NAME(to_and_fro)(step, i, p->panels);
        float *kept = gates + panel * panel_size, *sums = p->sums ? p->sums + first * p->vectors * LANES : kept;
        NAME(gates_of)(p, panel, rows, now, sums);
        const int64_t at = p->own_at + panel * p->units;
        const struct span s = {.rows = rows, .row = p->row, .padded = p->padded, .vectors = p->vectors, .sums = sums,
                               .gates = kept, .now = now + at, .next = next + at, .relu = (int)p->call->relu};
        switch (p->call->cell) {
        case RNN: NAME(rnn_forward)(&s); break;
        case LSTM: NAME(lstm_forward)(&s); break;
        case GRU: NAME(gru_forward)(&s); break;
        default: NAME(carry_lstm_forward)(&s);
        }
    }
}

static ALWAYS void NAME(copy)(float *to, const float *from, int64_t count)
{
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store(to + i, load(from + i));
    if (count - i >= 8) { /* what is left in two pieces, which may overlap */
        __builtin_memcpy(to + i, from + i, 32);
        __builtin_memcpy(to + count - 8, from + count - 8, 32);
    } else if (count - i >= 4) {
        __builtin_memcpy(to + i, from + i, 16);
        __builtin_memcpy(to + count - 4, from + count - 4, 16);
    } else {
        for (; i < count; i++)
            to[i] = from[i];
    }
}
#define copy NAME(copy)

/* A state of zeros or the given one, with zeros behind it up to whole panels. */
static void NAME(begin_part)(const struct plan *p, float *to, const float *given, int64_t index)
{
    const int64_t hidden = given ? p->call->hidden : 0;
    if (given)
        copy(to, given + index * hidden, hidden);
    for (int64_t i = hidden; i < p->padded; i++)
        to[i] = 0.0f;
}

static void NAME(multiply_rows)(float *to, const float *from, const float *by, int64_t count)
{
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store(to + i, load(from + i) * load(by + i));
    for (; i < count; i++)
        to[i] = from[i] * by[i];
}

/* Complete the rows that a step reads: its input, the initial state where the sequence begins, and what the mask leaves
 * of the state. */
static void NAME(read_step)(const struct plan *p, int64_t t, int64_t first, int64_t rows, float *now)
{
    const struct call *c = p->call;
    for (int64_t r = 0; r < rows; r++, now += p->row) {
        const int64_t index = p->order[first + r];
        now[p->x_at] = 1.0f;
        copy(now + p->x_at + 1, c->x + index * c->x_row + t * c->x_step, c->inputs);
        if (t == (c->reversed ? length_of(p, first + r) - 1 : 0)) {
            NAME(begin_part)(p, now + p->own_at, c->h0, index);
            if (p->own_at)
                NAME(begin_part)(p, now, c->c0, index);
        }
        if (c->mask) {
            NAME(multiply_rows)(now + p->h_at, now + p->own_at, c->mask + index * c->hidden, c->hidden);
            copy(now + p->h_at + c->hidden, now + p->own_at + c->hidden, p->padded - c->hidden);
        }
    }
}

/* Hand out what a step computed: its outputs, and the final state where the sequence ends. */
static void NAME(write_step)(const struct plan *p, int64_t t, int64_t first, int64_t rows, const float *next)
{
    const struct call *c = p->call;
    const int64_t end = c->reversed ? 0 : c->steps - 1, ahead = c->reversed ? -c->y_step : c->y_step;
    for (int64_t r = 0; r < rows; r++, next += p->row) {
        const int64_t index = p->order[first + r];
        if (c->y) {
            float *y = c->y + index * c->y_row + t * c->y_step;
            copy(y, next + p->own_at, c->hidden);
            if (t != end)
                fetch(y + ahead, c->hidden);
        }
        if (t == (c->reversed ? 0 : length_of(p, first + r) - 1)) {
            copy(c->hn + index * c->hidden, next + p->own_at, c->hidden);
            if (p->own_at)
                copy(c->cn + index * c->hidden, next, c->hidden);
        }
    }
}

/* Zero outputs in the padding; a sequence without steps keeps its state. */
static void NAME(write_padding)(const struct plan *p, int64_t row)
{
    const struct call *c = p->call;
    const int64_t index = p->order[row], length = length_of(p, row);
    for (int64_t t = length; c->y && t < c->steps; t++)
        for (int64_t i = 0; i < c->hidden; i++)
            c->y[index * c->y_row + t * c->y_step + i] = 0.0f;
    for (int64_t i = 0; length == 0 && i < c->hidden; i++) {
        c->hn[index * c->hidden + i] = c->h0 ? c->h0[index * c->hidden + i] : 0.0f;
        if (p->own_at)
            c->cn[index * c->hidden + i] = c->c0 ? c->c0[index * c->hidden + i] : 0.0f;
    }
}

static void NAME(forward)(const struct plan *p, int64_t block)
{
    const struct call *c = p->call;
    const int64_t first = block * p->block, end = smaller(first + p->block, c->batch), wide = p->vectors * LANES;
    const int64_t row_slot = c->batch * p->row, gate_slot = c->batch * wide;
    for (int64_t s = 0; s < c->steps; s++) {
        const int64_t t = c->reversed ? c->steps - 1 - s : s;
        const int64_t rows = smaller(p->active[t], end) - first;
        if (rows <= 0)
            continue;
        float *now = p->rows + s % p->row_slots * row_slot + first * p->row;
        float *next = p->rows + (s + 1) % p->row_slots * row_slot + first * p->row;
        float *gates = p->gates + s % p->gate_slots * gate_slot + first * wide;
        NAME(read_step)(p, t, first, rows, now);
        NAME(step_forward)(p, s, first, rows, now, next, gates, c->training ? p->gate_slots * gate_slot : 0);
        NAME(write_step)(p, t, first, rows, next);
    }
    for (int64_t r = first; c->lengths && r < end; r++)
        NAME(write_padding)(p, r);
}

/* ---------------------------------------------------------------------------------------------- backward -- */

/* dz of all gates of a step from the gradient of its state, in place of the gates. */
static void NAME(gates_backward)(const struct plan *p, int64_t rows, int64_t before, const float *now,
                                 const float *next, float *gates, float *dh, float *dc)
{
    const int64_t wide = p->vectors * LANES, panel_size = p->gate_slots * p->call->batch * wide;
    for (int64_t panel = 0; panel < p->panels; panel++, gates += panel_size) {
        fetch(gates - p->call->batch * wide, before * wide);
        const int64_t at = panel * p->units, last = at + p->units - LANES;
        const struct span s = {.rows = rows, .row = p->row, .padded = p->padded, .vectors = p->vectors, .gates = gates,
                               .now = now + p->own_at + at,
                               .next = (float *)next + p->own_at + at, .dh = dh + at, .dc = dc + at,
                               .valid = NAME(valid_lanes)(p->call->hidden - last), .relu = (int)p->call->relu};
        switch (p->call->cell) {
        case RNN: NAME(rnn_backward)(&s); break;
        case LSTM: NAME(lstm_backward)(&s); break;
        case GRU: NAME(gru_backward)(&s); break;
        default: NAME(carry_lstm_backward)(&s);
        }
    }
}

/* out (rows, columns) = or += dz times transposed weights, packed four vectors of columns at a time. */
static void NAME(back_through)(const struct plan *p, int64_t step, int64_t rows, const float *dz, const struct run *runs,
                               float *pack, int64_t steps, float *out, int64_t columns, int add)
{
    const int64_t blocks = (columns + 4 * LANES - 1) / (4 * LANES);
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t column = NAME(to_and_fro)(step, i, blocks) * 4 * LANES;
        const int64_t vectors = smaller(4, (columns - column) / LANES);
        struct run scaled[CHUNK_RUNS];
        struct product j = {rows, vectors, 0, dz, pack + column * steps, p->vectors * LANES, 1, vectors * LANES, 0,
                            scaled, out + column, columns, add, p->far};
        for (int64_t panel = 0; panel < p->panels; panel += j.run_count) {
            j.run_count = smaller(CHUNK_RUNS, p->panels - panel);
            for (int64_t i = 0; i < j.run_count; i++) {
                const struct run *r = &runs[panel + i];
                scaled[i] = (struct run){r->a, r->w * vectors * LANES, r->count};
            }
            multiply(&j);
            j.add = 1;
        }
    }
}

static void NAME(add_rows)(float *to, const float *from, int64_t count)
{
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store(to + i, load(to + i) + load(from + i));
    for (; i < count; i++)
        to[i] += from[i];
}

/* The gradient of the state after a step: what later steps left there, that of its output, and at the end of a
 * sequence that of its final state. */
static void NAME(read_gradient)(const struct plan *p, int64_t t, int64_t first, int64_t rows, float *dh, float *dc)
{
    const struct call *c = p->call;
    for (int64_t r = 0; r < rows; r++, dh += p->padded, dc += p->padded) {
        const int64_t index = p->order[first + r];
        if (t == (c->reversed ? 0 : length_of(p, first + r) - 1)) {
            NAME(begin_part)(p, dh, c->dhn, index);
            if (p->own_at)
                NAME(begin_part)(p, dc, c->dcn, index);
        }
        if (c->dy) {
            const float *dy = c->dy + index * c->dy_row + t * c->dy_step;
            NAME(add_rows)(dh, dy, c->hidden);
            if (c->reversed ? t + 1 < c->steps : t > 0)
                fetch(dy + (c->reversed ? c->dy_step : -c->dy_step), c->hidden);
        }
    }
}

/* The gradient of the state before a step, from that of what the mask left of it. */
static void NAME(unmask_gradient)(const struct plan *p, int64_t first, int64_t rows, float *dm, float *dh)
{
    const struct call *c = p->call;
    for (int64_t r = 0; r < rows; r++, dm += p->padded, dh += p->padded) {
        NAME(multiply_rows)(dm, dm, c->mask + p->order[first + r] * c->hidden, c->hidden);
        if (dm != dh) /* gru: its state goes on beside the products too */
            NAME(add_rows)(dh, dm, c->hidden);
    }
}

/* The gradient of a step's input and, where a sequence begins, of its initial state. */
static void NAME(write_gradient)(const struct plan *p, int64_t t, int64_t first, int64_t rows, const float *dh,
                                 const float *dc, const float *dx)
{
    const struct call *c = p->call;
    for (int64_t r = 0; r < rows; r++, dh += p->padded, dc += p->padded, dx += p->dx_padded) {
        const int64_t index = p->order[first + r];
        if (c->dx && c->dx_add)
            NAME(add_rows)(c->dx + index * c->dx_row + t * c->dx_step, dx, c->inputs);
        else if (c->dx)
            copy(c->dx + index * c->dx_row + t * c->dx_step, dx, c->inputs);
        if (t == (c->reversed ? length_of(p, first + r) - 1 : 0)) {
            if (c->dh0)
                copy(c->dh0 + index * c->hidden, dh, c->hidden);
            if (c->dc0)
                copy(c->dc0 + index * c->hidden, dc, c->hidden);
        }
    }
}

/* The gradients of what padding holds: zero for inputs, passed on for the state of a sequence without steps. */
static void NAME(write_padding_gradient)(const struct plan *p, int64_t row)
{
    const struct call *c = p->call;
    const int64_t index = p->order[row], length = length_of(p, row);
    for (int64_t t = length; c->dx && !c->dx_add && t < c->steps; t++)
        for (int64_t i = 0; i < c->inputs; i++)
            c->dx[index * c->dx_row + t * c->dx_step + i] = 0.0f;
    for (int64_t i = index * c->hidden; length == 0 && i < (index + 1) * c->hidden; i++) {
        if (c->dh0)
            c->dh0[i] = c->dhn ? c->dhn[i] : 0.0f;
        if (c->dc0)
            c->dc0[i] = c->dcn ? c->dcn[i] : 0.0f;
    }
}

static void NAME(backward)(const struct plan *p, int64_t window, int64_t block)
{
    const struct call *c = p->call;
    const int64_t first = block * p->block, end = smaller(first + p->block, c->batch), wide = p->vectors * LANES;
    const int64_t used = c->cell == GRU ? 3 * LANES : wide; /* of a panel's row, what goes through one product */
    float *dh = p->dh + first * p->padded, *dc = p->dc + first * p->padded, *dx = p->dx + first * p->dx_padded;
    float *dm = p->dm + first * p->padded;
    const int64_t last = smaller((window + 1) * p->window, c->steps) - 1;
    for (int64_t s = last; s >= window * p->window; s--) {
        const int64_t t = c->reversed ? c->steps - 1 - s : s;
        const int64_t rows = smaller(p->active[t], end) - first;
        if (rows <= 0)
            continue;
        const float *now = p->rows + (s * c->batch + first) * p->row, *next = now + c->batch * p->row;
        float *gates = p->gates + (s % p->gate_slots * c->batch + first) * wide;
        fetch(now - c->batch * p->row, s ? rows * p->row : 0);
        NAME(read_gradient)(p, t, first, rows, dh, dc);
        NAME(gates_backward)(p, rows, s % p->gate_slots ? rows : 0, now, next, gates, dh, dc);
        if (s > 0 || c->dh0)
            NAME(back_through)(p, s, rows, c->cell == GRU ? gates + LANES : gates, p->h_runs, p->pack_h,
                               p->panels * used, dm, p->padded, c->cell == GRU && !c->mask);
        if (c->mask)
            NAME(unmask_gradient)(p, first, rows, dm, dh);
        if (c->cell == CARRY_LSTM)
            NAME(back_through)(p, s, rows, gates + 3 * LANES, p->c_runs, p->pack_c, p->panels * LANES, dc, p->padded,
                               1);
        if (c->dx)
            NAME(back_through)(p, s, rows, gates, p->h_runs, p->pack_x, p->panels * used, dx, p->dx_padded, 0);
        NAME(write_gradient)(p, t, first, rows, dh, dc, dx);
    }
    for (int64_t r = first; window == 0 && c->lengths && r < end; r++)
        NAME(write_padding_gradient)(p, r);
}

/* ---------------------------------------------------------------------------------- gradients of the weights -- */

/* Some columns of one panel's part of dz^T rows: what a chunk of all steps and rows of the batch adds. */
static void NAME(columns)(const struct plan *p, const struct chunk *chunk, int64_t panel, int64_t vectors, int64_t slot,
                          int64_t at, int64_t count, float *out)
{
    const int64_t wide = p->vectors * LANES;
    const float *dz = p->gates + panel * p->gate_slots * p->call->batch * wide + slot * LANES;
    const struct product j = {count, vectors, 1, p->rows + at, dz, 1, p->row, wide, chunk->count, chunk->runs, out,
                              vectors * LANES, chunk != p->chunks + p->window_chunks[p->windows - 1]};
    NAME(all_rows)(1, &j, j.runs, j.run_count, j.add);
}

static void NAME(panel_gradient)(const struct plan *p, const struct chunk *chunk, int64_t panel, int64_t from,
                                 int64_t count)
{
    const struct call *c = p->call;
    const int64_t all = h_columns(p), inputs = 1 + c->inputs, wide = (c->cell == GRU ? 3 : p->vectors) * LANES;
    float *out = p->grad_h + (panel * all + from) * wide;
    NAME(columns)(p, chunk, panel, wide / LANES, c->cell == GRU, p->h_at + from, count, out);
    if (c->cell == GRU && from == 0)
        NAME(columns)(p, chunk, panel, 3, 0, p->x_at, inputs, p->grad_x + panel * inputs * wide);
    if (c->cell == CARRY_LSTM && from == 0)
        NAME(columns)(p, chunk, panel, 1, 3, 0, c->hidden, p->grad_c + panel * c->hidden * LANES);
}

/* One piece of the columns of some panels, summed over the chunks in one order. */
static void NAME(gradient)(const struct plan *p, int64_t window, int64_t task)
{
    const int64_t from = task % p->pieces * p->piece, count = smaller(p->piece, h_columns(p) - from);
    const int64_t first = task / p->pieces * p->group, end = smaller(first + p->group, p->panels);
    for (int64_t i = p->window_chunks[window]; i < p->window_chunks[window + 1]; i++)
        for (int64_t panel = first; panel < end; panel++)
            NAME(panel_gradient)(p, &p->chunks[i], panel, from, count);
}

#include "head.h"

static const struct kernels NAME(kernels) = {TITLE, LANES, NAME(forward), NAME(backward), NAME(gradient),
                                             NAME(head_pack), NAME(head_forward), NAME(head_backward),
                                             NAME(head_gradient)};

#undef vec
#undef ints
#undef loose
#undef load
#undef store
#undef tanh_of
#undef sigmoid_of
#undef activation_of
#undef through
#undef product
#undef TILES
#undef TILE
#undef multiply
#undef span
#undef copy
#undef fetch
#undef store_valid
#undef SET
#undef TITLE
#undef LANES
#undef MOST
#undef FMA
#undef SPREAD
#undef UPPER
#undef LOWER
#undef ROWS_OF_2
#undef ROWS_OF_3
#undef ROWS_OF_4
