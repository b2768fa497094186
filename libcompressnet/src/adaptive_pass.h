/* adaptive_pass.h - images coded, pixel by pixel; FORMAT.md, "Adaptive payload" */
#ifndef CN_ADAPTIVE_PASS_H
#define CN_ADAPTIVE_PASS_H

#include "adaptive_byte.h"

/* A WHOLE IMAGE */

static inline uint64_t code_any_pixel(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, Match *match,
                                  Around *a, uint64_t pixel, int groups, int reads) {
    look_back(model, kept, match, a);
    int is_long = match->length >= 16;
    uint64_t first = is_long ? a->matched : a->memory, second = is_long ? a->memory : a->matched;
    uint64_t foretold = first != UNKNOWN_PIXEL ? first : second != UNKNOWN_PIXEL ? second : a->west;
    if (code_hit(model, kept, coder, a, is_long, foretold, pixel == foretold, reads))
        pixel = foretold;
    else {
        pixel = code_bytes(model, kept, coder, picture, a, pixel, groups, reads);
        coder->fresh += (uint64_t)picture->roles;
    }
    learn_pixel(model, kept, match, a, pixel);
    return pixel;
}

INLINE void code_pixels(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, uint8_t *values,
                        int groups, int reads) {
    size_t bytes = (size_t)picture->roles;
    Match match = {0, 0};
    Around a;
    for (int y = 0; y < picture->height; y++) {
        if (reads && coder->fresh > coder->allowed) return;
        for (int x = 0; x < picture->width; x++) {
            uint64_t pixel = reads ? 0 : pixel_of(picture, values);
            look_around(pixels_of(model) + model->seen, y, x, picture, &a);
            pixel = code_any_pixel(model, kept, coder, picture, &match, &a, pixel, groups, reads);
            if (reads) pixel_values(picture, pixel, values);
            values += bytes;
        }
    }
}

/* Each for a number of groups of inputs that compilers know. */
#define CODE_PICTURE(verb, groups, reads)                                                                         \
    static void verb##_picture_##groups(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture,    \
                                        uint8_t *values) {                                                        \
        code_pixels(model, kept, coder, picture, values, groups, reads);                                          \
    }

CODE_PICTURE(write, 1, 0)
CODE_PICTURE(write, 2, 0)
CODE_PICTURE(write, 3, 0)
CODE_PICTURE(write, 4, 0)
CODE_PICTURE(read, 1, 1)
CODE_PICTURE(read, 2, 1)
CODE_PICTURE(read, 3, 1)
CODE_PICTURE(read, 4, 1)

typedef void CodePicture(cn_adaptive *, Kept *, Binary *, const Picture *, uint8_t *);

static int groups_of(const cn_adaptive *model) {
    return (model->byte_count + model->histogram_count + GROUP) / GROUP;
}

static void write_picture(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture,
                          const uint8_t *values) {
    CodePicture *const write[] = {write_picture_1, write_picture_2, write_picture_3, write_picture_4};
    write[groups_of(model) - 1](model, kept, coder, picture, (uint8_t *)values); /* which does not write to values */
}

static void read_picture(cn_adaptive *model, Kept *kept, Binary *coder, const Picture *picture, uint8_t *values) {
    CodePicture *const read[] = {read_picture_1, read_picture_2, read_picture_3, read_picture_4};
    read[groups_of(model) - 1](model, kept, coder, picture, values);
}

/* Ends a payload; gives its length. Zeros fill it up until it pays for what it holds. */
static size_t end_paid(Binary *coder, uint8_t *payload, uint64_t allowed) {
    size_t bytes = (size_t)(end_writing(coder, payload) - payload), stop = (size_t)(coder->stop - payload);
    while (coder->fresh > allowed + FRESH_PAID * (uint64_t)bytes) {
        if (bytes == stop) {
            coder->full = 1;
            break;
        }
        payload[bytes++] = 0;
    }
    return bytes;
}

static int has_room(const cn_adaptive *model, const Picture *picture) {
    return (size_t)picture->height * (size_t)picture->width <= model->capacity + 1 - model->seen;
}

/* Images one after the other, in one payload; the model learns from them. */
static cn_status adaptive_learn_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                                      size_t capacity, size_t *ends) {
    Kept kept = {NULL, 0, 0, NULL};
    Picture picture;
    Binary coder;
    begin_writing(&coder, payload, capacity);
    for (size_t i = 0; i < count; i++) {
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        write_picture(model, &kept, &coder, &picture, pictures[i].values);
        ends[i] = (size_t)(coder.to - payload);
    }
    if (count > 0) ends[count - 1] = end_paid(&coder, payload, model->allowed);
    return coder.full ? CN_MEMORY : CN_OK;
}

static cn_status adaptive_learn_read(cn_adaptive *model, const cn_picture *pictures, size_t count,
                                     const uint8_t *payload, size_t bytes) {
    Kept kept = {NULL, 0, 0, NULL};
    Picture picture;
    Binary coder;
    begin_reading(&coder, payload, bytes, model->allowed);
    for (size_t i = 0; i < count; i++) {
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        read_picture(model, &kept, &coder, &picture, pictures[i].values);
        if (coder.fresh > coder.allowed) return CN_LIMIT;
    }
    return CN_OK;
}

/* ALONE: whatever a picture changes is put back */

/* How much may be noted of an image: all, or a quarter of the model, behind which is room for it. */
static size_t noted_limit(const cn_adaptive *model, const Picture *picture, int *is_all) {
    uint64_t limit = kept_limit(model, (size_t)picture->height * (size_t)picture->width, (size_t)picture->roles);
    size_t most = pixels_offset(model->mask) / 4;
    *is_all = limit <= most;
    return aligned(*is_all ? (size_t)limit : most);
}

static size_t adaptive_scratch(const cn_adaptive *model, const cn_picture *pictures) {
    Picture picture;
    int is_all;
    if (!describe(pictures, &picture)) return 0;
    size_t limit = noted_limit(model, &picture, &is_all);
    return limit + (is_all ? 0 : pixels_offset(model->mask));
}

static Kept begin_alone(cn_adaptive *model, const Picture *picture, uint8_t *scratch) {
    int is_all;
    size_t limit = noted_limit(model, picture, &is_all);
    begin_pass(model);
    return (Kept){scratch, 0, limit, scratch + limit};
}

static void end_alone(cn_adaptive *model, Kept *kept, uint32_t seen) {
    if (kept->bytes == NULL)
        memcpy(model, kept->saved, pixels_offset(model->mask));
    else
        put_back((uint8_t *)model, kept);
    model->seen = seen;
}

static cn_status adaptive_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                                size_t capacity, size_t *lengths, void *scratch) {
    Picture picture;
    Binary coder;
    uint32_t seen = model->seen;
    for (size_t i = 0; i < count; i++) {
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        Kept kept = begin_alone(model, &picture, scratch);
        begin_writing(&coder, payload, capacity);
        write_picture(model, &kept, &coder, &picture, pictures[i].values);
        end_alone(model, &kept, seen);
        lengths[i] = end_paid(&coder, payload, model->allowed);
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
        if (!describe(&pictures[i], &picture) || !has_room(model, &picture)) return CN_ARGUMENT;
        Kept kept = begin_alone(model, &picture, scratch);
        begin_reading(&coder, payload, lengths[i], model->allowed);
        read_picture(model, &kept, &coder, &picture, pictures[i].values);
        end_alone(model, &kept, seen);
        if (coder.fresh > coder.allowed) return CN_LIMIT;
        payload += lengths[i];
    }
    return CN_OK;
}

#endif
