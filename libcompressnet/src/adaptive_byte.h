/* adaptive_byte.h - the bytes of a pixel that is not the one that was foretold */
#ifndef CN_ADAPTIVE_BYTE_H
#define CN_ADAPTIVE_BYTE_H

#include "adaptive_pixel.h"

/* A BYTE OF A PIXEL THAT IS NOT */

/* What is known of a byte before it is coded. */
typedef struct Place {
    int role, wraps;           /* wraps: differences are taken modulo 256 */
    int west, north, northwest, northeast, far_west, far_north;
    int gradient, median, activity, residual, before; /* residual: of the byte before; before: its value */
    int matched;               /* -1: nothing is, or the pixel is another one already */
    uint64_t known;            /* hash of the bytes before */
    int residual_before;       /* of the byte before that one */
    int before_that;
    int32_t difference[PREDICTED], linear; /* of the linear prediction, from the median, in 2^-16 */
    uint64_t context[BYTE_CONTEXTS], hash[BYTE_CONTEXTS];
    int foretold[HISTOGRAMS];
    Histogram *histogram[HISTOGRAMS];
    uint16_t *colour;
} Place;

static inline int distance(const Place *p, int a, int b) {
    int difference = p->wraps ? (int8_t)(a - b) : a - b;
    return difference < 0 ? -difference : difference;
}

/* A pixel's byte; a low one is seen from the high byte that is known by now. */
static inline int seen_byte(uint64_t pixel, int role, int high) {
    if (role < 4) return plane_of(pixel, role);
    int value = (plane_of(pixel, role - 4) << 8 | plane_of(pixel, role)) - (high << 8);
    if (role >= 6) value = (int16_t)value;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

static inline int median_of(int west, int north, int gradient) {
    int low = west < north ? west : north, high = west < north ? north : west;
    return gradient < low ? low : gradient > high ? high : gradient;
}

static inline void look_at_byte(const cn_adaptive *model, const Around *a, Place *p, int high) {
    int role = p->role;
    p->wraps = role == 2 || role == 3;
    p->west = seen_byte(a->west, role, high), p->north = seen_byte(a->north, role, high);
    p->northwest = seen_byte(a->northwest, role, high), p->northeast = seen_byte(a->northeast, role, high);
    p->far_west = seen_byte(a->far_west, role, high), p->far_north = seen_byte(a->far_north, role, high);
    int gradient = p->west + p->north - p->northwest;
    p->gradient = p->wraps ? gradient & 255 : gradient < 0 ? 0 : gradient > 255 ? 255 : gradient;
    p->median = p->wraps ? median_of((int8_t)p->west, (int8_t)p->north, (int8_t)gradient) & 255
                         : median_of(p->west, p->north, gradient);
    p->activity = distance(p, p->west, p->northwest) + distance(p, p->north, p->northwest) +
                  distance(p, p->north, p->northeast);
    const int near[NEIGHBOURS] = {p->west, p->north, p->northwest, p->northeast, p->far_west, p->far_north};
    for (int i = 0; i < NEIGHBOURS; i++)
        p->difference[i] = p->wraps ? (int8_t)(near[i] - p->median) : near[i] - p->median;
    p->difference[NEIGHBOURS] = p->residual;
    p->difference[NEIGHBOURS + 1] = p->residual_before;
    p->linear = 0;
    for (int i = 0; i < PREDICTED; i++) p->linear += model->linear[role][i] * p->difference[i];
}

static inline void byte_contexts(const Around *a, Place *p) {
    uint64_t known = p->known, *c = p->context;
    uint64_t west = (uint64_t)p->west, north = (uint64_t)p->north, northeast = (uint64_t)p->northeast;
    uint64_t gradient = (uint64_t)p->gradient, median = (uint64_t)p->median;
    uint64_t residual = (uint64_t)(p->residual & 255);
    int changes = distance(p, p->west, p->northwest) + distance(p, p->north, p->northwest);
    c[0] = joined(a->context[1], known);
    c[1] = joined(a->context[2], known);
    c[2] = joined(a->north, known + 1);
    c[3] = joined(a->context[3], known);
    c[4] = joined(median, residual);
    c[5] = known + ((uint64_t)1 << 40);
    c[6] = joined((gradient >> 2) << 8 | (uint64_t)(changes >> 3), residual);
    c[7] = joined((uint64_t)((2 * p->north - p->far_north) & 511), (uint64_t)((2 * p->west - p->far_west) & 511));
    c[8] = a->matched == UNKNOWN_PIXEL ? joined(west, 13) : joined((uint64_t)plane_of(a->matched, p->role) << 8 | west, known + 13);
    c[9] = joined(west << 8 | north, 1);
    c[10] = joined(gradient << 8 | west, 2);
    c[11] = joined(north << 8 | northeast, residual + 512);
    c[12] = joined(a->context[0], known);
    c[13] = joined(west << 8 | north, joined(northeast << 8 | (uint64_t)p->northwest, known));
    c[14] = joined((west + northeast - north) & 255, residual + 3);
    c[15] = joined(a->west, known + 2);
}

/* What foretells the byte, and which histogram says how well. */
static inline void foretell(cn_adaptive *model, Kept *kept, const Around *a, Place *p, int high) {
    int role = p->role, size = p->residual < 0 ? -p->residual : p->residual;
    int busy = p->activity == 0 ? 0 : p->activity < 3 ? 1 : p->activity < 8 ? 2 : p->activity < 16 ? 3
             : p->activity < 32 ? 4 : p->activity < 64 ? 5 : p->activity < 128 ? 6 : 7;
    int off = role == 0 || size == 0 ? role != 0 : size < 4 ? 2 : 3;
    int signed_off = role == 0 ? 0 : size == 0 ? 1 : p->residual < -8 ? 2 : p->residual < 0 ? 3 : p->residual > 8 ? 4 : 5;
    int turn = p->northeast - p->north, middle = p->north - p->west;
    int *f = p->foretold, class[HISTOGRAMS];
    for (int i = 0; i < HISTOGRAMS; i++) class[i] = busy * 4 + off;
    f[0] = p->gradient, class[0] = signed_off * 4 + (busy >> 1);
    f[1] = p->west, f[2] = p->north;
    f[3] = a->matched == UNKNOWN_PIXEL ? p->median : seen_byte(a->matched, role, high);
    class[3] = a->match * 4 + off;
    if (p->wraps) {
        f[4] = p->west + ((int8_t)turn >> 1);
        f[7] = p->northeast;
        f[11] = p->west + ((int8_t)middle >> 1);
    } else {
        f[4] = p->west + turn / 2;
        if (f[4] < 0 || f[4] > 255) f[4] = p->median;
        f[7] = (p->west + p->north + p->northeast + p->northwest + 2) >> 2;
        f[11] = (p->west + p->north + 1) >> 1;
    }
    int linear = p->median + ((p->linear + 32768) >> 16);
    f[5] = p->wraps ? linear : linear < 0 ? 0 : linear > 255 ? 255 : linear;
    f[6] = 0, class[6] = p->before >> 3;
    f[8] = 0, class[8] = (role & 3) > 1 ? (p->before >> 6) << 3 | p->before_that >> 5 : (role & 3) == 1 ? p->before >> 3 : 0;
    f[9] = a->mirrored == UNKNOWN_PIXEL ? p->median : seen_byte(a->mirrored, role, high);
    class[9] = (a->mirrored == UNKNOWN_PIXEL ? 0 : a->beside == a->west ? 2 : 1) * 4 + off;
    f[10] = p->median;
    p->colour = &model->colour[role][hashed(p->known, 77) >> (64 - COLOUR_BITS)];
    f[12] = *p->colour == 0 ? p->median : *p->colour - 1;
    class[12] = (*p->colour != 0) * 4 + off;
    for (int i = 0; i < model->histogram_count; i++) {
        int k = model->histogram[i];
        p->histogram[k] = &model->of[role][k][class[k]];
        keep_row(model, kept, &model->of_kept[role][k][class[k]], p->histogram[k], sizeof(Histogram));
    }
}

static inline void use_sets(cn_adaptive *model, Kept *kept, const Around *a, int role, int place, int bit, int match,
                            Mixer *mixer) {
    mixer->weights[0] = model->byte_place[role][place];
    mixer->weights[1] = model->byte_match[role][bit][match];
    mixer->weights[2] = model->byte_equal[role][a->equal];
    keep_row(model, kept, &model->byte_place_kept[role][place], mixer->weights[0], sizeof(Weights));
    keep_row(model, kept, &model->byte_match_kept[role][bit][match], mixer->weights[1], sizeof(Weights));
    keep_row(model, kept, &model->byte_equal_kept[role][a->equal], mixer->weights[2], sizeof(Weights));
}

/* Of the buckets of four bits; they are fetched meanwhile. */
static inline void hash_nibble(cn_adaptive *model, Place *p, int node) {
    uint32_t salt = 128u + ((uint32_t)p->role << 5) + ((uint32_t)node << 8);
    for (int i = 0; i < model->byte_count; i++) {
        uint32_t k = model->byte[i];
        p->hash[i] = hashed(p->context[k], salt + k);
        __builtin_prefetch(table_of(model) + ((uint32_t)(p->hash[i] >> 32) & model->mask));
    }
}

/* Fetch the buckets of the low four bits, both where the last of the high ones is 0 and 1. */
static inline void fetch_both(cn_adaptive *model, const Place *p, int node) {
    for (int one = 0; one < 2; one++) {
        uint32_t salt = 128u + ((uint32_t)p->role << 5) + ((uint32_t)(2 * node + one) << 8);
        for (int i = 0; i < model->byte_count; i++) {
            uint32_t k = model->byte[i];
            __builtin_prefetch(table_of(model) + ((uint32_t)(hashed(p->context[k], salt + k) >> 32) & model->mask));
        }
    }
}

/* What four bits of a byte are coded by. */
typedef struct Nibble {
    Bucket *bucket[BYTE_CONTEXTS];
    uint32_t *map[BYTE_CONTEXTS]; /* by states */
    Tree tree[HISTOGRAMS];
} Nibble;

static inline void find_nibble(cn_adaptive *model, Kept *kept, const Place *p, int half, Nibble *nibble) {
    for (int i = 0; i < model->byte_count; i++) {
        int k = model->byte[i];
        uint32_t *map = nibble->map[i] = model->byte_map[p->role][half][k];
        keep_row(model, kept, &model->byte_map_kept[p->role][half][k], map, sizeof model->byte_map[0][0][0]);
        nibble->bucket[i] = find_bucket(model, kept, p->hash[i]);
    }
}

/* Four bits of a byte; node: a one, and the bits that are known. */
INLINE int code_nibble(cn_adaptive *model, Kept *kept, Binary *coder, const Around *a, const Place *p,
                       const Nibble *nibble, int node, int value, int groups, int reads) {
    int role = p->role, contexts = model->byte_count, histograms = model->histogram_count;
    int first = node > 1 ? 3 : 7, slot = 1;
    Mixer mixer;
    mixer.input[contexts + histograms] = 256;
    for (int i = contexts + histograms + 1; i < groups * GROUP; i++) mixer.input[i] = 0;
    for (int bit = first; bit > first - 4; bit--) {
        if (bit == 4) fetch_both(model, p, node);
        uint8_t *state[BYTE_CONTEXTS];
        for (int i = 0; i < contexts; i++) {
            state[i] = &nibble->bucket[i]->state[slot - 1];
            mixer.input[i] = stretched(model, map_share(nibble->map[i][*state[i]]));
        }
        for (int i = 0; i < histograms; i++) mixer.input[contexts + i] = told(model, &nibble->tree[i], slot);
        int match = p->matched < 0 || (p->matched | 256) >> (bit + 1) != node ? 0 : 1 + (p->matched >> bit & 1);
        use_sets(model, kept, a, role, node, bit, match, &mixer);
        int one = code_mixed(model, &mixer, coder, value >> bit & 1, BYTE_RATE, groups, reads);
        for (int i = 0; i < contexts; i++) { /* two contexts may share a bucket */
            learn_map(model, nibble->map[i] + *state[i], one);
            *state[i] = model->next[*state[i]][one];
        }
        node = node << 1 | one;
        slot = slot << 1 | one;
    }
    return node;
}

INLINE int code_byte(cn_adaptive *model, Kept *kept, Binary *coder, const Around *a, Place *p, int value, int groups,
                     int reads) {
    Nibble nibble;
    for (int i = 0; i < model->histogram_count; i++) {
        int k = model->histogram[i];
        fill_high_tree(&nibble.tree[i], p->histogram[k], p->foretold[k]);
    }
    find_nibble(model, kept, p, 0, &nibble);
    int node = code_nibble(model, kept, coder, a, p, &nibble, 1, value, groups, reads);
    hash_nibble(model, p, node);
    for (int i = 0; i < model->histogram_count; i++) {
        int k = model->histogram[i];
        fill_low_tree(&nibble.tree[i], p->histogram[k], p->foretold[k], node << 4 & 255);
    }
    find_nibble(model, kept, p, 1, &nibble);
    return code_nibble(model, kept, coder, a, p, &nibble, node, value, groups, reads) & 255;
}

static inline void learn_linear(cn_adaptive *model, Kept *kept, const Place *p, int value) {
    int32_t *weight = model->linear[p->role], norm = 9;
    int32_t error = (p->wraps ? (int8_t)(value - p->median) : value - p->median) * 256 - (p->linear >> 8);
    error = limited(error, 20000) * 5;
    for (int i = 0; i < PREDICTED; i++) norm += p->difference[i] * p->difference[i];
    keep_row(model, kept, &model->linear_kept[p->role], weight, sizeof model->linear[0]);
    /* Quotients toward zero: numerators are below 2^25 and norms below 2^20, so that these are exact. */
    uint64_t reciprocal = ((uint64_t)1 << 44) / (uint64_t)norm + 1;
    for (int i = 0; i < PREDICTED; i++) {
        int32_t part = error * p->difference[i];
        int32_t step = (int32_t)((uint64_t)(part < 0 ? -part : part) * reciprocal >> 44);
        weight[i] = limited(weight[i] + (part < 0 ? -step : step), WEIGHT_LIMIT);
    }
}

static inline void learn_byte(cn_adaptive *model, Kept *kept, const Place *p, int value) {
    for (int i = 0; i < model->histogram_count; i++) {
        int k = model->histogram[i];
        learn_histogram(model, p->histogram[k], (value - p->foretold[k]) & 255);
    }
    learn_linear(model, kept, p, value);
    keep(model, kept, (const uint8_t *)model + (((size_t)((uint8_t *)p->colour - (uint8_t *)model)) & ~(size_t)3), 4);
    *p->colour = (uint16_t)(value + 1);
}

static inline uint64_t code_bytes(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture,
                                  const Around *a, uint64_t pixel, int groups, int reads) {
    uint64_t result = picture->channels == 1 || picture->channels == 3 ? (picture->deep ? 0xFF000000FFu : 0xFFu) : 0;
    Place p;
    p.known = 0, p.residual = p.residual_before = p.before_that = 0;
    p.before = picture->role[0] == 0 ? 0 : 255;
    int matches = a->matched != UNKNOWN_PIXEL;
    for (int i = 0; i < picture->roles; i++) {
        int role = picture->role[i], high = role < 4 ? 0 : plane_of(result, role - 4);
        p.role = role;
        p.matched = matches ? plane_of(a->matched, role) : -1;
        look_at_byte(model, a, &p, high);
        byte_contexts(a, &p);
        hash_nibble(model, &p, 1);
        foretell(model, kept, a, &p, high);
        int value = code_byte(model, kept, coder, a, &p, plane_of(pixel, role), groups, reads);
        learn_byte(model, kept, &p, value);
        matches = matches && plane_of(a->matched, role) == value;
        result |= (uint64_t)value << (8 * (role & 3) + 32 * (role >> 2));
        p.known = joined(p.known, (uint64_t)value + 1);
        p.residual_before = p.residual;
        p.residual = (int8_t)(value - p.median);
        p.before_that = p.before;
        p.before = value;
    }
    return result;
}

#endif
