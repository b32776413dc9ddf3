/* Vectors of any width, and the activations on them: kernels.h includes this file for every instruction set. */

typedef float NAME(vec) __attribute__((vector_size(4 * LANES)));
typedef int32_t NAME(ints) __attribute__((vector_size(4 * LANES)));
typedef float NAME(loose) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define vec NAME(vec)
#define ints NAME(ints)
#define loose NAME(loose)

static ALWAYS vec NAME(load)(const float *at) { return *(const loose *)at; }
static ALWAYS void NAME(store)(float *at, vec value) { *(loose *)at = value; }
#define load NAME(load)
#define store NAME(store)

/* Ask for memory that will soon be touched, where the processor does not foresee it. */
static ALWAYS void NAME(fetch)(const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i += 16)
        __builtin_prefetch(from + i, 1, 2);
}
#define fetch NAME(fetch)

/* tanh, 3.2e-7 relative: x P(x^2) / Q(x^2), a minimax fit on [0, 9.02]; at its end tanh is one in float32. */
static ALWAYS vec NAME(tanh)(vec x)
{
    x = UPPER(SPREAD(9.02f), LOWER(SPREAD(-9.02f), x));
    const vec u = x * x;
    vec p = SPREAD(1.752752076811248e-08f), q = SPREAD(1.021454181682202e-06f);
    p = FMA(p, u, SPREAD(2.7087000489700586e-05f));
    q = FMA(q, u, SPREAD(0.00043203961104154587f));
    p = FMA(p, u, SPREAD(0.004597971681505442f));
    q = FMA(q, u, SPREAD(0.03404494747519493f));
    p = FMA(p, u, SPREAD(0.1760697066783905f));
    q = FMA(q, u, SPREAD(0.6147173047065735f));
    p = FMA(p, u, SPREAD(1.3159434795379639f));
    q = FMA(q, u, SPREAD(1.3159435987472534f));
    return UPPER(SPREAD(1.0f), LOWER(SPREAD(-1.0f), x * p / q));
}

/* 1 / (1 + exp(-x)), 3e-7 relative, zero below -87: -x = n ln 2 - r, and exp(-r) by a minimax fit. */
static ALWAYS vec NAME(sigmoid)(vec input)
{
    const vec x = UPPER(SPREAD(87.0f), LOWER(SPREAD(-87.0f), input));
    const vec shifted = FMA(x, SPREAD(-1.44269504f), SPREAD(12582912.0f)); /* 1.5 * 2^23: n is in the low bits */
    const vec n = shifted - SPREAD(12582912.0f);
    vec r = FMA(n, SPREAD(0.693359375f), x);
    r = FMA(n, SPREAD(-2.12194440e-4f), r);
    vec e = SPREAD(-0.008312513120472431f);
    e = FMA(e, r, SPREAD(0.041890282183885574f));
    e = FMA(e, r, SPREAD(-0.16667115688323975f));
    e = FMA(e, r, SPREAD(0.499992311000824f));
    e = FMA(e, r, SPREAD(-1.0f));
    e = FMA(e, r, SPREAD(1.0f));
    const vec scale = (vec)(((ints)shifted << 23) + 0x3f800000);
    const vec result = SPREAD(1.0f) / FMA(e, scale, SPREAD(1.0f));
    return (vec)((ints)result & ~(ints)(input < SPREAD(-87.0f))); /* what is no number stays none */
}
#define tanh_of NAME(tanh)
#define sigmoid_of NAME(sigmoid)

static ALWAYS vec NAME(activation)(vec x, int relu)
{
    return relu ? (vec)((ints)x & ~(ints)(x < SPREAD(0.0f))) : tanh_of(x);
}

/* Its derivative, from its value, times a gradient. */
static ALWAYS vec NAME(through)(vec gradient, vec value, int relu)
{
    if (relu)
        return (vec)((ints)gradient & ~(ints)(value <= SPREAD(0.0f)));
    return gradient * FMA(-value, value, SPREAD(1.0f));
}
#define activation_of NAME(activation)
#define through NAME(through)
