/* adaptive_pixel.h - pixels: what is around them, and whether they are what is foretold */
#ifndef CN_ADAPTIVE_PIXEL_H
#define CN_ADAPTIVE_PIXEL_H

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

/* The bucket of a context: the one that is there, or the emptier of two, cleared. Without branches,
 * as nobody can foretell which it is. */
static inline Bucket *find_bucket(cn_adaptive *model, Kept *kept, uint64_t hash) {
    uint8_t check = (uint8_t)hash;
    check = (uint8_t)(check + (check == 0));
    uint32_t place = (uint32_t)(hash >> 32) & model->mask;
    const Bucket *first = table_of(model) + place, *second = table_of(model) + (place ^ 1);
    int in_first = first->check == check, in_second = second->check == check;
    int emptier = (first->check != 0) & ((second->check == 0) | (second->state[0] < first->state[0]));
    Bucket *bucket = table_of(model) + (place ^ (uint32_t)((in_second | emptier) & (in_first ^ 1)));
    keep(model, kept, bucket, sizeof *bucket);
    uint64_t part[2], is_there = 0 - (uint64_t)(in_first | in_second);
    memcpy(part, bucket, sizeof part);
    part[0] &= is_there, part[1] &= is_there;
    memcpy(bucket, part, sizeof part);
    bucket->check = check;
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
        mixer.input[i] = stretched(model, map_share(map[*state[i]]));
    }
    mixer.input[count] = stretched(model, map_share(model->agreement_map[agrees]));
    mixer.input[count + 1] = 256;
    for (int i = count + 2; i < GROUP; i++) mixer.input[i] = 0;
    mixer.weights[0] = model->flag_equal[a->equal];
    mixer.weights[1] = model->flag_match[a->match];
    mixer.weights[2] = model->flag_agree[agrees];
    keep_row(model, kept, &model->flag_equal_kept[a->equal], mixer.weights[0], sizeof(Weights));
    keep_row(model, kept, &model->flag_match_kept[a->match], mixer.weights[1], sizeof(Weights));
    keep_row(model, kept, &model->flag_agree_kept[agrees], mixer.weights[2], sizeof(Weights));
    hit = code_mixed(model, &mixer, coder, hit, FLAG_RATE, 1, reads);
    for (int i = 0; i < count; i++) {
        learn_map(model, &model->flag_map[model->flag[i]][*state[i]], hit);
        *state[i] = model->next[*state[i]][hit];
    }
    learn_map(model, &model->agreement_map[agrees], hit);
    return hit;
}

#endif
