/* The linear head on the newest state, forward and backward: kernels.h includes this file for every instruction set. */

/* Some columns of a product at a time: rows of `a` times `steps` rows of weights, whose rows lie `width` apart. */
static void NAME(by_columns)(struct product j, const float *w, int64_t steps, int64_t columns, int64_t width)
{
    struct run all = {0, 0, steps};
    float *out = j.out;
    j.runs = &all;
    j.run_count = 1;
    j.w_step = width;
    for (int64_t column = 0; column < columns; column += 4 * LANES) {
        j.vectors = smaller(4, (columns - column) / LANES);
        j.w = w + column;
        j.out = out + column;
        if (j.across)
            NAME(all_rows)(1, &j, &all, 1, 0);
        else
            multiply(&j);
    }
}

/* The weights as the products read them, forward and backward. */
static void NAME(head_pack)(const struct head *h)
{
    const int64_t features = rounded_up(h->features, LINE), outputs = rounded_up(h->outputs, LINE);
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t k = 0; k < h->features; k++)
            h->pack[k * outputs + o] = o < h->outputs ? h->weight[o * h->features + k] : 0.0f;
    for (int64_t o = 0; o < h->outputs; o++)
        for (int64_t k = 0; k < features; k++)
            h->pack_back[o * features + k] = k < h->features ? h->weight[o * h->features + k] : 0.0f;
}

/* out = read W^T + bias + level V^T, for some rows. */
static void NAME(head_forward)(const struct head *h, int64_t first, int64_t end)
{
    const int64_t features = rounded_up(h->features, LINE), outputs = rounded_up(h->outputs, LINE);
    const struct product j = {.rows = end - first, .a = h->read + first * features, .a_row = features,
                              .out = h->out + first * outputs, .out_row = outputs};
    NAME(by_columns)(j, h->pack, h->features, outputs, outputs);
    for (int64_t row = first; row < end; row++)
        for (int64_t o = 0; o < h->outputs; o++) {
            float sum = h->out[row * outputs + o] + h->bias[o];
            for (int64_t k = 0; k < h->levels; k++)
                sum += h->level[row * h->levels + k] * h->level_weight[o * h->levels + k];
            h->out[row * outputs + o] = sum;
        }
}

/* The gradient of what is read from that of the outputs, for some rows. */
static void NAME(head_backward)(const struct head *h, int64_t first, int64_t end)
{
    const int64_t features = rounded_up(h->features, LINE), outputs = rounded_up(h->outputs, LINE);
    const struct product j = {.rows = end - first, .a = h->slope + first * outputs, .a_row = outputs,
                              .out = h->d_read + first * features, .out_row = features};
    NAME(by_columns)(j, h->pack_back, h->outputs, features, features);
}

/* The gradients of the weights. */
static void NAME(head_gradient)(const struct head *h)
{
    const int64_t features = rounded_up(h->features, LINE), outputs = rounded_up(h->outputs, LINE);
    const struct product j = {.rows = h->outputs, .across = 1, .a = h->slope, .a_step = outputs, .out = h->gradient,
                              .out_row = features};
    NAME(by_columns)(j, h->read, h->batch, features, features);
    for (int64_t o = 0; o < h->outputs; o++) {
        copy(h->d_weight + o * h->features, h->gradient + o * features, h->features);
        h->d_bias[o] = 0.0f;
        for (int64_t k = 0; k < h->levels; k++)
            h->d_level_weight[o * h->levels + k] = 0.0f;
    }
    for (int64_t row = 0; row < h->batch; row++)
        for (int64_t o = 0; o < h->outputs; o++) {
            const float slope = h->slope[row * outputs + o];
            h->d_bias[o] += slope;
            for (int64_t k = 0; k < h->levels; k++)
                h->d_level_weight[o * h->levels + k] += slope * h->level[row * h->levels + k];
        }
}
