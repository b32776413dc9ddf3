/* One step of every cell, forward and backward: kernels.h includes this file for every instruction set. */

/* The rows of one panel at one step. `now` and `next` point to the panel's units of h in the first row; a carry lies
 * `padded` floats before. */
struct NAME(span) {
    int64_t rows, row, padded, vectors;
    const float *sums; /* the gates before their activation; forward alone */
    float *gates;
    const float *now;
    float *next;    /* written forward, read backward */
    float *dh, *dc; /* (rows, padded), of the panel's units */
    ints valid;     /* lanes that are units */
    int relu;
};
#define span NAME(span)

/* ----------------------------------------------------------------------------------------------- forward -- */

static void NAME(rnn_forward)(const struct span *s)
{
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t v = 0; v < s->vectors; v++)
            store(s->next + i * s->row + v * LANES,
                  activation_of(load(s->sums + (i * s->vectors + v) * LANES), s->relu));
}

static void NAME(lstm_forward)(const struct span *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        const float *sums = s->sums + r * 4 * LANES;
        float *g = s->gates + r * 4 * LANES, *next = s->next + r * s->row;
        const vec i = sigmoid_of(load(sums)), f = sigmoid_of(load(sums + LANES));
        const vec k = tanh_of(load(sums + 2 * LANES)), o = sigmoid_of(load(sums + 3 * LANES));
        const vec c = FMA(f, load(s->now + r * s->row - s->padded), i * k);
        store(g, i), store(g + LANES, f), store(g + 2 * LANES, k), store(g + 3 * LANES, o);
        store(next - s->padded, c);
    }
    for (int64_t r = 0; r < s->rows; r++) { /* a loop of its own: its rows then overlap better */
        float *next = s->next + r * s->row;
        store(next, load(s->gates + (r * 4 + 3) * LANES) * tanh_of(load(next - s->padded)));
    }
}

static void NAME(gru_forward)(const struct span *s)
{
    for (int64_t i = 0; i < s->rows; i++) {
        const float *sums = s->sums + i * 4 * LANES;
        float *g = s->gates + i * 4 * LANES;
        const vec r = sigmoid_of(load(sums + LANES)), z = sigmoid_of(load(sums + 2 * LANES));
        const vec recurrent = load(sums + 3 * LANES), n = tanh_of(FMA(r, recurrent, load(sums)));
        store(g, n), store(g + LANES, r), store(g + 2 * LANES, z), store(g + 3 * LANES, recurrent);
        store(s->next + i * s->row, FMA(z, load(s->now + i * s->row) - n, n));
    }
}

static void NAME(carry_lstm_forward)(const struct span *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        const float *sums = s->sums + r * 4 * LANES;
        float *g = s->gates + r * 4 * LANES, *next = s->next + r * s->row;
        const vec i = sigmoid_of(load(sums)), f = sigmoid_of(load(sums + LANES)), k = tanh_of(load(sums + 2 * LANES));
        store(g, i), store(g + LANES, f), store(g + 2 * LANES, k);
        store(next - s->padded, FMA(f, load(s->now + r * s->row - s->padded), i * k));
        store(next, activation_of(load(sums + 3 * LANES), s->relu));
    }
}

/* ---------------------------------------------------------------------------------------------- backward -- */

static ALWAYS void NAME(store_valid)(const struct span *s, float *at, vec value)
{
    store(at, (vec)((ints)value & s->valid));
}
#define store_valid NAME(store_valid)

static ALWAYS vec NAME(slope)(vec sigmoid) { return FMA(-sigmoid, sigmoid, sigmoid); } /* s (1 - s) */
static ALWAYS vec NAME(steepness)(vec tanh) { return FMA(-tanh, tanh, SPREAD(1.0f)); } /* 1 - t^2 */

static void NAME(rnn_backward)(const struct span *s)
{
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t v = 0; v < s->vectors; v++) {
            const vec h = load(s->next + r * s->row + v * LANES);
            const vec d = through(load(s->dh + r * s->padded + v * LANES), h, s->relu);
            float *at = s->gates + (r * s->vectors + v) * LANES;
            if (v + 1 == s->vectors)
                store_valid(s, at, d);
            else
                store(at, d);
        }
}

static void NAME(lstm_backward)(const struct span *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        float *g = s->gates + r * 4 * LANES, *dc_at = s->dc + r * s->padded;
        const vec i = load(g), f = load(g + LANES), k = load(g + 2 * LANES), o = load(g + 3 * LANES);
        const vec bent = tanh_of(load(s->next + r * s->row - s->padded)), dh = load(s->dh + r * s->padded);
        const vec dc = FMA(dh * o, NAME(steepness)(bent), load(dc_at));
        const vec before = load(s->now + r * s->row - s->padded);
        store_valid(s, g, dc * k * NAME(slope)(i));
        store_valid(s, g + LANES, dc * before * NAME(slope)(f));
        store_valid(s, g + 2 * LANES, dc * i * NAME(steepness)(k));
        store_valid(s, g + 3 * LANES, dh * bent * NAME(slope)(o));
        store(dc_at, dc * f);
    }
}

static void NAME(gru_backward)(const struct span *s)
{
    for (int64_t row = 0; row < s->rows; row++) {
        float *g = s->gates + row * 4 * LANES, *dh_at = s->dh + row * s->padded;
        const vec n = load(g), r = load(g + LANES), z = load(g + 2 * LANES), recurrent = load(g + 3 * LANES);
        const vec dh = load(dh_at), dn = dh * (SPREAD(1.0f) - z) * NAME(steepness)(n);
        store_valid(s, g, dn);
        store_valid(s, g + LANES, dn * recurrent * NAME(slope)(r));
        store_valid(s, g + 2 * LANES, dh * (load(s->now + row * s->row) - n) * NAME(slope)(z));
        store_valid(s, g + 3 * LANES, dn * r);
        store(dh_at, dh * z);
    }
}

static void NAME(carry_lstm_backward)(const struct span *s)
{
    for (int64_t r = 0; r < s->rows; r++) {
        float *g = s->gates + r * 4 * LANES, *dc_at = s->dc + r * s->padded;
        const vec i = load(g), f = load(g + LANES), k = load(g + 2 * LANES), dc = load(dc_at);
        const vec before = load(s->now + r * s->row - s->padded);
        store_valid(s, g, dc * k * NAME(slope)(i));
        store_valid(s, g + LANES, dc * before * NAME(slope)(f));
        store_valid(s, g + 2 * LANES, dc * i * NAME(steepness)(k));
        store_valid(s, g + 3 * LANES, through(load(s->dh + r * s->padded), load(s->next + r * s->row), s->relu));
        store(dc_at, dc * f);
    }
}

static ints NAME(valid_lanes)(int64_t count)
{
    ints lanes;
    for (int i = 0; i < LANES; i++)
        lanes[i] = i < count ? -1 : 0;
    return lanes;
}
