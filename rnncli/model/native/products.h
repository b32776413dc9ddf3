/* Products of matrices by tiles of vectors: kernels.h includes this file for every instruction set. */

/* out[r][v] = or += the sum over k of a[r][k] * w[k][v], v a vector. Rows of `a` lie `a_row` apart and its steps follow
 * each other; or `across`, its rows follow each other and its steps lie `a_step` apart. */
struct NAME(product) {
    int64_t rows, vectors, across;
    const float *a, *w;
    int64_t a_row, a_step, w_step, run_count;
    const struct run *runs;
    float *out;
    int64_t out_row;
    int add;
    int64_t far; /* whether the weights are more than a second-level cache holds */
};
#define product NAME(product)

static ALWAYS void NAME(tile)(const int R, const int V, const int across, const struct product *j, const struct run *runs,
                              int64_t run_count, int add, const float *a, float *out)
{
    vec sum[MOST];
    UNROLL for (int i = 0; i < R * V; i++)
        sum[i] = SPREAD(0.0f);
    const int64_t a_row = across ? 1 : j->a_row, a_step = across ? j->a_step : 1, w_step = j->w_step;
    for (int64_t i = 0; i < run_count; i++) {
        const float *ak = a + runs[i].a, *wk = j->w + runs[i].w;
        for (int64_t k = runs[i].count; k > 0; k--) {
            vec weight[4];
            UNROLL for (int v = 0; v < V; v++)
                weight[v] = load(wk + v * LANES);
            UNROLL for (int r = 0; r < R; r++) {
                const vec value = SPREAD(ak[r * a_row]);
                UNROLL for (int v = 0; v < V; v++)
                    sum[r * V + v] = FMA(value, weight[v], sum[r * V + v]);
            }
            ak += a_step;
            wk += w_step;
        }
    }
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < V; v++) {
            float *at = out + r * j->out_row + v * LANES;
            store(at, add ? load(at) + sum[r * V + v] : sum[r * V + v]);
        }
}

/* Rows by tiles of at most MOST_OF of them, as even as can be: small ones wait for their sums. Only where weights come
 * from far is the first as large as can be, since meanwhile they arrive. */
#define TILE(R, V)                                                                                 \
    case R:                                                                                        \
        if (R * V <= MOST)                                                                         \
            NAME(tile)(R, V, across, j, runs, run_count, add, a, out);                             \
        break;
#define TILES(MOST_OF, V)                                                                          \
    for (int64_t tiles = (left + MOST_OF - 1) / MOST_OF; tiles > 0; tiles--) {                     \
        const int64_t rows = j->far ? smaller(left, MOST_OF) : (left + tiles - 1) / tiles;         \
        switch (rows) { TILE(1, V) TILE(2, V) TILE(3, V) TILE(4, V) TILE(5, V) TILE(6, V) TILE(7, V) TILE(8, V) } \
        left -= rows, a += rows * a_row, out += rows * j->out_row;                                 \
    }

static ALWAYS void NAME(all_rows)(const int across, const struct product *j, const struct run *runs, int64_t run_count,
                                  int add)
{
    const int64_t a_row = across ? 1 : j->a_row;
    const float *a = j->a;
    float *out = j->out;
    int64_t left = j->rows;
    switch (j->vectors) {
    case 1: TILES(8, 1) break;
    case 2: TILES(ROWS_OF_2, 2) break;
    case 3: TILES(ROWS_OF_3, 3) break;
    default: TILES(ROWS_OF_4, 4) break;
    }
}

/* Work through the steps in chunks whose weights stay in the first-level cache while all rows pass by. Sums of sums are
 * also more exact than one long sum. */
static void NAME(multiply)(const struct product *j)
{
    const int64_t most = smaller(MOST_STEPS, WEIGHTS_AT_ONCE / (4 * LANES));
    struct run chunk[CHUNK_RUNS];
    int add = j->add;
    int64_t done = 0;
    for (int64_t i = 0; i < j->run_count;) {
        int64_t count = 0, steps = 0;
        for (; i < j->run_count && count < CHUNK_RUNS && steps < most; count++) {
            const struct run *r = &j->runs[i];
            const int64_t some = smaller(r->count - done, most - steps);
            chunk[count] = (struct run){r->a + done, r->w + done * j->w_step, some};
            steps += some;
            done += some;
            if (done == r->count)
                i++, done = 0;
        }
        NAME(all_rows)(0, j, chunk, count, add);
        add = 1;
    }
}
#define multiply NAME(multiply)
