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

typedef struct Mixture {
    int32_t mean[2], reciprocal[2], weight;
    int32_t bound;
    uint32_t share; /* 65536 less the alphabet: what the distributions share out */
    const uint16_t *cdf;
} Mixture;

/* From the five outputs of a symbol, `stride` apart. */
INLINE Mixture mixture_of(const Tables *tables, const int32_t *outputs, ptrdiff_t stride, int32_t gain,
                          int32_t offset, int32_t bound) {
    Mixture m = {.bound = bound, .share = (uint32_t)(65536 - (2 * bound + 1)), .cdf = tables->cdf};
    for (int j = 0; j < 2; j++) {
        int32_t mean = (outputs[2 * j * stride] * gain + (1 << (MEAN_SHIFT - 1))) >> MEAN_SHIFT;
        int32_t scale = clamped(outputs[(2 * j + 1) * stride], -64, 63) + offset + SCALE_CENTRE;
        m.mean[j] = clamped(mean, -MEAN_LIMIT, MEAN_LIMIT);
        m.reciprocal[j] = tables->reciprocal[clamped(scale, 0, SCALES - 1)];
    }
    m.weight = tables->weight[clamped(outputs[4 * stride], -128, 127) + 128];
    return m;
}

INLINE uint32_t below_edge(const Mixture *m, int j, int32_t edge) {
    int32_t z = ((edge - m->mean[j]) * m->reciprocal[j]) >> RECIPROCAL_BITS;
    return (m->cdf[clamped(z, -CDF_LIMIT, CDF_LIMIT) + CDF_LIMIT] * m->share) >> 16;
}

/* The sum of the frequencies of all symbols below k, for k from -bound to bound + 1. */
INLINE uint32_t left_of(const Mixture *m, int32_t k) {
    uint32_t least = (uint32_t)(k + m->bound) << 8;
    if (k <= -m->bound) return 0;
    if (k > m->bound) return UINT32_C(1) << TOTAL_BITS;
    int32_t edge = 32 * k - 16;
    return (uint32_t)m->weight * below_edge(m, 0, edge) + (uint32_t)(256 - m->weight) * below_edge(m, 1, edge) + least;
}

INLINE void encode_mixture(Encoder *encoder, const Mixture *m, int32_t k) {
    uint32_t left = left_of(m, k);
    encode(encoder, left, left_of(m, k + 1) - left);
}

/* The next symbol: from the heavier component's mean, up or down. `frequency` gets its own. */
INLINE int32_t decode_mixture(Decoder *decoder, const Mixture *m, uint32_t *frequency) {
    uint64_t scale = scale_of(decoder);
    int32_t k = clamped((m->mean[m->weight < 128] + 16) >> 5, -m->bound, m->bound);
    uint32_t left = left_of(m, k), right;
    if (decoder->off >= scale * left) {
        for (right = left_of(m, k + 1); decoder->off >= scale * right && k < m->bound; right = left_of(m, k + 1)) {
            left = right;
            k++;
        }
    } else {
        do {
            right = left;
            left = left_of(m, --k);
        } while (decoder->off < scale * left);
    }
    *frequency = right - left;
    decode(decoder, scale, left, right - left);
    return k;
}

#endif
