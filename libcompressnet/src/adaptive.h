/* adaptive.h - adaptive models: what they hold, made and copied; FORMAT.md, "Adaptive payload"
 *
 * A model is one piece of memory without pointers: the structure, the table of buckets, and all
 * pixels that it has seen. So it is copied as bytes. While an image is coded alone, whatever is
 * changed is noted before (`keep`), and put back at the end. What is noted of large images may take
 * more than a quarter of the model: from then on there is a copy of it instead (`keep_all`).
 */
#ifndef CN_ADAPTIVE_H
#define CN_ADAPTIVE_H

#include <string.h>

#include "core.h"
#include "memory.h"

#define FLAG_CONTEXTS 6
#define BYTE_CONTEXTS 16
#define HISTOGRAMS 13
#define INPUTS 32                      /* of a mixer, at most; the rest of a set is zero */
#define ROLES 8                        /* alpha, green, red - green, blue - green; then their low bytes */
#define STATES 256
#define EQUALITIES 64                  /* which neighbours are equal */
#define AGREEMENTS 128                 /* what agrees with the foretold pixel */
#define MATCHES 8                      /* classes of the length of a match */
#define CLASSES 32                     /* histograms of a kind and role */
#define MEMORY_BITS 16
#define COLOUR_BITS 12
#define TABLE_BITS_MIN 10
#define TABLE_BITS_MAX 22
#define PICTURE_SIDE_LIMIT 4096
#define SEEN_PIXELS_LIMIT ((size_t)1 << 27)
#define NEIGHBOURS 6                   /* of the linear prediction, and two residuals */
#define PREDICTED (NEIGHBOURS + 2)
#define LOGS 4096
#define MAP_LIMIT 255                  /* how many decisions a map averages over, at most */

typedef struct Bucket {
    uint8_t check, state[15]; /* of a nibble's decisions, or of pixels that are foretold */
} Bucket;

typedef int32_t Weights[INPUTS];

/* Histograms of values less what foretells them; each sums up to about 2^15, so that sums fit in 16
 * bits. The first shares are there again behind the last, so that any 16 in a row can be read. */
#define SHARES (256 + 16)

typedef struct Histogram {
    int16_t share[SHARES];
    int32_t count;
} Histogram;

struct cn_adaptive {
    const cn_core *core;
    size_t size, capacity;             /* in bytes; in pixels */
    uint32_t mask;                     /* of the table's buckets */
    int32_t flag_count, byte_count, histogram_count;
    uint8_t flag[FLAG_CONTEXTS], byte[BYTE_CONTEXTS], histogram[HISTOGRAMS]; /* those that are used */
    uint32_t seen;                     /* pixels; position 0 stays empty */
    uint32_t pass;                     /* what stamps of rows are compared with */
    uint64_t allowed;                  /* bytes that are not foretold, of a payload; see cn_adaptive_allow */
    int16_t stretch[LOGS];
    uint16_t squash[LOGS];
    uint16_t logarithm[2 * LOGS];      /* by log_place */
    uint8_t next[STATES][2];
    int32_t reciprocal[MAP_LIMIT + 2]; /* the last is zero: of what never learns */
    int16_t narrow[256 + SHARES];      /* the kernel twice, so that it is rotated by an offset */
    uint32_t flag_map[FLAG_CONTEXTS][STATES];
    uint32_t byte_map[ROLES][2][BYTE_CONTEXTS][STATES];
    uint32_t agreement_map[AGREEMENTS];
    Weights flag_equal[EQUALITIES], flag_match[MATCHES], flag_agree[AGREEMENTS];
    Weights byte_place[ROLES][256], byte_match[ROLES][8][3], byte_equal[ROLES][EQUALITIES];
    Histogram of[ROLES][HISTOGRAMS][CLASSES];
    int32_t linear[ROLES][PREDICTED];
    uint16_t colour[ROLES][1 << COLOUR_BITS];   /* the value last seen after known planes, + 1 */
    uint64_t pixel[1 << MEMORY_BITS];  /* the one last seen where the neighbours were these */
    uint8_t has_pixel[1 << MEMORY_BITS];
    uint32_t position[1 << MEMORY_BITS]; /* where neighbours were last seen */
    /* Stamps of rows that were kept in this pass; the last fields, see begin_pass. */
    uint32_t flag_map_kept[FLAG_CONTEXTS], byte_map_kept[ROLES][2][BYTE_CONTEXTS], linear_kept[ROLES];
    uint32_t agreement_kept, flag_equal_kept[EQUALITIES], flag_match_kept[MATCHES], flag_agree_kept[AGREEMENTS];
    uint32_t byte_place_kept[ROLES][256], byte_match_kept[ROLES][8][3], byte_equal_kept[ROLES][EQUALITIES];
    uint32_t of_kept[ROLES][HISTOGRAMS][CLASSES];
};

/* What was changed, to be put back: a record's bytes, their place and their number, and so on. */
typedef struct Kept {
    uint8_t *bytes; /* NULL: nothing is kept */
    size_t used, limit;
    uint8_t *saved; /* the whole model as it was, once there was no more room */
} Kept;

#define RECORD_BYTES (2 * sizeof(size_t))

static size_t table_offset(void) { return aligned(sizeof(struct cn_adaptive)); }

static size_t pixels_offset(uint32_t mask) { return table_offset() + ((size_t)mask + 1) * sizeof(Bucket); }

static Bucket *table_of(cn_adaptive *model) { return (Bucket *)((uint8_t *)model + table_offset()); }

static uint64_t *pixels_of(cn_adaptive *model) {
    return (uint64_t *)((uint8_t *)model + pixels_offset(model->mask));
}

static inline void put_back(uint8_t *model, Kept *kept) {
    while (kept->used > 0) {
        size_t record[2];
        memcpy(record, kept->bytes + kept->used - RECORD_BYTES, RECORD_BYTES);
        kept->used -= record[1] + RECORD_BYTES;
        memcpy(model + record[0], kept->bytes + kept->used, record[1]);
    }
}

/* From here on, all of the model but its pixels is what was kept. */
static __attribute__((noinline)) void keep_all(cn_adaptive *model, Kept *kept) {
    memcpy(kept->saved, model, pixels_offset(model->mask));
    put_back(kept->saved, kept);
    kept->bytes = NULL;
}

/* Note what lies at `at`, before it is changed. `bytes` is a multiple of 4. */
static inline void keep(cn_adaptive *model, Kept *kept, const void *at, size_t bytes) {
    if (kept->bytes == NULL) return;
    if (kept->limit - kept->used < bytes + RECORD_BYTES) {
        keep_all(model, kept);
        return;
    }
    size_t record[2] = {(size_t)((const uint8_t *)at - (const uint8_t *)model), bytes};
    memcpy(kept->bytes + kept->used, at, bytes);
    memcpy(kept->bytes + kept->used + bytes, record, RECORD_BYTES);
    kept->used += bytes + RECORD_BYTES;
}

/* The same for a row that may have been kept before in this pass. */
static inline void keep_row(cn_adaptive *model, Kept *kept, uint32_t *stamp, const void *at, size_t bytes) {
    if (kept->bytes == NULL || *stamp == model->pass) return;
    *stamp = model->pass;
    keep(model, kept, at, bytes);
}

/* A pass in which nothing is kept yet. When their numbers begin anew, old stamps mean nothing. */
static void begin_pass(cn_adaptive *model) {
    size_t stamps = offsetof(struct cn_adaptive, flag_map_kept);
    if (++model->pass != 0) return;
    memset((uint8_t *)model + stamps, 0, sizeof(struct cn_adaptive) - stamps);
    model->pass = 1;
}

/* The most that may have to be kept for an image of so many pixels and bytes a pixel: more than a
 * size_t of 32 bits can say, where the image is large. */
static uint64_t kept_limit(const cn_adaptive *model, size_t pixels, size_t roles) {
    size_t rows = sizeof(struct cn_adaptive) + RECORD_BYTES * (sizeof(struct cn_adaptive) / sizeof(Weights));
    size_t bucket = sizeof(Bucket) + RECORD_BYTES;
    size_t of_pixel = (size_t)model->flag_count * bucket + 3 * (8 + RECORD_BYTES);
    size_t of_byte = 2 * (size_t)model->byte_count * bucket + 4 + RECORD_BYTES;
    return rows + (uint64_t)pixels * (of_pixel + roles * of_byte);
}

/* STATES: how often a decision was 0 and 1, and which came last */

#define COUNTS 41

static const uint8_t state_limit[5] = {40, 20, 10, 7, 5}; /* of the larger count, by the smaller one */

static int is_state(int zeros, int ones) {
    int less = zeros < ones ? zeros : ones, more = zeros < ones ? ones : zeros;
    return less < 5 && more <= state_limit[less];
}

/* What a count falls to when the other decision is made. */
static int discounted(int count) {
    if (count <= 2) return count;
    if (count <= 4) return count - 1;
    return count <= 7 ? 4 : count <= 13 ? 5 : count <= 24 ? 6 : 7;
}

typedef struct States {
    int count;
    uint8_t zeros[STATES], ones[STATES], number[COUNTS][COUNTS][2];
} States;

static void list_states(States *s) {
    s->count = 0;
    for (int total = 0; total < 2 * COUNTS; total++)
        for (int zeros = 0; zeros <= total; zeros++) {
            int ones = total - zeros;
            if (zeros >= COUNTS || ones >= COUNTS || !is_state(zeros, ones)) continue;
            for (int last = 0; last < 2; last++) {
                if (last == 1 && (zeros == 0 || ones == 0)) {
                    s->number[zeros][ones][1] = s->number[zeros][ones][0];
                    continue;
                }
                s->number[zeros][ones][last] = (uint8_t)s->count;
                s->zeros[s->count] = (uint8_t)zeros;
                s->ones[s->count++] = (uint8_t)ones;
            }
        }
}

static void make_states(cn_adaptive *model, const States *s) {
    for (int i = 0; i < s->count; i++)
        for (int bit = 0; bit < 2; bit++) {
            int same = (bit ? s->ones : s->zeros)[i], other = discounted((bit ? s->zeros : s->ones)[i]);
            int more = same + 1;
            if (!is_state(more, other)) more = same;
            while (!is_state(more, other)) other--;
            model->next[i][bit] = bit ? s->number[other][more][1] : s->number[more][other][0];
        }
}

/* MAKING ONE */

static int list_bits(uint32_t set, uint8_t *list) {
    int count = 0;
    for (int i = 0; set >> i; i++)
        if (set >> i & 1) list[count++] = (uint8_t)i;
    return count;
}

static int check_adaptive(const cn_adaptive_settings *s) {
    if (s->table_bits < TABLE_BITS_MIN || s->table_bits > TABLE_BITS_MAX) return 0;
    if (s->flags == 0 || s->flags >> FLAG_CONTEXTS || s->bytes == 0 || s->bytes >> BYTE_CONTEXTS) return 0;
    if (s->stretch != NULL && s->stretch[LOGS / 2] != 0) return 0;
    if (s->histograms >> HISTOGRAMS || s->squash == NULL || s->stretch == NULL || s->logarithm == NULL) return 0;
    return 1;
}

static size_t adaptive_size(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels) {
    (void)core;
    if (!check_adaptive(settings) || pixels > SEEN_PIXELS_LIMIT) return 0;
    return pixels_offset(((uint32_t)1 << settings->table_bits) - 1) + aligned((pixels + 1) * sizeof(uint64_t));
}

static void fill_weights(Weights *sets, size_t count, int inputs) {
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < INPUTS; k++) sets[i][k] = k < inputs ? 6553 : 0;
}

/* A kernel, two-sided: `peak` in the middle, then `first`, and so on by `ratio` / 64; and `floor`. */
static void fill_kernel(int16_t *kernel, int peak, int first, int ratio, int floor) {
    kernel[0] = (int16_t)peak;
    for (int d = 1; d <= 128; d++) {
        kernel[d] = (int16_t)(first + floor);
        if (d < 128) kernel[256 - d] = kernel[d];
        first = first * ratio >> 6;
    }
}

static void make_maps(cn_adaptive *model, const States *s) {
    for (int i = 0; i < s->count; i++) {
        uint64_t share = ((uint64_t)(10 * s->ones[i] + 4) << 22) / (uint64_t)(10 * (s->zeros[i] + s->ones[i]) + 8);
        uint32_t start = (uint32_t)share << 10;
        if (i == 0) start |= MAP_LIMIT + 1; /* nothing is known of a context that was never seen */
        for (int k = 0; k < FLAG_CONTEXTS; k++) model->flag_map[k][i] = start;
        for (int k = 0; k < ROLES * 2 * BYTE_CONTEXTS; k++) (&model->byte_map[0][0][0][0])[k * STATES + i] = start;
    }
    for (int i = 0; i < AGREEMENTS; i++) model->agreement_map[i] = (uint32_t)1 << 31;
    for (int i = 0; i <= MAP_LIMIT; i++) model->reciprocal[i] = 131072 / (2 * i + 3);
}

static cn_status adaptive_make(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels, void *memory,
                               size_t size, cn_adaptive **made) {
    size_t needed = adaptive_size(core, settings, pixels);
    if (needed == 0) return CN_ARGUMENT;
    if (size < needed) return CN_MEMORY;
    cn_adaptive *model = memory;
    States states;
    int16_t wide[SHARES];
    memset(memory, 0, pixels_offset(((uint32_t)1 << settings->table_bits) - 1) + sizeof(uint64_t));
    model->core = core;
    model->size = needed;
    model->capacity = pixels;
    model->mask = ((uint32_t)1 << settings->table_bits) - 1;
    model->flag_count = list_bits(settings->flags, model->flag);
    model->byte_count = list_bits(settings->bytes, model->byte);
    model->histogram_count = list_bits(settings->histograms, model->histogram);
    if (model->byte_count + model->histogram_count + 1 > INPUTS) return CN_ARGUMENT;
    memcpy(model->squash, settings->squash, sizeof model->squash);
    memcpy(model->stretch, settings->stretch, sizeof model->stretch);
    memcpy(model->logarithm, settings->logarithm, LOGS * sizeof(uint16_t));
    for (int i = 0; i < LOGS; i++) model->logarithm[LOGS + i] = (uint16_t)(settings->logarithm[i] + 532);
    list_states(&states);
    make_states(model, &states);
    make_maps(model, &states);
    int flag_inputs = model->flag_count + 2, byte_inputs = model->byte_count + model->histogram_count + 1;
    fill_weights(model->flag_equal, EQUALITIES, flag_inputs);
    fill_weights(model->flag_match, MATCHES, flag_inputs);
    fill_weights(model->flag_agree, AGREEMENTS, flag_inputs);
    for (int role = 0; role < ROLES; role++) {
        fill_weights(model->byte_place[role], 256, byte_inputs);
        fill_weights(&model->byte_match[role][0][0], 24, byte_inputs);
        fill_weights(model->byte_equal[role], EQUALITIES, byte_inputs);
    }
    fill_kernel(model->narrow, 10474, 4609, 35, 4);
    memcpy(model->narrow + 256, model->narrow, 256 * sizeof(int16_t));
    memcpy(model->narrow + 512, model->narrow, 16 * sizeof(int16_t));
    fill_kernel(wide, 2147, 1825, 54, 21);
    memcpy(wide + 256, wide, 16 * sizeof(int16_t));
    for (int i = 0; i < ROLES * HISTOGRAMS * CLASSES; i++)
        memcpy((&model->of[0][0][0])[i].share, wide, sizeof wide);
    model->seen = 1;
    model->allowed = UINT64_MAX >> 1;
    *made = model;
    return CN_OK;
}

/* A model with room for `pixels` in all, that has learned what this one has. */
static size_t adaptive_copy_size(const cn_adaptive *model, size_t pixels) {
    if (pixels + 1 < model->seen || pixels > SEEN_PIXELS_LIMIT) return 0;
    return pixels_offset(model->mask) + aligned((pixels + 1) * sizeof(uint64_t));
}

static cn_status adaptive_copy(const cn_adaptive *model, size_t pixels, void *memory, size_t size,
                               cn_adaptive **made) {
    size_t needed = adaptive_copy_size(model, pixels);
    if (needed == 0) return CN_ARGUMENT;
    if (size < needed) return CN_MEMORY;
    memcpy(memory, model, pixels_offset(model->mask) + model->seen * sizeof(uint64_t));
    *made = memory;
    (*made)->size = needed;
    (*made)->capacity = pixels;
    return CN_OK;
}

static void adaptive_allow(cn_adaptive *model, size_t bytes) {
    model->allowed = (uint64_t)bytes < UINT64_MAX >> 1 ? (uint64_t)bytes : UINT64_MAX >> 1;
}

#endif
