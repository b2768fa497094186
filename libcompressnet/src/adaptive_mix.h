/* adaptive_mix.h - single decisions: mixed from what contexts say, coded, and learned from */
#ifndef CN_ADAPTIVE_MIX_H
#define CN_ADAPTIVE_MIX_H

#include "adaptive.h"

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
} Binary;

static uint32_t next_byte(Binary *coder) { return coder->from < coder->end ? *coder->from++ : 0; }

static void begin_reading(Binary *coder, const uint8_t *payload, size_t bytes) {
    *coder = (Binary){.high = UINT32_MAX, .from = payload, .end = payload + bytes};
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
    int32_t input[INPUTS], count;
    int32_t *weights[3];
} Mixer;

static inline int32_t limited(int32_t value, int32_t limit) {
    return value > limit ? limit : value < -limit ? -limit : value;
}

static inline uint32_t squashed(const cn_adaptive *model, int32_t stretched) { return model->squash[stretched + 2048]; }

static inline int32_t stretched(const cn_adaptive *model, uint32_t share) { return model->stretch[share >> 4]; }

static inline int32_t mixed(const int32_t *input, const int32_t *weights, int count) {
    int32_t sum = 0;
    for (int i = 0; i < count; i++) sum += (input[i] * weights[i]) >> 8;
    return limited(sum >> 8, STRETCH_LIMIT);
}

static inline void learn_weights(const int32_t *input, int32_t *weights, int count, int32_t error) {
    for (int i = 0; i < count; i++) {
        int32_t weight = weights[i] + ((input[i] * error + (1 << 13)) >> 14);
        weights[i] = limited(weight, WEIGHT_LIMIT);
    }
}

/* Code a decision by the average of three mixtures, each of which learns on its own. */
static inline int code_mixed(const cn_adaptive *model, Mixer *mixer, Binary *coder, int bit, int rate, int reads) {
    int count = mixer->count;
    int32_t sums[3];
    while (count & 7) mixer->input[count++] = 0;
    for (int i = 0; i < 3; i++) sums[i] = mixed(mixer->input, mixer->weights[i], count);
    int32_t average = limited(((sums[0] + sums[1] + sums[2]) * 21846) >> 16, STRETCH_LIMIT);
    bit = code_decision(coder, bit, squashed(model, average), reads);
    for (int i = 0; i < 3; i++) {
        int32_t error = (((int32_t)bit << 16) - (int32_t)squashed(model, sums[i])) >> 2;
        learn_weights(mixer->input, mixer->weights[i], count, error * rate);
    }
    return bit;
}

/* HISTOGRAMS */

/* Two stretched sums: 256 * ln(sum + 1). */
static inline int32_t logarithm(const cn_adaptive *model, uint32_t sum) {
    return sum < LOGS ? model->logarithm[sum] : model->logarithm[sum >> 3 < LOGS ? sum >> 3 : LOGS - 1] + 532;
}

static inline uint32_t summed(const int16_t *share, int count) {
    uint16_t sum = 0;
    for (int i = 0; i < count; i++) sum = (uint16_t)(sum + share[i]);
    return sum;
}

/* The shares of the values 0 to 255 lie at the result, given what foretells them. */
static inline const int16_t *turned(const Histogram *histogram, int foretold, int16_t twice[512]) {
    memcpy(twice, histogram->share, sizeof histogram->share);
    memcpy(twice + 256, histogram->share, sizeof histogram->share);
    return twice + (-foretold & 255);
}

static inline void learn_histogram(const cn_adaptive *model, Histogram *histogram, int difference) {
    int16_t rate = (int16_t)(32768 / (histogram->count + 2));
    const int16_t *restrict kernel = model->narrow + ((256 - difference) & 255);
    int16_t *restrict share = histogram->share;
    for (int i = 0; i < 256; i++) {
        int16_t gap = (int16_t)(kernel[i] - share[i]);
        share[i] = (int16_t)(share[i] + (int16_t)((((gap * rate) >> 14) + 1) >> 1)); /* rounded */
    }
    if (histogram->count < HISTOGRAM_LIMIT) histogram->count++;
}

#endif
