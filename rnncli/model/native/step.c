/* What a training step needs beside the recurrence: the loss of a batch with its gradient, and the optimizer's update.
 *
 * Plain loops without vectors of a set: every number is computed by itself, and sums have one order, so that the bits
 * are the same with any instruction set. */
#include <stdint.h>

#include "plan.h"

static inline double loss_of(int64_t kind, float error, float *slope)
{
    const float size = error < 0 ? -error : error;
    if (kind == SQUARED) {
        *slope = 2 * error;
        return error * error;
    }
    if (kind == HUBER && size <= 1) {
        *slope = error;
        return 0.5f * error * error;
    }
    *slope = error > 0 ? 1.0f : error < 0 ? -1.0f : 0 * error; /* what is no number stays none */
    return kind == HUBER ? size - 0.5f : size;
}

/* The loss of a window, and the gradient of the mean of all losses with respect to its outputs. */
static void window_loss(const struct loss *c, const struct head *h, int64_t row)
{
    const int64_t size = c->steps * c->targets, padded = rounded_up(h->outputs, LINE);
    const float *outputs = h->out + row * padded, *target = c->target + row * size;
    const uint8_t *known = c->known + row * size;
    float *slope = h->slope + row * padded;
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++)
        count += known[i] != 0;
    const float share = 1.0f / (float)(count ? count : 1), part = share / (float)h->batch;
    double sum = 0;
    for (int64_t i = 0; i < size; i++) {
        const int64_t at = row * c->targets + i % c->targets;
        const float spread = c->spread ? c->spread[at] : 1.0f, level = c->level ? c->level[at] : 0.0f;
        const float weight = c->weight ? c->weight[row * c->steps + i / c->targets] : 1.0f;
        slope[i] = 0.0f;
        if (!known[i])
            continue;
        sum += loss_of(c->kind, outputs[i] * spread + level - target[i], &slope[i]) * weight;
        slope[i] *= weight * spread * part;
    }
    c->losses[row] = (float)(sum * share);
}

static void multiply_by(float *values, const float *mask, int64_t count)
{
    for (int64_t i = 0; mask && i < count; i++)
        values[i] *= mask[i];
}

/* The newest state of the top layer's directions, side by side, between their arrays and rows of the head. */
static void exchange(const struct pass *p, int reading)
{
    const struct head *h = &p->head;
    const struct call *top = p->calls + (p->layers - 1) * p->directions;
    const int64_t hidden = top->hidden, padded = rounded_up(h->features, LINE);
    for (int64_t row = 0; row < h->batch; row++)
        for (int64_t i = 0; i < h->features; i++) {
            const struct call *c = top + i / hidden;
            const int64_t at = row * hidden + i % hidden;
            const float mask = p->head_mask ? p->head_mask[row * h->features + i] : 1.0f;
            if (reading)
                h->read[row * padded + i] = c->hn[at] * mask;
            else
                ((float *)c->dhn)[at] = h->d_read[row * padded + i] * mask;
        }
}

/* The losses of a batch of sequences of one length, and all gradients. */
void rnncli_step(const struct pass *p)
{
    const int64_t count = p->directions, values = p->head.batch * p->calls->steps;
    for (int64_t i = 0; i < p->layers * count; i++) {
        const struct call *c = &p->calls[i];
        if (i % count == 0)
            multiply_by((float *)c->x, p->masks[i / count], values * c->inputs);
        rnncli_forward(c, p->set);
    }
    exchange(p, 1);
    rnncli_set(p->set)->head_forward(&p->head);
    for (int64_t row = 0; row < p->head.batch; row++)
        window_loss(&p->loss, &p->head, row);
    rnncli_set(p->set)->head_backward(&p->head);
    exchange(p, 0);
    for (int64_t layer = p->layers - 1; layer >= 0; layer--) {
        const struct call *c = &p->calls[layer * count];
        for (int64_t i = 0; i < count; i++)
            rnncli_backward(&c[i], p->set);
        if (c->dx)
            multiply_by(c->dx, p->masks[layer], values * c->inputs);
    }
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

/* One update. The largest of the networks' gradient norms before clipping; if it is not finite, nothing was changed. */
double rnncli_update(const struct update *c)
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
