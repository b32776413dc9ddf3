/* Calls of the kernels on arrays of exactly the size that is promised, for the sanitizers to watch: built by
 * test_native_build.py with the kernels' folder in the include path. Arguments: seed, calls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

void rnncli_sizes(const struct call *call, int64_t set, int64_t backward, int64_t sizes[2]);
const char *rnncli_set_name(int64_t set);
int64_t rnncli_set_runs_here(int64_t set);

static void *owned[128];
static int count;

static float *array(int64_t floats)
{
    float *made = malloc((size_t)floats * sizeof(float) + (floats == 0));
    for (int64_t i = 0; i < floats; i++)
        made[i] = (float)(rand() % 2001 - 1000) / 4000.0f;
    return owned[count++] = made;
}

static float *arena(int64_t floats) /* aligned as torch's are, and its bytes are no numbers */
{
    const size_t bytes = (size_t)rounded_up(floats * 4, 64);
    if (floats == 0)
        return NULL;
    float *made = aligned_alloc(64, bytes);
    memset(made, 0xff, bytes);
    return owned[count++] = made;
}

static int64_t any(int64_t least, int64_t most) { return least + rand() % (most - least + 1); }

static void call_once(int64_t set)
{
    struct call c = {.cell = any(0, 3), .relu = any(0, 1), .threads = any(1, 4), .reversed = any(0, 1), .training = 1};
    c.batch = any(1, 40), c.steps = any(1, 9), c.inputs = any(1, 20), c.hidden = any(1, 70);
    const int64_t gates = c.cell == RNN ? 1 : c.cell == GRU ? 3 : 4, units = gates * c.hidden;
    const int64_t state = c.batch * c.hidden, outputs = c.steps * state, inputs = c.batch * c.steps * c.inputs;
    const int carries = c.cell == LSTM || c.cell == CARRY_LSTM, biases = (int)any(0, 1);
    c.x = array(inputs), c.x_row = c.steps * c.inputs, c.x_step = c.inputs;
    c.y = array(outputs), c.y_row = c.steps * c.hidden, c.y_step = c.hidden;
    if (any(0, 1)) {
        int64_t *lengths = malloc((size_t)c.batch * sizeof(int64_t));
        for (int64_t i = 0; i < c.batch; i++)
            lengths[i] = any(0, c.steps);
        owned[count++] = lengths;
        c.lengths = lengths;
    }
    if (any(0, 1))
        c.mask = array(state);
    if (any(0, 1))
        c.h0 = array(state), c.c0 = carries ? array(state) : NULL;
    c.hn = array(state), c.cn = carries ? array(state) : NULL;
    c.w_ih = array(units * c.inputs), c.w_hh = array(units * c.hidden);
    c.w_ch = c.cell == CARRY_LSTM ? array(c.hidden * c.hidden) : NULL;
    c.b_ih = biases ? array(units) : NULL, c.b_hh = biases && c.cell != CARRY_LSTM ? array(units) : NULL;
    int64_t sizes[2];
    c.training = 0;
    rnncli_sizes(&c, set, 0, sizes);
    c.scratch = arena(sizes[1]);
    rnncli_forward(&c, set);
    c.training = 1;
    rnncli_sizes(&c, set, 0, sizes);
    c.saved = arena(sizes[0]), c.scratch = arena(sizes[1]);
    rnncli_forward(&c, set);
    if (any(0, 3))
        c.dy = array(outputs), c.dy_row = c.steps * c.hidden, c.dy_step = c.hidden;
    if (any(0, 1))
        c.dhn = array(state), c.dcn = carries ? array(state) : NULL;
    if (any(0, 1))
        c.dx = array(inputs), c.dx_row = c.steps * c.inputs, c.dx_step = c.inputs, c.dx_add = any(0, 1);
    if (any(0, 1))
        c.dh0 = array(state), c.dc0 = carries ? array(state) : NULL;
    c.dw_ih = array(units * c.inputs), c.dw_hh = array(units * c.hidden);
    c.dw_ch = c.w_ch ? array(c.hidden * c.hidden) : NULL;
    c.db_ih = c.b_ih ? array(units) : NULL, c.db_hh = c.b_hh ? array(units) : NULL;
    rnncli_sizes(&c, set, 1, sizes);
    c.scratch = arena(sizes[1]);
    rnncli_backward(&c, set);
    for (; count > 0; count--)
        free(owned[count - 1]);
}

/* A whole step: one or two layers, in one or both directions, a head, and an update of its weights. */
static void step_once(int64_t set)
{
    struct call calls[4] = {0};
    const float *masks[2] = {NULL, NULL};
    const int64_t batch = any(1, 20), steps = any(1, 6), hidden = any(1, 40), cell = any(0, 3), ways = any(1, 2);
    const int64_t layers = any(1, 2), threads = any(1, 3), width = ways * hidden, rows = (cell == RNN ? 1 : cell == GRU ? 3 : 4) * hidden;
    float *between = array(batch * steps * width), *back = array(batch * steps * width);
    int64_t forward[2], backward[2];
    for (int64_t i = 0; i < layers * ways; i++) {
        struct call *c = &calls[i];
        *c = (struct call){.cell = cell, .threads = threads, .reversed = i % ways, .training = 1, .batch = batch,
                           .steps = steps, .inputs = i < ways ? any(1, 9) : width, .hidden = hidden};
        c->x = i < ways ? array(batch * steps * c->inputs) : between;
        c->x_row = steps * c->inputs, c->x_step = c->inputs;
        c->hn = array(batch * hidden), c->cn = cell == LSTM || cell == CARRY_LSTM ? array(batch * hidden) : NULL;
        c->w_ih = array(rows * c->inputs), c->w_hh = array(rows * hidden);
        c->dw_ih = array(rows * c->inputs), c->dw_hh = array(rows * hidden);
        c->w_ch = cell == CARRY_LSTM ? array(hidden * hidden) : NULL;
        c->dw_ch = cell == CARRY_LSTM ? array(hidden * hidden) : NULL;
        if (i >= ways)
            c->dx = back, c->dx_row = c->x_row, c->dx_step = c->x_step, c->dx_add = i % ways;
        if (i < (layers - 1) * ways) {
            c->y = between + i % ways * hidden, c->y_row = steps * width, c->y_step = width;
            c->dy = back + i % ways * hidden, c->dy_row = c->y_row, c->dy_step = width;
        } else
            c->dhn = array(batch * hidden);
        rnncli_sizes(c, set, 0, forward);
        rnncli_sizes(c, set, 1, backward);
        c->saved = arena(forward[0]), c->scratch = arena(forward[1] + backward[1]);
    }
    if (any(0, 1))
        masks[1] = array(batch * steps * width);
    struct pass p = {.set = set, .layers = layers, .directions = ways, .calls = calls, .masks = masks};
    const int64_t horizon = any(1, 9), targets = any(1, 3), outputs = horizon * targets, levels = any(0, 2);
    const int64_t padded = rounded_up(outputs, LINE), columns = rounded_up(width + levels + 1, LINE);
    p.head_mask = any(0, 1) ? array(batch * width) : NULL;
    p.head = (struct head){batch, width, outputs, levels, array(outputs * width), array(outputs),
                           array(outputs * levels), array(batch * levels), array(outputs * width), array(outputs),
                           array(outputs * levels), array(padded * columns), array(padded * columns),
                           array(padded * columns), array(batch * columns),
                           array(batch * columns), array(batch * padded), array(batch * padded)};
    uint8_t *known = malloc((size_t)(batch * outputs));
    for (int64_t i = 0; i < batch * outputs; i++)
        known[i] = (uint8_t)any(0, 1);
    owned[count++] = known;
    p.loss = (struct loss){any(0, 2), horizon, targets, array(batch * targets), array(batch * targets),
                           array(batch * outputs), known, any(0, 1) ? array(batch * horizon) : NULL, array(batch)};
    rnncli_step(&p);
    const int64_t lengths[2] = {outputs * width, outputs};
    float *const weights[2] = {(float *)p.head.weight, (float *)p.head.bias};
    const float *const gradients[2] = {p.head.d_weight, any(0, 1) ? p.head.d_bias : NULL};
    const int64_t all = outputs * width + outputs;
    struct update u = {any(0, 2), 1, 2, lengths, weights, gradients, array(all), array(all), .rate = 0.1, .clip = 1,
                       .slow = 0.9, .slower = 0.999, .epsilon = 1e-8, .begun = 0.1, .begun_slower = 0.001};
    rnncli_update(&u);
    for (; count > 0; count--)
        free(owned[count - 1]);
}

int main(int argc, char **argv)
{
    srand(argc > 1 ? (unsigned)atoi(argv[1]) : 0);
    for (int64_t set = 0; rnncli_set_name(set); set++) {
        if (!rnncli_set_runs_here(set))
            continue;
        for (int i = argc > 2 ? atoi(argv[2]) : 100; i > 0; i--)
            call_once(set), step_once(set);
        printf("%s\n", rnncli_set_name(set));
    }
    return 0;
}
