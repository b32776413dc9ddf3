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
    for (int64_t o = 0; o < outputs; o++) {
        const int there = o < h->outputs;
        for (int64_t k = 0; k < h->features; k++)
            h->pack[k * outputs + o] = there ? h->weight[o * h->features + k] : 0.0f;
        for (int64_t k = 0; k < h->levels; k++)
            h->pack[(h->features + k) * outputs + o] = there ? h->level_weight[o * h->levels + k] : 0.0f;
        h->pack[(h->features + h->levels) * outputs + o] = there ? h->bias[o] : 0.0f;
    }
    for (int64_t o = 0; o < h->outputs; o++) {
        copy(h->pack_back + o * features, h->weight + o * h->features, h->features);
        for (int64_t k = h->features; k < features; k++)
            h->pack_back[o * features + k] = 0.0f;
    }
}

/* out = read W^T + level V^T + bias, for some rows. */
static void NAME(head_forward)(const struct head *h, int64_t first, int64_t end)
{
    const int64_t width = head_width(h), outputs = rounded_up(h->outputs, LINE);
    for (int64_t row = first; row < end; row++) {
        float *rest = h->read + row * width + h->features;
        for (int64_t k = 0; k < h->levels; k++)
            rest[k] = h->level[row * h->levels + k];
        rest[h->levels] = 1.0f;
    }
    const struct product j = {.rows = end - first, .a = h->read + first * width, .a_row = width,
                              .out = h->out + first * outputs, .out_row = outputs};
    NAME(by_columns)(j, h->pack, head_columns(h), outputs, outputs);
}

/* The gradient of the features from that of the outputs, for some rows. */
static void NAME(head_backward)(const struct head *h, int64_t first, int64_t end)
{
    const int64_t width = head_width(h), features = rounded_up(h->features, LINE);
    const int64_t outputs = rounded_up(h->outputs, LINE);
    const struct product j = {.rows = end - first, .a = h->slope + first * outputs, .a_row = outputs,
                              .out = h->d_read + first * width, .out_row = width};
    NAME(by_columns)(j, h->pack_back, h->outputs, features, features);
}

/* The gradients of the weights. */
static void NAME(head_gradient)(const struct head *h)
{
    const int64_t width = head_width(h), outputs = rounded_up(h->outputs, LINE);
    const struct product j = {.rows = h->outputs, .across = 1, .a = h->slope, .a_step = outputs, .out = h->gradient,
                              .out_row = width};
    NAME(by_columns)(j, h->read, h->batch, width, width);
    for (int64_t o = 0; o < h->outputs; o++) {
        const float *from = h->gradient + o * width;
        copy(h->d_weight + o * h->features, from, h->features);
        for (int64_t k = 0; k < h->levels; k++)
            h->d_level_weight[o * h->levels + k] = from[h->features + k];
        h->d_bias[o] = from[h->features + h->levels];
    }
}
