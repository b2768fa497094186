/* adaptive_pass.h - images coded, pixel by pixel; FORMAT.md, "Adaptive payload" */
#ifndef CN_ADAPTIVE_PASS_H
#define CN_ADAPTIVE_PASS_H

#include "adaptive_mix.h"

/* HASHES */

static inline uint64_t joined(uint64_t a, uint64_t b) {
    uint64_t hash = (a * 0x2545F4914F6CDD1Du) ^ (b + 0x9E3779B97F4A7C15u);
    hash *= 0xD6E8FEB86659FD93u;
    return hash ^ (hash >> 31);
}

static inline uint64_t hashed(uint64_t context, uint32_t salt) {
    uint64_t hash = context + 0x9E3779B97F4A7C15u * ((uint64_t)salt + 1);
    hash ^= hash >> 29;
    hash *= 0xBF58476D1CE4E5B9u;
    return hash ^ (hash >> 32);
}

/* The bucket of a context: the one that is there, or the emptier of two, cleared. */
static inline Bucket *find_bucket(cn_adaptive *model, Kept *kept, uint64_t hash) {
    uint8_t check = (uint8_t)hash;
    if (check == 0) check = 1;
    Bucket *table = table_of(model);
    uint32_t place = (uint32_t)(hash >> 32) & model->mask;
    Bucket *bucket = table + place, *other = table + (place ^ 1);
    if (bucket->check != check) {
        if (other->check == check) {
            bucket = other;
        } else {
            if (bucket->check != 0 && (other->check == 0 || other->state[0] < bucket->state[0])) bucket = other;
            keep(model, kept, bucket, sizeof *bucket);
            memset(bucket, 0, sizeof *bucket);
            bucket->check = check;
            return bucket;
        }
    }
    keep(model, kept, bucket, sizeof *bucket);
    return bucket;
}

/* PIXELS: a byte for each role, the low ones above */

#define UNKNOWN_PIXEL UINT64_MAX

typedef struct Picture {
    int32_t height, width, channels, deep, roles;
    uint8_t role[ROLES]; /* in the order of coding */
} Picture;

static int describe(const cn_picture *given, Picture *picture) {
    static const uint8_t first[5] = {0, 1, 0, 1, 0}, count[5] = {0, 1, 2, 3, 4};
    if (given->channels < 1 || given->channels > 4 || given->values == NULL) return 0;
    if (given->height < 1 || given->width < 1) return 0;
    if (given->height > PICTURE_SIDE_LIMIT || given->width > PICTURE_SIDE_LIMIT) return 0;
    *picture = (Picture){given->height, given->width, given->channels, given->deep != 0, 0, {0}};
    int bytes = picture->deep ? 2 : 1;
    picture->roles = count[given->channels] * bytes;
    for (int i = 0; i < picture->roles && i < ROLES; i++)
        picture->role[i] = (uint8_t)(first[given->channels] + i / bytes + i % bytes * 4);
    return 1;
}

static uint64_t pixel_of(const Picture *picture, const uint8_t *value) {
    int channels = picture->channels, most = picture->deep ? 65535 : 255;
    int plane[4] = {0}, of[4] = {most, 0, 0, 0};
    for (int i = 0; i < channels; i++) plane[i] = picture->deep ? value[i] << 8 | value[channels + i] : value[i];
    of[1] = plane[channels < 3 ? 0 : 1];
    if (channels >= 3) {
        of[2] = (plane[0] - plane[1]) & most;
        of[3] = (plane[2] - plane[1]) & most;
    }
    if (channels == 2 || channels == 4) of[0] = plane[channels - 1];
    uint64_t pixel = 0;
    for (int i = 0; i < 4; i++) {
        int high = picture->deep ? of[i] >> 8 : of[i], low = picture->deep ? of[i] & 255 : 0;
        pixel |= (uint64_t)high << (8 * i) | (uint64_t)low << (32 + 8 * i);
    }
    return pixel;
}

static inline int plane_of(uint64_t pixel, int role) { return (int)(pixel >> (8 * (role & 3) + 32 * (role >> 2))) & 255; }

static void pixel_values(const Picture *picture, uint64_t pixel, uint8_t *value) {
    int channels = picture->channels, most = picture->deep ? 65535 : 255, of[4], plane[4] = {0};
    for (int i = 0; i < 4; i++)
        of[i] = picture->deep ? plane_of(pixel, i) << 8 | plane_of(pixel, i + 4) : plane_of(pixel, i);
    plane[0] = of[1];
    if (channels >= 3) {
        plane[0] = (of[1] + of[2]) & most;
        plane[1] = of[1];
        plane[2] = (of[1] + of[3]) & most;
    }
    if (channels == 2 || channels == 4) plane[channels - 1] = of[0];
    for (int i = 0; i < channels; i++) {
        value[i] = (uint8_t)(picture->deep ? plane[i] >> 8 : plane[i]);
        if (picture->deep) value[channels + i] = (uint8_t)plane[i];
    }
}

/* AROUND A PIXEL */

typedef struct Around {
    int32_t y, x, height, width;
    uint64_t west, north, northwest, northeast, far_west, far_north;
    uint64_t mirrored, beside; /* on the same row, mirrored: this pixel, and its western neighbour */
    uint64_t matched;          /* what follows where the same pixels were seen before */
    uint64_t memory;           /* what was last seen between these neighbours */
    uint32_t memory_place;
    int match, equal;          /* class of the match's length; which neighbours are equal */
    uint64_t context[FLAG_CONTEXTS];
} Around;

typedef struct Match {
    uint32_t position, length; /* 0: none */
} Match;

static inline int match_class(uint32_t length) {
    return length == 0 ? 0 : length < 2 ? 1 : length < 4 ? 2 : length < 8 ? 3 : length < 16 ? 4 : length < 32 ? 5 : 6;
}

static inline void look_around(const uint64_t *at, int y, int x, const Picture *picture, Around *a) {
    int width = picture->width;
    a->y = y, a->x = x, a->height = picture->height, a->width = width;
    a->west = x > 0 ? at[-1] : y > 0 ? at[-width] : 0;
    a->north = y > 0 ? at[-width] : a->west;
    a->northwest = x > 0 && y > 0 ? at[-width - 1] : a->north;
    a->northeast = y > 0 && x + 1 < width ? at[-width + 1] : a->north;
    a->far_west = x > 1 ? at[-2] : a->west;
    a->far_north = y > 1 ? at[-2 * width] : a->north;
    int mirror = width - 1 - x;
    a->mirrored = mirror < x ? at[mirror - x] : UNKNOWN_PIXEL;
    a->beside = mirror + 1 < x ? at[mirror + 1 - x] : UNKNOWN_PIXEL;
    a->equal = (a->west == a->north) | (a->north == a->northeast) << 1 | (a->west == a->northwest) << 2 |
               (a->north == a->northwest) << 3 | (a->west == a->far_west) << 4 | (a->north == a->far_north) << 5;
}

#define MATCH_LIMIT 60
#define VERIFIED 32

static inline void look_back(cn_adaptive *model, Kept *kept, Match *match, Around *a) {
    const uint64_t *seen = pixels_of(model);
    uint64_t near = joined(joined(a->west, a->north), joined(a->northeast, a->far_west));
    uint32_t place = (uint32_t)(hashed(near, 1) >> (64 - MEMORY_BITS));
    if (match->length == 0 && model->position[place] != 0) {
        uint32_t at = model->position[place], length = 0;
        while (length < VERIFIED && length < at && seen[at - 1 - length] == seen[model->seen - 1 - length]) length++;
        *match = (Match){length > 0 ? at : 0, length};
    }
    keep(model, kept, &model->position[place], sizeof model->position[0]);
    model->position[place] = model->seen;
    a->matched = match->length > 0 ? seen[match->position] : UNKNOWN_PIXEL;
    a->match = match_class(match->length);
    uint64_t corner = joined(joined(a->west, a->north), joined(a->northeast, a->northwest));
    a->memory_place = (uint32_t)(hashed(corner, 2) >> (64 - MEMORY_BITS));
    a->memory = model->has_pixel[a->memory_place] ? model->pixel[a->memory_place] : UNKNOWN_PIXEL;
    a->context[0] = joined(joined(a->west, a->north), joined(a->northwest, a->northeast));
    a->context[1] = joined(a->west, a->far_west) + 1;
    a->context[2] = joined(a->north, a->far_north) + 2;
    a->context[3] = joined((uint64_t)a->x << 12 | (uint64_t)a->y, (uint64_t)a->width << 12 | (uint64_t)a->height);
    a->context[4] = joined(a->matched, (uint64_t)a->match) + 3;
    a->context[5] = joined(joined(a->context[0], a->far_west), a->far_north);
}

static inline void learn_pixel(cn_adaptive *model, Kept *kept, Match *match, const Around *a, uint64_t pixel) {
    if (a->memory != pixel) {
        keep(model, kept, &model->pixel[a->memory_place], sizeof model->pixel[0]);
        keep(model, kept, &model->has_pixel[a->memory_place & ~3u], 4);
        model->pixel[a->memory_place] = pixel;
        model->has_pixel[a->memory_place] = 1;
    }
    uint64_t *seen = pixels_of(model);
    seen[model->seen] = pixel;
    if (match->length > 0) {
        int goes_on = seen[match->position] == pixel;
        match->position = goes_on ? match->position + 1 : 0;
        match->length = goes_on ? (match->length < MATCH_LIMIT ? match->length + 1 : MATCH_LIMIT) : 0;
    }
    model->seen++;
}

/* IS IT THE PIXEL THAT IS FORETOLD? */

static inline int code_hit(cn_adaptive *model, Kept *kept, Binary *coder, const Around *a, int is_long,
                            uint64_t foretold, int hit, int reads) {
    Mixer mixer;
    uint8_t *state[FLAG_CONTEXTS];
    int slot = (int)((hashed(foretold, 3) >> 48) * 15 >> 16), count = model->flag_count;
    int agrees = (foretold == a->matched) | (foretold == a->memory) << 1 | (foretold == a->west) << 2 |
                 (foretold == a->north) << 3 | (foretold == a->northeast) << 4 | (foretold == a->northwest) << 5 |
                 is_long << 6;
    uint64_t hash[FLAG_CONTEXTS];
    for (int i = 0; i < count; i++) {
        hash[i] = hashed(a->context[model->flag[i]], 64u + model->flag[i]);
        __builtin_prefetch(table_of(model) + ((uint32_t)(hash[i] >> 32) & model->mask));
    }
    keep_row(model, kept, &model->agreement_kept, model->agreement_map, sizeof model->agreement_map);
    for (int i = 0; i < count; i++) {
        int context = model->flag[i];
        uint32_t *map = model->flag_map[context];
        keep_row(model, kept, &model->flag_map_kept[context], map, sizeof model->flag_map[0]);
        state[i] = &find_bucket(model, kept, hash[i])->state[slot];
        mixer.input[i] = *state[i] == 0 ? 0 : stretched(model, map_share(map[*state[i]]));
    }
    mixer.input[count] = stretched(model, map_share(model->agreement_map[agrees]));
    mixer.input[count + 1] = 256;
    mixer.count = count + 2;
    mixer.weights[0] = model->flag_equal[a->equal];
    mixer.weights[1] = model->flag_match[a->match];
    mixer.weights[2] = model->flag_agree[agrees];
    keep_row(model, kept, &model->flag_equal_kept[a->equal], mixer.weights[0], sizeof(Weights));
    keep_row(model, kept, &model->flag_match_kept[a->match], mixer.weights[1], sizeof(Weights));
    keep_row(model, kept, &model->flag_agree_kept[agrees], mixer.weights[2], sizeof(Weights));
    hit = code_mixed(model, &mixer, coder, hit, FLAG_RATE, reads);
    for (int i = 0; i < count; i++) {
        learn_map(model, &model->flag_map[model->flag[i]][*state[i]], hit);
        *state[i] = model->next[*state[i]][hit];
    }
    learn_map(model, &model->agreement_map[agrees], hit);
    return hit;
}

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
    uint64_t context[BYTE_CONTEXTS];
    int foretold[HISTOGRAMS];
    Histogram *histogram[HISTOGRAMS];
    const int16_t *share[HISTOGRAMS]; /* turned, in: */
    int16_t twice[HISTOGRAMS][512];
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
        p->share[k] = turned(p->histogram[k], f[k], p->twice[k]);
    }
}

/* The inputs of a decision: what buckets and histograms say of it. */
static inline void gather(const cn_adaptive *model, const Place *p, uint8_t *const *state, int half, int bit, int from,
                          uint32_t *total, Mixer *mixer) {
    int count = 0, width = 1 << bit;
    for (int i = 0; i < model->byte_count; i++) {
        const uint32_t *map = model->byte_map[p->role][half][model->byte[i]];
        mixer->input[count++] = *state[i] == 0 ? 0 : stretched(model, map_share(map[*state[i]]));
    }
    for (int i = 0; i < model->histogram_count; i++) {
        uint32_t zero = summed(p->share[model->histogram[i]] + from, width);
        uint32_t one = total[i] - zero;
        total[i] = zero; /* the one that is taken is set by the caller */
        mixer->input[count++] = limited(logarithm(model, one) - logarithm(model, zero), STRETCH_LIMIT);
    }
    mixer->input[count++] = 256;
    mixer->count = count;
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

static inline void find_nibble(cn_adaptive *model, Kept *kept, const Place *p, int node, Bucket **bucket) {
    uint64_t hash[BYTE_CONTEXTS];
    int half = node > 1;
    for (int i = 0; i < model->byte_count; i++) {
        uint32_t k = model->byte[i];
        hash[i] = hashed(p->context[k], 128u + k + ((uint32_t)p->role << 5) + ((uint32_t)node << 8));
        __builtin_prefetch(table_of(model) + ((uint32_t)(hash[i] >> 32) & model->mask));
    }
    for (int i = 0; i < model->byte_count; i++) {
        int k = model->byte[i];
        keep_row(model, kept, &model->byte_map_kept[p->role][half][k], model->byte_map[p->role][half][k],
                 sizeof model->byte_map[0][0][0]);
        bucket[i] = find_bucket(model, kept, hash[i]);
    }
}

static inline int code_byte(cn_adaptive *model, Kept *kept, Binary *coder, const Around *a, Place *p, int value,
                            int reads) {
    Bucket *bucket[BYTE_CONTEXTS] = {NULL};
    uint8_t *state[BYTE_CONTEXTS];
    uint32_t total[HISTOGRAMS] = {0};
    Mixer mixer;
    int role = p->role, node = 1; /* node: a one, and the bits that are known */
    for (int i = 0; i < model->histogram_count; i++) total[i] = summed(p->share[model->histogram[i]], 256);
    for (int bit = 7; bit >= 0; bit--) {
        int half = bit < 4, from = (node << (bit + 1)) & 255;
        if (bit == 7 || bit == 3) find_nibble(model, kept, p, node, bucket);
        int slot = (half ? (1 << (3 - bit) | (node & ((1 << (3 - bit)) - 1))) : node) - 1;
        for (int i = 0; i < model->byte_count; i++) state[i] = &bucket[i]->state[slot];
        uint32_t before[HISTOGRAMS];
        memcpy(before, total, sizeof before);
        gather(model, p, state, half, bit, from, total, &mixer);
        int match = p->matched < 0 || (p->matched | 256) >> (bit + 1) != node ? 0 : 1 + (p->matched >> bit & 1);
        use_sets(model, kept, a, role, node, bit, match, &mixer);
        int one = code_mixed(model, &mixer, coder, value >> bit & 1, BYTE_RATE, reads);
        for (int i = 0; i < model->byte_count; i++) {
            learn_map(model, &model->byte_map[role][half][model->byte[i]][*state[i]], one);
            *state[i] = model->next[*state[i]][one];
        }
        if (one)
            for (int i = 0; i < model->histogram_count; i++) total[i] = before[i] - total[i];
        node = node << 1 | one;
    }
    return node & 255;
}

static inline void learn_byte(cn_adaptive *model, Kept *kept, const Place *p, int value) {
    for (int i = 0; i < model->histogram_count; i++) {
        int k = model->histogram[i];
        learn_histogram(model, p->histogram[k], (value - p->foretold[k]) & 255);
    }
    int32_t *weight = model->linear[p->role], norm = 9;
    int32_t error = (p->wraps ? (int8_t)(value - p->median) : value - p->median) * 256 - (p->linear >> 8);
    error = limited(error, 20000);
    for (int i = 0; i < PREDICTED; i++) norm += p->difference[i] * p->difference[i];
    keep_row(model, kept, &model->linear_kept[p->role], weight, sizeof model->linear[0]);
    for (int i = 0; i < PREDICTED; i++) {
        int64_t step = (int64_t)error * p->difference[i] * 5 / norm;
        weight[i] = limited(weight[i] + (int32_t)step, WEIGHT_LIMIT);
    }
    keep(model, kept, (const uint8_t *)model + (((size_t)((uint8_t *)p->colour - (uint8_t *)model)) & ~(size_t)3), 4);
    *p->colour = (uint16_t)(value + 1);
}

static inline uint64_t code_bytes(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture,
                                  const Around *a, uint64_t pixel, int reads) {
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
        foretell(model, kept, a, &p, high);
        int value = code_byte(model, kept, coder, a, &p, plane_of(pixel, role), reads);
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

/* A WHOLE IMAGE */

static inline uint64_t code_any_pixel(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, Match *match,
                                  Around *a, uint64_t pixel, int reads) {
    look_back(model, kept, match, a);
    int is_long = match->length >= 16;
    uint64_t first = is_long ? a->matched : a->memory, second = is_long ? a->memory : a->matched;
    uint64_t foretold = first != UNKNOWN_PIXEL ? first : second != UNKNOWN_PIXEL ? second : a->west;
    if (code_hit(model, kept, coder, a, is_long, foretold, pixel == foretold, reads))
        pixel = foretold;
    else
        pixel = code_bytes(model, kept, coder, picture, a, pixel, reads);
    learn_pixel(model, kept, match, a, pixel);
    return pixel;
}

static inline void code_picture(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, uint8_t *values,
                                int reads) {
    size_t bytes = (size_t)picture->roles;
    Match match = {0, 0};
    Around a;
    for (int y = 0; y < picture->height; y++)
        for (int x = 0; x < picture->width; x++) {
            uint64_t pixel = reads ? 0 : pixel_of(picture, values);
            look_around(pixels_of(model) + model->seen, y, x, picture, &a);
            pixel = code_any_pixel(model, kept, coder, picture, &match, &a, pixel, reads);
            if (reads) pixel_values(picture, pixel, values);
            values += bytes;
        }
}

static void write_picture(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture,
                          const uint8_t *values) {
    code_picture(model, kept, coder, picture, (uint8_t *)values, 0); /* which does not write to values */
}

static void read_picture(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, uint8_t *values) {
    code_picture(model, kept, coder, picture, values, 1);
}

static int has_room(const cn_adaptive *model, const Picture *picture) {
    return (size_t)picture->height * (size_t)picture->width <= model->capacity + 1 - model->seen;
}

/* Images one after the other, in one payload; the model learns from them. */
static cn_status adaptive_learn_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                                      size_t capacity, size_t *ends) {
    Kept kept = {NULL, 0};
    Picture picture;
    Binary coder;
    begin_writing(&coder, payload, capacity);
    for (size_t i = 0; i < count; i++) {
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        write_picture(model, &kept, &coder, &picture, pictures[i].values);
        ends[i] = (size_t)(coder.to - payload);
    }
    if (count > 0) ends[count - 1] = (size_t)(end_writing(&coder, payload) - payload);
    return coder.full ? CN_MEMORY : CN_OK;
}

static cn_status adaptive_learn_read(cn_adaptive *model, const cn_picture *pictures, size_t count,
                                     const uint8_t *payload, size_t bytes) {
    Kept kept = {NULL, 0};
    Picture picture;
    Binary coder;
    begin_reading(&coder, payload, bytes);
    for (size_t i = 0; i < count; i++) {
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        read_picture(model, &kept, &coder, &picture, pictures[i].values);
    }
    return CN_OK;
}

/* ALONE: whatever a picture changes is put back */

static size_t adaptive_scratch(const cn_adaptive *model, const cn_picture *pictures) {
    Picture picture;
    if (!describe(pictures, &picture)) return 0;
    size_t pixels = (size_t)picture.height * (size_t)picture.width, whole = model->size - model->capacity * 8;
    uint64_t limit = kept_limit(pixels, (size_t)picture.roles);
    return aligned(limit < whole ? (size_t)limit : whole);
}

/* Either each change is noted in scratch, or all of the model but the pixels is saved there. */
static Kept begin_alone(cn_adaptive *model, const Picture *picture, void *scratch, size_t *saved) {
    size_t pixels = (size_t)picture->height * (size_t)picture->width, whole = model->size - model->capacity * 8;
    *saved = kept_limit(pixels, (size_t)picture->roles) < whole ? 0 : pixels_offset(model->mask);
    if (*saved > 0) memcpy(scratch, model, *saved);
    begin_pass(model);
    return (Kept){*saved > 0 ? NULL : scratch, 0};
}

static void end_alone(cn_adaptive *model, Kept *kept, const void *scratch, size_t saved, uint32_t seen) {
    if (saved > 0)
        memcpy(model, scratch, saved);
    else
        put_back(model, kept);
    model->seen = seen;
}

static cn_status adaptive_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                                size_t capacity, size_t *lengths, void *scratch) {
    Picture picture;
    Binary coder;
    uint32_t seen = model->seen;
    for (size_t i = 0; i < count; i++) {
        size_t saved;
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        Kept kept = begin_alone(model, &picture, scratch, &saved);
        begin_writing(&coder, payload, capacity);
        write_picture(model, &kept, &coder, &picture, pictures[i].values);
        end_alone(model, &kept, scratch, saved, seen);
        lengths[i] = (size_t)(end_writing(&coder, payload) - payload);
        if (coder.full) return CN_MEMORY;
        payload += lengths[i];
        capacity -= lengths[i];
    }
    return CN_OK;
}

static cn_status adaptive_read(cn_adaptive *model, const cn_picture *pictures, size_t count, const uint8_t *payload,
                               const size_t *lengths, void *scratch) {
    Picture picture;
    Binary coder;
    uint32_t seen = model->seen;
    for (size_t i = 0; i < count; i++) {
        size_t saved;
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        Kept kept = begin_alone(model, &picture, scratch, &saved);
        begin_reading(&coder, payload, lengths[i]);
        read_picture(model, &kept, &coder, &picture, pictures[i].values);
        end_alone(model, &kept, scratch, saved, seen);
        payload += lengths[i];
    }
    return CN_OK;
}

#endif
