/* What a training step needs beside the recurrence: the loss of a batch with its gradient, and the optimizer's update.
 *
 * Plain loops without vectors of a set: every number is computed by itself, and sums have one order, so that the bits
 * are the same with any instruction set. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "pool.h"

/* The loss of an error, and its slope in place of the error. What is no number stays none. Conditions are on the bits,
 * whose order is that of the numbers: there is then no branch to foresee, and the compiler takes several at once. */
static inline float loss_of(const int64_t kind, float *error)
{
    const float e = *error;
    int32_t bits, size_bits, sign_bits;
    float size, sign;
    memcpy(&bits, &e, sizeof bits);
    size_bits = bits & INT32_MAX;
    sign_bits = (bits ^ size_bits) | 0x3f800000;                                      /* one, */
    sign_bits = size_bits == 0 || size_bits > 0x7f800000 ? bits : sign_bits; /* but of zero and of no number itself */
    memcpy(&size, &size_bits, sizeof size);
    memcpy(&sign, &sign_bits, sizeof sign);
    if (kind == SQUARED) {
        *error = 2 * e;
        return e * e;
    }
    const int small = kind == HUBER && size_bits <= 0x3f800000;
    *error = small ? e : sign;
    return kind == ABSOLUTE ? size : small ? 0.5f * e * e : size - 0.5f;
}

/* The same for many, to their losses. */
static void losses_of(int64_t kind, int64_t count, float *restrict errors, float *restrict losses)
{
    if (kind == SQUARED)
        for (int64_t i = 0; i < count; i++)
            losses[i] = loss_of(SQUARED, &errors[i]);
    else if (kind == HUBER)
        for (int64_t i = 0; i < count; i++)
            losses[i] = loss_of(HUBER, &errors[i]);
    else
        for (int64_t i = 0; i < count; i++)
            losses[i] = loss_of(ABSOLUTE, &errors[i]);
}

/* What the answers of a window are away from its targets; nothing where they are not known. */
static void errors_of(const struct loss *c, int64_t row, const float *restrict outputs, float *restrict errors)
{
    const int64_t size = c->steps * c->targets;
    const float *restrict target = c->target + row * size;
    const uint8_t *restrict known = c->known + row * size;
    for (int64_t s = 0; c->spread && s < c->steps; s++)
        for (int64_t t = 0, at = row * c->targets; t < c->targets; t++, at++)
            errors[s * c->targets + t] = outputs[s * c->targets + t] * c->spread[at] + c->level[at];
    const float *answers = c->spread ? errors : outputs;
    for (int64_t i = 0; i < size; i++)
        errors[i] = answers[i] - target[i];
    for (int64_t i = 0; i < size; i++) {
        int32_t bits;
        memcpy(&bits, &errors[i], sizeof bits);
        bits &= -(known[i] != 0);
        memcpy(&errors[i], &bits, sizeof bits);
    }
}

static double sum_of(const float *values, int64_t count)
{
    double sums[LINE] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LINE <= count; i += LINE)
        for (int lane = 0; lane < LINE; lane++)
            sums[lane] += values[i + lane];
    for (; i < count; i++)
        sums[i % LINE] += values[i];
    for (int lane = 0; lane < LINE; lane++)
        sum += sums[lane];
    return sum;
}

/* The loss of a window, and the gradient of the mean of all losses with respect to its outputs, which are used up. */
static void window_loss(const struct loss *c, const struct head *h, int64_t row)
{
    const int64_t size = c->steps * c->targets, padded = rounded_up(h->outputs, LINE);
    float *restrict losses = h->out + row * padded, *restrict slope = h->slope + row * padded;
    errors_of(c, row, losses, slope);
    losses_of(c->kind, size, slope, losses);
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++)
        count += c->known[row * size + i] != 0;
    const float share = 1.0f / (float)(count ? count : 1), part = share / (float)h->batch;
    for (int64_t s = 0, i = 0; s < c->steps; s++) {
        const float weight = c->weight ? c->weight[row * c->steps + s] : 1.0f;
        for (int64_t t = 0; t < c->targets; t++, i++) {
            losses[i] *= weight;
            slope[i] *= weight * (c->spread ? c->spread[row * c->targets + t] : 1.0f) * part;
        }
    }
    c->losses[row] = (float)(sum_of(losses, size) * share);
}

/* A step under way: the plans of all layers and directions, forward and backward. */
struct step {
    const struct pass *pass;
    const struct kernels *kernels;
    int64_t calls;
    struct plan *forward, *backward;
};

struct layer {
    const struct step *step;
    int64_t index;
};

/* Some rows of a layer's input or its gradient, (batch, steps, inputs), times what dropout left of it. */
static void apply_mask(const struct call *c, float *values, const float *mask, int64_t first, int64_t end)
{
    const int64_t row = c->steps * c->inputs;
    for (int64_t i = first * row; mask && i < end * row; i++)
        values[i] *= mask[i];
}

static void masked(float *to, const float *from, const float *mask, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = mask ? from[i] * mask[i] : from[i];
}

/* The newest state of the top layer's directions, side by side, between their arrays and rows of the head. */
static void exchange(const struct pass *p, int reading, int64_t first, int64_t end)
{
    const struct head *h = &p->head;
    const struct call *top = p->calls + (p->layers - 1) * p->directions;
    const int64_t hidden = top->hidden, width = head_width(h);
    for (int64_t row = first; row < end; row++)
        for (int64_t d = 0; d < p->directions; d++) {
            const int64_t at = row * hidden, column = d * hidden;
            const float *mask = p->head_mask ? p->head_mask + row * h->features + column : NULL;
            if (reading)
                masked(h->read + row * width + column, top[d].hn + at, mask, hidden);
            else
                masked((float *)top[d].dhn + at, h->d_read + row * width + column, mask, hidden);
        }
}

/* One task for each call's forward pass, one for its backward pass, and one for the head. */
static void prepare(const void *context, int64_t task)
{
    const struct step *s = context;
    if (task < s->calls)
        rnncli_prepare_forward(&s->forward[task]);
    else if (task < 2 * s->calls)
        rnncli_prepare_backward(&s->backward[task - s->calls]);
    else
        s->kernels->head_pack(&s->pass->head);
}

/* Some rows of the batch, through all layers to their losses, and back to the newest states. */
static void rows_through(const void *context, int64_t block)
{
    const struct step *s = context;
    const struct pass *p = s->pass;
    const int64_t count = p->directions, first = block * s->forward->block;
    const int64_t end = smaller(first + s->forward->block, p->head.batch);
    for (int64_t i = 0; i < s->calls; i++) {
        const struct call *c = s->forward[i].call;
        if (i % count == 0)
            apply_mask(c, (float *)c->x, p->masks[i / count], first, end);
        s->kernels->forward(&s->forward[i], block);
    }
    exchange(p, 1, first, end);
    s->kernels->head_forward(&p->head, first, end);
    for (int64_t row = first; row < end; row++)
        window_loss(&p->loss, &p->head, row);
    s->kernels->head_backward(&p->head, first, end);
    exchange(p, 0, first, end);
}

/* What dropout left of a layer's input, in its gradient too. */
static void mask_gradient(const void *context, int64_t block)
{
    const struct layer *l = context;
    const struct plan *p = &l->step->backward[l->index * l->step->pass->directions];
    const int64_t first = block * p->block;
    apply_mask(p->call, p->call->dx, l->step->pass->masks[l->index], first, smaller(first + p->block, p->call->batch));
}

/* What ends a pass: the gradients of each call's weights in torch's form, and those of the head's. */
static void finish(const void *context, int64_t task)
{
    const struct step *s = context;
    if (task < s->calls)
        rnncli_unpack_gradients(&s->backward[task]);
    else
        s->kernels->head_gradient(&s->pass->head);
}

/* All phases of a step, to room for as many as most_phases says; and how many they are. */
static int64_t list_phases(const struct step *s, const struct layer *layers, struct phase *phases)
{
    const struct pass *p = s->pass;
    int64_t count = 0;
    phases[count++] = (struct phase){prepare, s, 2 * s->calls + 1};
    phases[count++] = (struct phase){rows_through, s, s->forward->blocks};
    for (int64_t layer = p->layers - 1; layer >= 0; layer--) {
        const struct plan *plans = &s->backward[layer * p->directions];
        for (int64_t i = 0; i < p->directions; i++)
            count += rnncli_list_phases(&plans[i], &phases[count]);
        if (plans->call->dx && p->masks[layer])
            phases[count++] = (struct phase){mask_gradient, &layers[layer], plans->blocks};
    }
    phases[count++] = (struct phase){finish, s, s->calls + 1};
    return count;
}

static int64_t most_phases(const struct step *s)
{
    int64_t count = 3 + s->pass->layers;
    for (int64_t i = 0; i < s->calls; i++)
        count += 2 * s->backward[i].windows;
    return count;
}

static void lay_out(const struct step *s, struct call *backward)
{
    const struct call *calls = s->pass->calls;
    int64_t sizes[2];
    for (int64_t i = 0; i < s->calls; i++) {
        rnncli_lay_out(&s->forward[i], &calls[i], s->kernels, 0, sizes);
        backward[i] = calls[i];
        backward[i].scratch += sizes[1];
        rnncli_lay_out(&s->backward[i], &backward[i], s->kernels, 1, sizes);
    }
}

/* The losses of a batch of sequences of one length, and all gradients. Not zero if there is no memory for it. */
int64_t rnncli_step(const struct pass *p)
{
    const int64_t calls = p->layers * p->directions;
    struct plan *plans = calloc(2 * (size_t)calls, sizeof *plans);
    struct call *backward = calloc((size_t)calls, sizeof *backward);
    struct layer *layers = calloc((size_t)p->layers, sizeof *layers);
    struct phase *phases = NULL;
    if (plans && backward && layers) {
        const struct step s = {p, rnncli_set(p->set), calls, plans, plans + calls};
        lay_out(&s, backward);
        for (int64_t layer = 0; layer < p->layers; layer++)
            layers[layer] = (struct layer){&s, layer};
        phases = calloc((size_t)most_phases(&s), sizeof *phases);
        if (phases)
            rnncli_run(phases, list_phases(&s, layers, phases), p->calls->threads);
    }
    free(plans);
    free(backward);
    free(layers);
    free(phases);
    return phases ? 0 : 1;
}

/* The squared norm of the gradient of one network. */
static double square_sum(const struct update *c, int64_t member)
{
    double sums[LINE] = {0};
    for (int64_t t = member * c->tensors; t < (member + 1) * c->tensors; t++) {
        const float *g = c->gradients[t];
        int64_t i = 0;
        for (; g && i + LINE <= c->sizes[t]; i += LINE)
            for (int lane = 0; lane < LINE; lane++)
                sums[lane] += (double)g[i + lane] * g[i + lane];
        for (; g && i < c->sizes[t]; i++)
            sums[i % LINE] += (double)g[i] * g[i];
    }
    double sum = 0;
    for (int lane = 0; lane < LINE; lane++)
        sum += sums[lane];
    return sum;
}

/* Kingma and Ba 2015, and Loshchilov and Hutter 2019, whose decay stands apart from the gradient. */
static void adam(const struct update *c, int64_t size, float *w, const float *g, float scale, float *m, float *v)
{
    const float slow = (float)(1 - c->slow), slower = (float)c->slower, fresh = (float)(1 - c->slower);
    const float begun = (float)c->begun, begun_slower = (float)c->begun_slower, epsilon = (float)c->epsilon;
    const float rate = (float)c->rate, inside = c->kind == ADAM ? (float)c->decay : 0.0f;
    const float apart = c->kind == ADAMW ? (float)c->decay : 0.0f;
    for (int64_t i = 0; i < size; i++) {
        const float gradient = (g ? g[i] * scale : 0.0f) + inside * w[i];
        m[i] += slow * (gradient - m[i]);
        v[i] = v[i] * slower + fresh * gradient * gradient;
        w[i] -= rate * (m[i] / begun / (__builtin_sqrtf(v[i] / begun_slower) + epsilon) + apart * w[i]);
    }
}

/* Heavy-ball momentum, as in torch.optim.SGD. */
static void sgd(const struct update *c, int64_t size, float *w, const float *g, float scale, float *velocity)
{
    const float momentum = (float)c->slow, rate = (float)c->rate, decay = (float)c->decay;
    for (int64_t i = 0; i < size; i++) {
        velocity[i] = velocity[i] * momentum + ((g ? g[i] * scale : 0.0f) + decay * w[i]);
        w[i] -= rate * velocity[i];
    }
}

/* The largest of the networks' gradient norms before clipping; if it is not finite, nothing was changed. */
static double update(const struct update *c)
{
    double largest = 0;
    for (int64_t member = 0; member < c->members; member++) {
        const double norm = __builtin_sqrt(square_sum(c, member));
        if (!__builtin_isfinite(norm))
            return norm;
        largest = norm > largest ? norm : largest;
    }
    float *first = c->first, *second = c->second;
    for (int64_t member = 0; member < c->members; member++) {
        const double norm = __builtin_sqrt(square_sum(c, member)), share = c->clip / (norm + 1e-6);
        const float scale = share < 1 ? (float)share : 1.0f;
        for (int64_t t = member * c->tensors; t < (member + 1) * c->tensors; t++) {
            if (c->kind == SGD)
                sgd(c, c->sizes[t], c->weights[t], c->gradients[t], scale, first);
            else
                adam(c, c->sizes[t], c->weights[t], c->gradients[t], scale, first, second);
            first += c->sizes[t];
            second += c->sizes[t];
        }
    }
    return largest;
}

struct updated {
    const struct update *update;
    double *norm;
};

static void do_update(const void *context, int64_t task)
{
    const struct updated *all = context;
    *all->norm = update(all->update);
}

/* One update, and its norm. What a unit that is never used has left of its moments does not end as the smallest of all
 * numbers. */
double rnncli_update(const struct update *c)
{
    double norm = 0;
    rnncli_run(&(struct phase){do_update, &(struct updated){c, &norm}, 1}, 1, 1);
    return norm;
}
