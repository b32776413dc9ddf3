/* What one call is about, and where its numbers lie in memory. */
#ifndef RNNCLI_PLAN_H
#define RNNCLI_PLAN_H

#include <stdint.h>

#include "pool.h"
#include "step.h"

enum cell { RNN, LSTM, GRU, CARRY_LSTM };

/* One layer in one direction, as Python packs it: 64-bit numbers and pointers alone, in this order (layer.py).
 * Strides count floats; the last dimension of every array is contiguous. A pointer may be null where it says so. */
struct call {
    int64_t cell, relu, threads, reversed, training;
    int64_t batch, steps, inputs, hidden;
    const float *mask; /* (batch, hidden) factors of the state in the recurrent products, or null */
    const float *x; /* (batch, steps, inputs) */
    int64_t x_row, x_step;
    const int64_t *lengths; /* (batch,) valid steps, or null */
    float *y;               /* (batch, steps, hidden): outputs, or null if nobody asks */
    int64_t y_row, y_step;
    const float *h0, *c0; /* (batch, hidden), or null for zeros */
    float *hn, *cn;       /* (batch, hidden) */
    const float *w_ih, *w_hh, *w_ch, *b_ih, *b_hh; /* torch's shapes; the last three may be null */
    float *saved, *scratch;                        /* as large as rnncli_sizes says */
    /* the backward pass alone */
    const float *dy; /* (batch, steps, hidden), or null */
    int64_t dy_row, dy_step;
    const float *dhn, *dcn; /* (batch, hidden), or null */
    float *dx;              /* (batch, steps, inputs), or null if nobody asks */
    int64_t dx_row, dx_step, dx_add;
    float *dh0, *dc0;                               /* null if nobody asks */
    float *dw_ih, *dw_hh, *dw_ch, *db_ih, *db_hh; /* the last three may be null */
};

/* `count` steps of a product that follow each other in memory; offsets in floats. */
struct run {
    int64_t a, w, count;
};

/* Runs that are worked through together. */
struct chunk {
    struct run *runs;
    int64_t count;
};

/* Rows of the batch are sorted by length, longest first, so that the valid rows of a step are the first ones.
 * A row of `rows` is [carry | h | 1 | x], the state padded to whole panels; slot s holds what step s reads. With a mask
 * it is [carry | h | what the mask leaves of h | 1 | x].
 * `gates` is [panel][slot][row][vectors][lanes]: what step s computed, later its gradients; of rnn, which needs no gates
 * to go back, those of the windows that are worked through at once. A panel is `lanes` units of every gate, or `vectors *
 * lanes` units where there is one gate alone. */
struct plan {
    const struct call *call;
    const struct kernels *kernels;
    int64_t lanes, vectors, units; /* floats in a vector; vectors of a row in a panel; units of a panel */
    int64_t panels, padded;        /* panels * units = padded >= hidden */
    int64_t row, own_at;           /* floats of a row, and where in it h is, */
    int64_t h_at, x_at;            /* what the products read of it, and the constant 1 before x */
    int64_t row_slots, gate_slots; /* steps kept: all for training, else what the next step needs */
    int64_t block, blocks;         /* rows that one thread takes through all steps at a time */
    int64_t pieces, piece;         /* the columns of a weight gradient are cut so that caches hold what they read, */
    int64_t groups, group;         /* and its panels are shared out among the threads */
    int64_t far;                   /* whether the weights are more than a second-level cache holds */
    float *rows, *gates;
    float *sums; /* a panel's gates before their activation, (batch, vectors, lanes); null: they are where gates will be */
    float *pack_h, *pack_x, *pack_c; /* weights, or transposed weights, or the gradients of weights, by panels */
    float *grad_h, *grad_x, *grad_c;
    float *dh, *dc, *dx; /* gradients of the state and the input of one step, (batch, padded) */
    float *dm;           /* of what the products read of h: dh, or memory of its own */
    int64_t dx_padded;
    struct run *h_runs, *c_runs, *time_runs;
    struct chunk *chunks; /* of time_runs */
    int64_t chunk_steps;
    /* The backward pass takes so many windows of so many steps, the last one first: what a window brings to the weights'
     * gradients is added while a cache holds its steps. Several threads, which would have to wait for each other, take
     * all windows through the steps at once, and then, in the same order, to the gradients. */
    int64_t windows, window, at_once;
    int32_t *window_chunks; /* the first chunk of every window, and the end */
    struct windows *of_phases; /* room for what rnncli_list_phases writes */
    struct phase *phases;
    int32_t *order, *active; /* batch index of a sorted row; rows that are valid at a time step */
};

/* Windows of the backward pass that are worked through at once. */
struct windows {
    const struct plan *plan;
    int64_t first, last;
};

/* The kernels of one instruction set. */
struct kernels {
    const char *name;
    int lanes;
    void (*forward)(const struct plan *, int64_t block);
    void (*backward)(const struct plan *, int64_t window, int64_t block);
    void (*gradient)(const struct plan *, int64_t window, int64_t task);
    void (*head_pack)(const struct head *);
    void (*head_forward)(const struct head *, int64_t first, int64_t end);
    void (*head_backward)(const struct head *, int64_t first, int64_t end);
    void (*head_gradient)(const struct head *);
};

int64_t rnncli_forward(const struct call *call, int64_t set);
void rnncli_backward(const struct call *call, int64_t set);

/* Lay out a call, or only say how large its arenas are: its pointers are then null. */
void rnncli_lay_out(struct plan *p, const struct call *c, const struct kernels *kernels, int backward,
                    int64_t sizes[2]);
/* What comes before the first step of a pass, forward (zero if a length is none) or backward, and after the last. */
int rnncli_prepare_forward(struct plan *p);
void rnncli_prepare_backward(struct plan *p);
/* The phases of the backward pass, at most two a window, and how many they are. */
int64_t rnncli_list_phases(const struct plan *p, struct phase *phases);
void rnncli_unpack_gradients(const struct plan *p);
const struct kernels *rnncli_set(int64_t set);

static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

static inline int64_t length_of(const struct plan *p, int64_t row)
{
    return p->call->lengths ? p->call->lengths[p->order[row]] : p->call->steps;
}

/* Columns of a row that multiply the recurrent weights' gradient in one product: h and 1 (gru), or h, 1 and x. */
static inline int64_t h_columns(const struct plan *p)
{
    return p->padded + 1 + (p->call->cell == GRU ? 0 : p->call->inputs);
}

#endif
