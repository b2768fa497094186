/* mixture.h - a mixture of two logistics as integer frequencies; FORMAT.md, "Distributions"
 *
 * No table of frequencies is made: the sum of all frequencies below a symbol has a closed form.
 */
#ifndef CN_MIXTURE_H
#define CN_MIXTURE_H

#include "range_coder.h"

#define CDF_LIMIT 1536
#define SCALES 81
#define SCALE_CENTRE 40
#define MEAN_LIMIT 4096
#define MEAN_SHIFT 9
#define RECIPROCAL_BITS 10
#define BOUND_LIMIT 127

typedef struct Tables {
    uint16_t cdf[2 * CDF_LIMIT + 1];
    int32_t reciprocal[SCALES];
    uint8_t weight[256];
} Tables;

#define MIXED 16 /* symbols whose mixtures are made together: their loops become vectors */

typedef struct Mixtures {
    int32_t mean[2][MIXED], reciprocal[2][MIXED], weight[MIXED];
    int32_t k[MIXED];     /* a symbol, and what the frequencies of all below it, */
    uint32_t left[MIXED]; /* and of those up to it, sum to */
    uint32_t right[MIXED];
    int32_t bound;
    uint32_t share; /* 65536 less the alphabet: what the distributions share out */
    const uint16_t *cdf;
} Mixtures;

/* From the five outputs of `count` symbols: each is `step` from the one before, and its outputs are
 * `stride` apart. What lies beyond them is of no use. */
INLINE void make_mixtures(Mixtures *m, const Tables *tables, const int32_t *outputs, ptrdiff_t stride, ptrdiff_t step,
                          int32_t count, const int32_t *gain, const int32_t *offset, int32_t bound) {
    int32_t five[5][MIXED];
    m->bound = bound;
    m->share = (uint32_t)(65536 - (2 * bound + 1));
    m->cdf = tables->cdf;
    for (int o = 0; o < 5; o++, outputs += stride)
        for (int s = 0; s < MIXED; s++) five[o][s] = s < count ? outputs[s * step] : 0;
    for (int j = 0; j < 2; j++) {
        for (int s = 0; s < MIXED; s++) {
            int32_t mean = (five[2 * j][s] * gain[s] + (1 << (MEAN_SHIFT - 1))) >> MEAN_SHIFT;
            int32_t scale = clamped(five[2 * j + 1][s], -64, 63) + offset[s] + SCALE_CENTRE;
            m->mean[j][s] = clamped(mean, -MEAN_LIMIT, MEAN_LIMIT);
            five[2 * j + 1][s] = clamped(scale, 0, SCALES - 1);
        }
        for (int s = 0; s < MIXED; s++) m->reciprocal[j][s] = tables->reciprocal[five[2 * j + 1][s]];
    }
    for (int s = 0; s < MIXED; s++) m->weight[s] = tables->weight[clamped(five[4][s], -128, 127) + 128];
}

INLINE int32_t place_of_edge(int32_t k, int32_t mean, int32_t reciprocal) {
    int32_t z = ((32 * k - 16 - mean) * reciprocal) >> RECIPROCAL_BITS;
    return clamped(z, -CDF_LIMIT, CDF_LIMIT) + CDF_LIMIT;
}

/* The sum of the frequencies of all symbols below k, for k from -bound to bound + 1; `first` and
 * `second` are how much of each component lies below. */
INLINE uint32_t sum_below(int32_t k, int32_t bound, uint32_t share, int32_t weight, uint32_t first, uint32_t second) {
    uint32_t least = (uint32_t)(k + bound) << 8;
    uint32_t sum = (uint32_t)weight * ((first * share) >> 16) + (uint32_t)(256 - weight) * ((second * share) >> 16);
    return k <= -bound ? 0 : k > bound ? UINT32_C(1) << TOTAL_BITS : sum + least;
}

INLINE uint32_t left_of(const Mixtures *m, int32_t s, int32_t k) {
    uint32_t first = m->cdf[place_of_edge(k, m->mean[0][s], m->reciprocal[0][s])];
    uint32_t second = m->cdf[place_of_edge(k, m->mean[1][s], m->reciprocal[1][s])];
    return sum_below(k, m->bound, m->share, m->weight[s], first, second);
}

/* `left` and `right` of each symbol's `k`. */
INLINE void find_edges(Mixtures *m) {
    int32_t place[4][MIXED];
    uint32_t below[4][MIXED];
    for (int e = 0; e < 4; e++)
        for (int s = 0; s < MIXED; s++)
            place[e][s] = place_of_edge(m->k[s] + e / 2, m->mean[e % 2][s], m->reciprocal[e % 2][s]);
    for (int e = 0; e < 4; e++)
        for (int s = 0; s < MIXED; s++) below[e][s] = m->cdf[place[e][s]];
    for (int s = 0; s < MIXED; s++) {
        m->left[s] = sum_below(m->k[s], m->bound, m->share, m->weight[s], below[0][s], below[1][s]);
        m->right[s] = sum_below(m->k[s] + 1, m->bound, m->share, m->weight[s], below[2][s], below[3][s]);
    }
}

/* Where the search for each symbol begins: at the heavier component's mean. */
INLINE void find_likely(Mixtures *m) {
    for (int s = 0; s < MIXED; s++)
        m->k[s] = clamped(((m->weight[s] < 128 ? m->mean[1][s] : m->mean[0][s]) + 16) >> 5, -m->bound, m->bound);
}

/* The next symbol, up or down from `k`; `k`, `left` and `right` become its own. Apart from the rest,
 * as most symbols are what was likely. */
static __attribute__((noinline)) void search(Mixtures *m, int32_t s, uint64_t off, uint64_t scale) {
    int32_t k = m->k[s];
    uint32_t left = m->left[s], right = m->right[s];
    while (off >= scale * right && k < m->bound) {
        left = right;
        right = left_of(m, s, ++k + 1);
    }
    while (off < scale * left) {
        right = left;
        left = left_of(m, s, --k);
    }
    m->k[s] = k;
    m->left[s] = left;
    m->right[s] = right;
}

INLINE void decode_mixture(Decoder *decoder, Mixtures *m, int32_t s) {
    uint64_t scale = scale_of(decoder), off = decoder->off;
    if (off < scale * m->left[s] || off >= scale * m->right[s]) search(m, s, off, scale);
    decode(decoder, scale, m->left[s], m->right[s] - m->left[s]);
}

#endif
