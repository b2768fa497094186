/* adaptive_mix.h - single decisions: mixed from what contexts say, coded, and learned from */
#ifndef CN_ADAPTIVE_MIX_H
#define CN_ADAPTIVE_MIX_H

#include "adaptive.h"
#include "vector.h"

#define STRETCH_LIMIT 2047             /* of stretched probabilities, 1/256 of a natural logarithm */
#define WEIGHT_LIMIT ((1 << 19) - 1)   /* 2^16 is one */
#define FLAG_RATE 6
#define BYTE_RATE 4
#define HISTOGRAM_LIMIT 20

/* BINARY ARITHMETIC CODER
 *
 * Two bounds of 32 bits; bytes that both share are written. Beyond a payload's end lie zeros. */

typedef struct Binary {
    uint32_t low, high, code;
    const uint8_t *from, *end; /* reading */
    uint8_t *to, *stop;        /* writing; `full` where there is no room left */
    int full;
    uint64_t fresh, allowed;   /* bytes that were not foretold: how many there were, and may be in reading */
} Binary;

#define FRESH_PAID 64          /* of these, a byte of a payload pays for so many */

static uint32_t next_byte(Binary *coder) { return coder->from < coder->end ? *coder->from++ : 0; }

static void begin_reading(Binary *coder, const uint8_t *payload, size_t bytes, uint64_t allowed) {
    *coder = (Binary){.high = UINT32_MAX, .from = payload, .end = payload + bytes,
                      .allowed = allowed + FRESH_PAID * (uint64_t)bytes};
    for (int i = 0; i < 4; i++) coder->code = coder->code << 8 | next_byte(coder);
}

static void begin_writing(Binary *coder, uint8_t *payload, size_t capacity) {
    *coder = (Binary){.high = UINT32_MAX, .to = payload, .stop = payload + capacity};
}

static void put_byte(Binary *coder, uint8_t byte) {
    if (coder->to < coder->stop)
        *coder->to++ = byte;
    else
        coder->full = 1;
}

/* As few bytes as tell what lies between the bounds; zeros at the end are left out. */
static uint8_t *end_writing(Binary *coder, const uint8_t *payload) {
    if (coder->low > 0) {
        uint32_t code = 0;
        for (int bytes = 1; bytes <= 4; bytes++) {
            uint32_t unit = (uint32_t)1 << (32 - 8 * bytes);
            uint64_t up = ((uint64_t)coder->low + unit - 1) / unit * unit;
            code = (uint32_t)up;
            if (up <= coder->high) break;
        }
        for (; code != 0; code <<= 8) put_byte(coder, (uint8_t)(code >> 24));
    }
    while (coder->to > payload && coder->to[-1] == 0) coder->to--;
    return coder->to;
}

/* Code a decision that is 1 with a probability of p / 2^16, 0 < p < 2^16. */
static inline int code_decision(Binary *coder, int bit, uint32_t p, int reads) {
    uint32_t range = coder->high - coder->low;
    uint32_t middle = coder->low + (uint32_t)(((uint64_t)range * p) >> 16);
    if (reads) bit = coder->code <= middle;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    while (((coder->low ^ coder->high) >> 24) == 0) {
        if (reads)
            coder->code = coder->code << 8 | next_byte(coder);
        else
            put_byte(coder, (uint8_t)(coder->low >> 24));
        coder->low <<= 8;
        coder->high = coder->high << 8 | 255;
    }
    return bit;
}

/* MAPS: a probability of 22 bits, and how many decisions it averages over in the 10 below */

static inline uint32_t map_share(uint32_t map) { return map >> 16; }

static inline void learn_map(const cn_adaptive *model, uint32_t *map, int bit) {
    uint32_t count = *map & 1023;
    int32_t share = (int32_t)(*map >> 10), target = bit ? (1 << 22) - 1 : 0;
    share += (int32_t)(((int64_t)(target - share) * model->reciprocal[count]) >> 16);
    *map = (uint32_t)share << 10 | (count < MAP_LIMIT ? count + 1 : count);
}

/* MIXING */

typedef struct Mixer {
    int32_t input[INPUTS];
    int32_t *weights[3];
} Mixer;

static inline int32_t limited(int32_t value, int32_t limit) {
    return value > limit ? limit : value < -limit ? -limit : value;
}

static inline uint32_t squashed(const cn_adaptive *model, int32_t stretched) { return model->squash[stretched + 2048]; }

static inline int32_t stretched(const cn_adaptive *model, uint32_t share) { return model->stretch[share >> 4]; }

/* Inputs come in groups of eight, whose number compilers know, so that they make vectors of them. */
#define GROUP 8

INLINE int32_t mixed(const int32_t *restrict input, const int32_t *restrict weights, int count) {
    int32_t sum = 0;
    for (int i = 0; i < count; i++) sum += (input[i] * weights[i]) >> 8;
    return limited(sum >> 8, STRETCH_LIMIT);
}

INLINE void learn_weights(const int32_t *restrict input, int32_t *restrict weights, int count, int32_t error) {
    for (int i = 0; i < count; i++) {
        int32_t weight = weights[i] + ((input[i] * error + (1 << 13)) >> 14);
        weights[i] = limited(weight, WEIGHT_LIMIT);
    }
}

/* Code a decision by the average of three mixtures, each of which learns on its own. */
INLINE int code_mixed(const cn_adaptive *model, Mixer *mixer, Binary *coder, int bit, int rate, int groups,
                      int reads) {
    int32_t sums[3];
    for (int i = 0; i < groups * GROUP; i++) mixer->input[i] = limited(mixer->input[i], STRETCH_LIMIT);
    for (int i = 0; i < 3; i++) sums[i] = mixed(mixer->input, mixer->weights[i], groups * GROUP);
    int32_t average = limited(((sums[0] + sums[1] + sums[2]) * 21846) >> 16, STRETCH_LIMIT);
    bit = code_decision(coder, bit, squashed(model, average), reads);
    for (int i = 0; i < 3; i++) {
        int32_t error = (((int32_t)bit << 16) - (int32_t)squashed(model, sums[i])) >> 2;
        learn_weights(mixer->input, mixer->weights[i], groups * GROUP, error * rate);
    }
    return bit;
}

/* HISTOGRAMS */

/* Sums of shares over 16 ranges, and over pairs of those, and so on: those of node i are 2 i and
 * 2 i + 1. What is kept of a sum is where its logarithm lies. */
typedef struct Tree {
    uint16_t node[32];
} Tree;

/* Where 256 * ln(sum + 1) lies: from 4096 on, only an eighth of the sum counts. */
INLINE uint16_t log_place(uint16_t sum) {
    uint16_t eighth = sum >> 3;
    return sum < LOGS ? sum : (uint16_t)(LOGS | (eighth < LOGS ? eighth : LOGS - 1));
}

/* What a histogram says of a decision: the logarithm of its odds, which is limited later. */
INLINE int32_t told(const cn_adaptive *model, const Tree *tree, int node) {
    const uint16_t *pair = tree->node + 2 * node;
    return model->logarithm[pair[1]] - model->logarithm[pair[0]];
}

#if defined(X86_256)

INLINE __m256i log_places(__m256i sums) {
    __m256i eighth = _mm256_min_epi16(_mm256_srli_epi16(sums, 3), _mm256_set1_epi16(LOGS - 1));
    __m256i is_small = _mm256_cmpeq_epi16(_mm256_srli_epi16(sums, 12), _mm256_setzero_si256());
    return _mm256_blendv_epi8(_mm256_or_si256(eighth, _mm256_set1_epi16(LOGS)), sums, is_small);
}

INLINE void fill_tree(Tree *tree, __m256i leaves) {
    __m128i pairs = _mm_hadd_epi16(_mm256_castsi256_si128(leaves), _mm256_extracti128_si256(leaves, 1));
    __m128i fours = _mm_hadd_epi16(pairs, pairs), halves = _mm_hadd_epi16(fours, fours);
    __m256i nodes = _mm256_set_m128i(pairs, _mm_unpacklo_epi64(_mm_slli_si128(_mm_unpacklo_epi32(halves, halves), 4), fours));
    _mm256_storeu_si256((__m256i *)(void *)tree->node, log_places(nodes));
    _mm256_storeu_si256((__m256i *)(void *)(tree->node + 16), log_places(leaves));
}

INLINE __m256i load_16(const int16_t *from) { return _mm256_loadu_si256((const __m256i *)(const void *)from); }

INLINE __m256i shares_at(const Histogram *histogram, int place) { return load_16(histogram->share + (place & 255)); }

/* Of the high four bits of values, given what foretells them. */
INLINE void fill_high_tree(Tree *tree, const Histogram *histogram, int foretold) {
    __m256i four[4];
    for (int i = 0; i < 4; i++) {
        int place = 64 * i - foretold;
        __m256i low = _mm256_hadd_epi16(shares_at(histogram, place), shares_at(histogram, place + 16));
        __m256i high = _mm256_hadd_epi16(shares_at(histogram, place + 32), shares_at(histogram, place + 48));
        four[i] = _mm256_hadd_epi16(low, high);
    }
    __m256i low = _mm256_hadd_epi16(four[0], four[1]), high = _mm256_hadd_epi16(four[2], four[3]);
    fill_tree(tree, _mm256_add_epi16(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31)));
}

/* Of the low four bits; `value` has the high ones. */
INLINE void fill_low_tree(Tree *tree, const Histogram *histogram, int foretold, int value) {
    fill_tree(tree, shares_at(histogram, value - foretold));
}

#else

INLINE void fill_tree(Tree *tree) {
    for (int i = 15; i > 0; i--) tree->node[i] = (uint16_t)(tree->node[2 * i] + tree->node[2 * i + 1]);
    for (int i = 0; i < 32; i++) tree->node[i] = log_place(tree->node[i]);
}

/* Of the high four bits of values, given what foretells them. */
INLINE void fill_high_tree(Tree *tree, const Histogram *histogram, int foretold) {
    tree->node[0] = 0;
    for (int i = 0; i < 16; i++) {
        const int16_t *share = histogram->share + ((16 * i - foretold) & 255);
        uint16_t sum = 0;
        for (int k = 0; k < 16; k++) sum = (uint16_t)(sum + share[k]);
        tree->node[16 + i] = sum;
    }
    fill_tree(tree);
}

/* Of the low four bits; `value` has the high ones. */
INLINE void fill_low_tree(Tree *tree, const Histogram *histogram, int foretold, int value) {
    tree->node[0] = 0;
    memcpy(tree->node + 16, histogram->share + ((value - foretold) & 255), 16 * sizeof(uint16_t));
    fill_tree(tree);
}

#endif

INLINE void learn_histogram(const cn_adaptive *model, Histogram *histogram, int difference) {
    int16_t rate = (int16_t)(32768 / (histogram->count + 2));
    const int16_t *restrict kernel = model->narrow + ((256 - difference) & 255);
    int16_t *restrict share = histogram->share;
#if defined(X86_256)
    const __m256i rates = _mm256_set1_epi16(rate);
    for (int i = 0; i < SHARES; i += 16) {
        __m256i from = load_16(share + i), to = load_16(kernel + i);
        from = _mm256_add_epi16(from, _mm256_mulhrs_epi16(_mm256_sub_epi16(to, from), rates));
        _mm256_storeu_si256((__m256i *)(void *)(share + i), from);
    }
#else
    for (int i = 0; i < SHARES; i++) {
        int16_t gap = (int16_t)(kernel[i] - share[i]);
        share[i] = (int16_t)(share[i] + (int16_t)((((gap * rate) >> 14) + 1) >> 1)); /* rounded */
    }
#endif
    if (histogram->count < HISTOGRAM_LIMIT) histogram->count++;
}

#endif
