/* What a training step needs beside the recurrence: the loss of a batch with its gradient, and the optimizer's update.
 *
 * Plain loops without vectors of a set: every number is computed by itself, and sums have one order, so that the bits
 * are the same with any instruction set. Python packs each struct in this order (step.py). */
#include <stdint.h>

enum loss { ABSOLUTE, SQUARED, HUBER };
enum optimizer { ADAM, ADAMW, SGD };
enum { LANES = 16 }; /* sums that are kept side by side */

/* Forecasts of windows: outputs times a window's spread plus its level. */
struct loss_call {
    int64_t kind, batch, steps, targets;
    const float *outputs;        /* (batch, steps, targets) */
    const float *level, *spread; /* (batch, targets), or both null: outputs are the answers */
    const float *target;         /* (batch, steps, targets) */
    const uint8_t *known;        /* likewise, whether it counts */
    const float *weight;         /* (batch, steps), or null */
    float *losses;               /* (batch,): the mean over what is known, 0 if nothing is */
    float *gradient;             /* (batch, steps, targets) of the losses' mean, with respect to the outputs */
};

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

static void window_loss(const struct loss_call *c, int64_t row)
{
    const int64_t size = c->steps * c->targets, at = row * size;
    int64_t count = 0;
    for (int64_t i = 0; i < size; i++)
        count += c->known[at + i] != 0;
    const float share = 1.0f / (float)(count ? count : 1), part = share / (float)c->batch;
    double sum = 0;
    for (int64_t step = 0; step < c->steps; step++)
        for (int64_t k = 0; k < c->targets; k++) {
            const int64_t i = at + step * c->targets + k;
            const float spread = c->spread ? c->spread[row * c->targets + k] : 1.0f;
            const float level = c->level ? c->level[row * c->targets + k] : 0.0f;
            const float weight = c->weight ? c->weight[row * c->steps + step] : 1.0f;
            float slope = 0;
            const double loss = c->known[i] ? loss_of(c->kind, c->outputs[i] * spread + level - c->target[i], &slope) : 0;
            sum += loss * weight;
            c->gradient[i] = c->known[i] ? slope * weight * spread * part : 0.0f;
        }
    c->losses[row] = (float)(sum * share);
}

void rnncli_loss(const struct loss_call *c)
{
    for (int64_t row = 0; row < c->batch; row++)
        window_loss(c, row);
}

/* The weights of one or several networks, `tensors` of each, all in a row. */
struct update_call {
    int64_t kind, members, tensors;
    const int64_t *sizes;
    float *const *weights;
    const float *const *gradients; /* a null stands for zeros */
    float *first, *second;         /* moments of all weights, or the velocity and nothing */
    double rate, decay, clip;      /* clip: most that the norm of a network's gradient may be */
    double slow, slower, epsilon;  /* shares of the moments that are kept; slow is the momentum of sgd too */
    double begun, begun_slower;    /* 1 - slow^updates, and so on */
};

/* The squared norm of the gradient of one network. */
static double square_sum(const struct update_call *c, int64_t member)
{
    double sums[LANES] = {0};
    for (int64_t t = member * c->tensors; t < (member + 1) * c->tensors; t++) {
        const float *g = c->gradients[t];
        int64_t i = 0;
        for (; g && i + LANES <= c->sizes[t]; i += LANES)
            for (int lane = 0; lane < LANES; lane++)
                sums[lane] += (double)g[i + lane] * g[i + lane];
        for (; g && i < c->sizes[t]; i++)
            sums[i % LANES] += (double)g[i] * g[i];
    }
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        sum += sums[lane];
    return sum;
}

/* Kingma and Ba 2015, and Loshchilov and Hutter 2019, whose decay stands apart from the gradient. */
static void adam(const struct update_call *c, int64_t size, float *w, const float *g, float scale, float *m, float *v)
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
static void sgd(const struct update_call *c, int64_t size, float *w, const float *g, float scale, float *velocity)
{
    const float momentum = (float)c->slow, rate = (float)c->rate, decay = (float)c->decay;
    for (int64_t i = 0; i < size; i++) {
        velocity[i] = velocity[i] * momentum + ((g ? g[i] * scale : 0.0f) + decay * w[i]);
        w[i] -= rate * velocity[i];
    }
}

/* One update. The largest of the networks' gradient norms before clipping; if it is not finite, nothing was changed. */
double rnncli_update(const struct update_call *c)
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
