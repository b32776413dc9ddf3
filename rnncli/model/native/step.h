/* A training step beside the recurrence. As in plan.h, 64-bit numbers and pointers in this order (stack.py, update.py). */
#ifndef RNNCLI_STEP_H
#define RNNCLI_STEP_H

#include <stdint.h>

enum loss_kind { ABSOLUTE, SQUARED, HUBER };
enum optimizer_kind { ADAM, ADAMW, SGD };

/* A linear map of what was read. Rows of the last four are filled up to whole lines: `read` has features, levels and
 * the 1 that biases multiply side by side, and zeros behind them. */
struct head {
    int64_t batch, features, outputs, levels;
    const float *weight, *bias; /* (outputs, features), (outputs,) */
    const float *level_weight;  /* (outputs, levels): a second map, of the windows' levels; null if there are none */
    const float *level;         /* (batch, levels) */
    float *d_weight, *d_bias, *d_level_weight;
    float *pack, *pack_back, *gradient; /* padded outputs times head_width */
    float *read, *d_read, *out, *slope;
};
enum { LINE = 16 };

static inline int64_t head_columns(const struct head *h) { return h->features + h->levels + 1; }

static inline int64_t head_width(const struct head *h) { return (head_columns(h) + LINE - 1) / LINE * LINE; }

/* The losses of windows. Outputs times a window's spread plus its level are the answers. */
struct loss {
    int64_t kind, steps, targets;
    const float *level, *spread; /* (batch, targets), or both null: outputs are the answers */
    const float *target;         /* (batch, steps, targets) */
    const uint8_t *known;        /* likewise, whether it counts */
    const float *weight;         /* (batch, steps), or null */
    float *losses;               /* (batch,): the mean over what is known, 0 if nothing is */
};

/* Layers, a head on the newest state, and the loss: forward and back. */
struct pass {
    int64_t set, layers, directions;
    struct call *calls;        /* [layer][direction], on as many threads each; scratch: as large as both passes need */
    const float *const *masks; /* [layer]: by what a layer's input is multiplied, (batch, steps, inputs), or null */
    const float *head_mask;    /* likewise (batch, features) */
    struct head head;
    struct loss loss;
};

/* The weights of one or several networks, `tensors` of each, all in a row. */
struct update {
    int64_t kind, members, tensors;
    const int64_t *sizes;
    float *const *weights;
    const float *const *gradients; /* a null stands for zeros */
    float *first, *second;         /* moments of all weights, or the velocity and nothing */
    double rate, decay, clip;      /* clip: most that the norm of a network's gradient may be */
    double slow, slower, epsilon;  /* shares of the moments that are kept; slow is the momentum of sgd too */
    double begun, begun_slower;    /* 1 - slow^updates, and so on */
};

int64_t rnncli_step(const struct pass *pass);
double rnncli_update(const struct update *update);

#endif
