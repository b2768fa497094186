/* pixels_pass.h - images to payloads and back by a pixel model
 *
 * Writing and reading are one pass, which differs in where values come from.
 */
#ifndef CN_PIXELS_PASS_H
#define CN_PIXELS_PASS_H

#include "pixels.h"

#define MARGIN 2 /* of values around a plane, for those relative to the high value */

typedef struct PixelPass {
    const cn_pixels *pixels;
    int32_t height, width, number, y, x;
    const Plane *plane;        /* its number is `number` */
    const uint8_t *known;      /* the image, where it is written */
    Encoder encoder;
    Decoder decoder;
    Bits bits;
    size_t pitch, bits_pitch;
    uint8_t *values[PLANES];   /* (MARGIN + height,pitch), 0 around the plane */
    uint8_t *occupied[PLANES]; /* a bit for each pixel that is not background, with REACH_LIMIT around */
    int32_t *outside[PLANES];  /* (rows,columns,blocks,BLOCK,LANES) the first layer's start near borders */
    uint8_t *is_found[PLANES]; /* (rows,columns) whether that was computed already */
    uint8_t *counts;           /* (256,) how often each value came up */
    int32_t *seen_sums, *first_seen; /* sums over the values, and what they add to the first layer */
    int16_t *seen, *differences; /* these sums as hidden values; what the last value changed */
    uint8_t *hidden[2], *low;  /* hidden layers; the last one is the first part of what low1 sees */
    uint64_t near[TEMPLATES * TEMPLATE_WORDS]; /* a bit for each neighbour that is not background */
    /* steps of the first layer whose inputs are not what they are in a background: */
    int32_t *pairs;            /* how far they are from that, two numbers of 16 bits in one */
    int32_t *places;           /* of their weights, in a block */
} PixelPass;

/* How many places there are that differ in what lies outside: near one border, none, the other. */
static int32_t border_places(int32_t before, int32_t after, int32_t size) {
    return size < before + 1 + after ? size : before + 1 + after;
}

static int32_t border_place(int32_t before, int32_t places, int32_t size, int32_t at) {
    int32_t place = at < before ? at : before, from_end = at - (size - places);
    return place > from_end ? place : from_end;
}

static void lay_out(Arena *arena, const cn_pixels *pixels, int32_t height, int32_t width, PixelPass *pass) {
    int32_t sums = 0, seen = 0, steps = 0, hidden = 0;
    *pass = (PixelPass){.pixels = pixels, .height = height, .width = width, .pitch = (size_t)width + 2 * MARGIN,
                        .bits_pitch = (size_t)(width + 2 * REACH_LIMIT) / 8 + 4};
    for (int32_t i = 0; i < pixels->channels; i++) {
        const Plane *p = &pixels->plane[i];
        int32_t places = border_places(p->above, p->below, height) * border_places(p->left, p->right, width);
        pass->values[i] = take(arena, (size_t)height + MARGIN, pass->pitch);
        pass->occupied[i] = take(arena, (size_t)height + 2 * REACH_LIMIT, pass->bits_pitch);
        pass->outside[i] = take(arena, (size_t)(places * p->lanes), sizeof(int32_t));
        pass->is_found[i] = take(arena, (size_t)places, 1);
        if (pass->is_found[i] != NULL) memset(pass->is_found[i], 0, (size_t)places);
        sums = most(sums, p->lanes);
        seen = most(seen, p->seen.vectors * LANES);
        steps = most(steps, p->steps);
        hidden = most(hidden, most(p->lanes, p->low1.layer.outputs));
        for (int32_t k = 1; k < p->layers; k++) hidden = most(hidden, p->layer[k].layer.outputs);
    }
    size_t hidden_bytes = (size_t)(hidden + RELATIVE + ALPHABET + 4) * (size_t)element_bytes(pixels->format.kind);
    pass->counts = take(arena, 256, 1);
    pass->seen_sums = take(arena, (size_t)seen, sizeof(int32_t));
    pass->first_seen = take(arena, (size_t)sums, sizeof(int32_t));
    pass->seen = take(arena, (size_t)seen, sizeof(int16_t));
    pass->differences = take(arena, (size_t)seen, sizeof(int16_t));
    for (int i = 0; i < 3; i++) {
        uint8_t *values = take(arena, hidden_bytes, 1);
        if (values != NULL) memset(values, 0, hidden_bytes);
        *(i < 2 ? &pass->hidden[i] : &pass->low) = values;
    }
    pass->pairs = take(arena, (size_t)(steps + TOGETHER), sizeof(int32_t));
    pass->places = take(arena, (size_t)(steps + TOGETHER), sizeof(int32_t));
}

static uint8_t *value_at(const PixelPass *pass, int32_t plane, int32_t y, int32_t x) {
    return pass->values[plane] + (ptrdiff_t)(y + MARGIN) * (ptrdiff_t)pass->pitch + x + MARGIN;
}

/* THE FIRST LAYER */

/* Adds the first `count` steps that were listed to a block's sums. */
INLINE void add_to_block(const int32_t *pairs, const int32_t *places, size_t count, const int8_t *weight, ints *sum) {
    for (size_t i = 0; i < count; i++) {
        ints pair = broadcast(pairs + i);
        const int8_t *step = weight + places[i];
        for (int v = 0; v < BLOCK; v++) sum[v] = dot_shorts(sum[v], pair, load_pairs(step + v * LANES * 2));
    }
}

/* The same for all blocks of sums in memory. */
static void add_listed(const PixelPass *pass, size_t count, int32_t *sums) {
    const Plane *p = pass->plane;
    const int8_t *weight = p->weight;
    for (int32_t at = 0; at < p->lanes; at += BLOCK * LANES, weight += (size_t)p->steps * STEP_BYTES) {
        ints sum[BLOCK];
        for (int v = 0; v < BLOCK; v++) sum[v] = load_ints(sums + at + v * LANES);
        add_to_block(pass->pairs, pass->places, count, weight, sum);
        for (int v = 0; v < BLOCK; v++) store_ints(sums + at + v * LANES, sum[v]);
    }
}

/* Lists the steps of a neighbour that has a code. Four at a time, as most have few: there is room
 * for more behind the table and the lists. */
INLINE size_t list_tap(const Tap *tap, int32_t code, int32_t *pairs, int32_t *places, size_t count) {
    typedef int32_t four __attribute__((vector_size(16)));
    const int32_t *row = tap->table + code * tap->steps;
    int32_t steps = tap->steps;
    four place = (four){0, STEP_BYTES, 2 * STEP_BYTES, 3 * STEP_BYTES} + tap->place;
    for (int32_t i = 0; i < steps; i += TOGETHER, place += TOGETHER * STEP_BYTES) {
        memcpy(pairs + count + i, row + i, TOGETHER * sizeof *row);
        memcpy(places + count + i, &place, sizeof place);
    }
    return count + (size_t)steps;
}

/* The neighbours of a range that are not background, a bit for each. */
INLINE uint32_t neighbours_of(const PixelPass *pass, const Range *range) {
    int32_t at = pass->x + range->first + REACH_LIMIT;
    size_t row = (size_t)(pass->y + range->dy + REACH_LIMIT) * pass->bits_pitch;
    const uint8_t *b = pass->occupied[range->plane] + row + at / 8;
    uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return bits >> at % 8 & ((1u << range->count) - 1);
}

/* Finds all neighbours that are not background. Gives whether any of them keeps the pixel awake. */
static int find_neighbours(PixelPass *pass) {
    const Plane *p = pass->plane;
    uint64_t awake = 0;
    for (int32_t i = 0; i < p->words; i++) pass->near[i] = 0;
    for (int32_t i = 0; i < p->ranges; i++)
        pass->near[p->range[i].tap / WORD] |= (uint64_t)neighbours_of(pass, &p->range[i]) << p->range[i].tap % WORD;
    for (int32_t i = p->near_words; i < p->words; i++) awake |= pass->near[i];
    return awake != 0;
}

/* Lists their steps. */
static size_t list_neighbours(PixelPass *pass) {
    const Plane *p = pass->plane;
    int32_t *pairs = pass->pairs, *places = pass->places, pitch = (int32_t)pass->pitch;
    ptrdiff_t here = value_at(pass, 0, pass->y, pass->x) - pass->values[0];
    size_t count = 0;
    for (int32_t i = 0; i < p->words; i++) {
        for (uint64_t bits = pass->near[i]; bits != 0; bits &= bits - 1) {
            const Tap *tap = &p->tap[i * WORD + __builtin_ctzll(bits)];
            int32_t code = pass->values[tap->plane][here + tap->dy * pitch + tap->dx];
            count = list_tap(tap, code, pairs, places, count);
        }
    }
    return count;
}

/* The first layer's sums of a pixel whose neighbours are background, or outside of the image. */
static const int32_t *sums_at_border(PixelPass *pass) {
    const Plane *p = pass->plane;
    int32_t rows = border_places(p->above, p->below, pass->height);
    int32_t columns = border_places(p->left, p->right, pass->width);
    int32_t place = border_place(p->above, rows, pass->height, pass->y) * columns +
                    border_place(p->left, columns, pass->width, pass->x);
    int32_t *sums = pass->outside[pass->number] + place * p->lanes;
    if (pass->is_found[pass->number][place]) return sums;
    pass->is_found[pass->number][place] = 1;
    size_t count = 0;
    for (int32_t i = 0; i < p->ranges; i++) {
        for (int32_t k = 0; k < p->range[i].count; k++) {
            const Tap *tap = &p->tap[p->range[i].tap + k];
            int32_t y = pass->y + tap->dy, x = pass->x + tap->dx;
            if (y < 0 || y >= pass->height || x < 0 || x >= pass->width)
                count = list_tap(tap, OUTSIDE, pass->pairs, pass->places, count);
        }
    }
    memcpy(sums, p->start, (size_t)p->lanes * sizeof *sums);
    add_listed(pass, count, sums);
    return sums;
}

static uint8_t *hidden_of(const PixelPass *pass, int32_t layer) {
    return layer == pass->plane->layers - 1 ? pass->low : pass->hidden[layer % 2];
}

static void run_first_layer(PixelPass *pass) {
    const Plane *p = pass->plane;
    const int32_t is_sized = pass->pixels->height != 0, *border = sums_at_border(pass);
    const int32_t *row = p->row + (is_sized ? pass->y * p->lanes : 0);
    const int32_t *column = p->column + (is_sized ? pass->x * p->lanes : 0);
    const int8_t *weight = p->weight;
    Format format = pass->pixels->format;
    uint8_t *hidden = hidden_of(pass, 0);
    size_t count = list_neighbours(pass);
    for (int32_t at = 0; at < p->lanes; at += BLOCK * LANES, weight += (size_t)p->steps * STEP_BYTES) {
        ints sum[BLOCK];
        for (int v = 0; v < BLOCK; v++) {
            int32_t i = at + v * LANES;
            sum[v] = load_ints(border + i) + load_ints(row + i);
            sum[v] += load_ints(column + i) + load_ints(pass->first_seen + i);
        }
        add_to_block(pass->pairs, pass->places, count, weight, sum);
        for (int v = 0; v < BLOCK; v++) sum[v] = requantize(&p->first, at / LANES + v, sum[v]) - format.offset;
        for (int v = 0; v < BLOCK; v += 4) store_kept_4(format.kind, hidden, (size_t)(at + v * LANES), sum + v);
    }
}

/* Adds a value to the sums over all values, or none where it is -1, and updates what they add. */
static void see(PixelPass *pass, int32_t value) {
    const Plane *p = pass->plane;
    size_t count = 0;
    for (int32_t v = 0; v < p->seen.vectors; v++) {
        ints sum = load_ints(pass->seen_sums + v * LANES);
        if (value >= 0) sum += load_shorts(p->seen_table + (value * p->seen.vectors + v) * LANES);
        store_ints(pass->seen_sums + v * LANES, sum);
        ints limit = splat_ints(SEEN_LIMIT), now = requantize(&p->seen, v, larger(smaller(sum, limit), -limit));
        store_shorts(pass->differences + v * LANES, now - load_shorts(pass->seen + v * LANES));
        store_shorts(pass->seen + v * LANES, now);
    }
    for (int32_t i = 0; i < p->seen_steps; i++) {
        memcpy(pass->pairs + count, pass->differences + 2 * i, 4);
        pass->places[count] = (p->seen_step + i) * STEP_BYTES;
        count += pass->pairs[count] != 0;
    }
    add_listed(pass, count, pass->first_seen);
}

/* THE OTHER LAYERS */

static void run_unit(const Dense *dense, int32_t row, const uint8_t *input, Format format, uint8_t *output) {
    const int32_t *bias = dense->bias + row * dense->layer.vectors * LANES;
    run_layer(&dense->layer, bias, 1, &input, format, &output);
}

/* Logits as they come from `hidden`, an alphabet of them or one. */
static void run_logits(const Dense *dense, const uint8_t *hidden, int32_t *logits) {
    run_unit(dense, 0, hidden, (Format){INT, 0, -OUTPUT_LIMIT, OUTPUT_LIMIT}, (uint8_t *)logits);
}

/* All hidden layers: the last one's values are in `low` afterwards. */
static void run_hidden(PixelPass *pass) {
    run_first_layer(pass);
    for (int32_t i = 1; i < pass->plane->layers; i++)
        run_unit(&pass->plane->layer[i], 0, hidden_of(pass, i - 1), pass->pixels->format, hidden_of(pass, i));
}

/* What low1 sees beside hidden values: neighbours relative to the high value, and counts. */
static void put_relative(const PixelPass *pass, int32_t high) {
    Format format = pass->pixels->format;
    size_t at = (size_t)pass->plane->hidden;
    for (int32_t i = 0; i < RELATIVE; i++, at++) {
        int32_t value = *value_at(pass, pass->number, pass->y + i / 5 - 2, pass->x + i % 5 - 2);
        value -= (high << HALF_BITS) + ALPHABET / 2;
        put(format.kind, pass->low, at, clamped(value, -RELATIVE_LIMIT, RELATIVE_LIMIT) - format.offset);
    }
    for (int32_t k = 0; pass->plane->has_counts && k < ALPHABET; k++, at++)
        put(format.kind, pass->low, at, pass->counts[(high << HALF_BITS) + k] - format.offset);
}

/* CODING */

static const uint8_t CHANNEL_OF[PLANES + 1][PLANES] = {{0}, {0}, {1, 0}, {1, 0, 2}, {3, 1, 0, 2}};

/* Whether a plane holds differences to green, which is channel 1. */
static int is_difference(int32_t channels, int32_t plane) { return channels >= 3 && plane >= channels - 2; }

/* The value of the pixel, where it is known. */
static int32_t known_value(const PixelPass *pass) {
    int32_t channels = pass->pixels->channels;
    const uint8_t *pixel = pass->known + (size_t)(pass->y * pass->width + pass->x) * (size_t)channels;
    int32_t value = pixel[CHANNEL_OF[channels][pass->number]];
    return is_difference(channels, pass->number) ? (value - pixel[1] + 128) & 255 : value;
}

/* Codes whether a pixel is not background, given the frequency that it is. */
static int32_t code_flag(PixelPass *pass, uint32_t zero) {
    uint32_t one = (1u << TOTAL_BITS) - zero;
    int32_t flag;
    if (pass->known == NULL) {
        uint64_t scale = scale_of(&pass->decoder);
        flag = pass->decoder.off >= scale * zero;
        decode(&pass->decoder, scale, flag ? zero : 0, flag ? one : zero);
    } else {
        flag = known_value(pass) != pass->plane->background;
        encode(&pass->encoder, flag ? zero : 0, flag ? one : zero);
        add_bits(&pass->bits, flag ? one : zero);
    }
    return flag;
}

/* Codes one of 16 values, `known` where the image is. */
static int32_t code_half(PixelPass *pass, const int32_t *logits, int32_t known) {
    uint32_t frequencies[ALPHABET], left = 0;
    int32_t half = 0;
    softmax(pass->pixels->exp, logits, frequencies);
    if (pass->known == NULL) {
        uint64_t scale = scale_of(&pass->decoder);
        while (half < ALPHABET - 1 && pass->decoder.off >= scale * (left + frequencies[half]))
            left += frequencies[half++];
        decode(&pass->decoder, scale, left, frequencies[half]);
    } else {
        while (half < known) left += frequencies[half++];
        encode(&pass->encoder, left, frequencies[half]);
        add_bits(&pass->bits, frequencies[half]);
    }
    return half;
}

/* Codes the value of a pixel that is not background, given its last hidden layer. */
static int32_t code_value(PixelPass *pass) {
    const Plane *p = pass->plane;
    int32_t logits[ALPHABET], known = pass->known == NULL ? 0 : known_value(pass);
    run_logits(&p->high, pass->low, logits);
    int32_t high = code_half(pass, logits, known >> HALF_BITS);
    put_relative(pass, high);
    run_unit(&p->low1, high, pass->low, pass->pixels->format, pass->hidden[0]);
    run_logits(&p->low2, pass->hidden[0], logits);
    return high << HALF_BITS | code_half(pass, logits, known & (ALPHABET - 1));
}

static void code_pixel(PixelPass *pass) {
    const Plane *p = pass->plane;
    int32_t logit, place = pass->pixels->height == 0 ? 0 : pass->y * pass->pixels->width + pass->x;
    if (find_neighbours(pass)) {
        run_hidden(pass);
        run_logits(&p->flag, pass->low, &logit);
        if (!code_flag(pass, zero_frequency(pass->pixels->exp, logit))) return;
    } else {
        if (!code_flag(pass, (uint32_t)p->quiet[place])) return;
        run_hidden(pass);
    }
    int32_t value = code_value(pass), at = pass->x + REACH_LIMIT;
    uint8_t *bits = pass->occupied[pass->number] + (size_t)(pass->y + REACH_LIMIT) * pass->bits_pitch;
    if (value == p->background) pass->decoder.wrong = 1; /* its flag said that it is not */
    *value_at(pass, pass->number, pass->y, pass->x) = (uint8_t)value;
    bits[at / 8] |= (uint8_t)(1 << at % 8);
    if (pass->counts[value] < COUNT_LIMIT) pass->counts[value]++;
    see(pass, value);
}

/* Makes everything background, and nothing seen. */
static void start_plane(PixelPass *pass, int32_t number) {
    const Plane *p = pass->plane = &pass->pixels->plane[number];
    pass->number = number;
    memset(pass->values[number], 0, ((size_t)pass->height + MARGIN) * pass->pitch);
    for (int32_t y = 0; y < pass->height; y++) memset(value_at(pass, number, y, 0), p->background, (size_t)pass->width);
    memset(pass->occupied[number], 0, ((size_t)pass->height + 2 * REACH_LIMIT) * pass->bits_pitch);
    memset(pass->counts, 0, 256);
    memset(pass->seen, 0, (size_t)(p->seen.vectors * LANES) * sizeof *pass->seen);
    memset(pass->first_seen, 0, (size_t)p->lanes * sizeof *pass->first_seen);
    memcpy(pass->seen_sums, p->seen_bias, (size_t)(p->seen.vectors * LANES) * sizeof *pass->seen_sums);
    see(pass, -1);
}

static void code_image(PixelPass *pass) {
    for (int32_t i = 0; i < pass->pixels->channels; i++) {
        start_plane(pass, i);
        for (pass->y = 0; pass->y < pass->height && !pass->decoder.wrong; pass->y++)
            for (pass->x = 0; pass->x < pass->width && !pass->decoder.wrong; pass->x++) code_pixel(pass);
    }
}

/* The image that was read, (H,W,C). */
static void give_image(const PixelPass *pass, uint8_t *image) {
    int32_t channels = pass->pixels->channels;
    for (int32_t y = 0; y < pass->height; y++) {
        for (int32_t x = 0; x < pass->width; x++, image += channels) {
            for (int32_t i = 0; i < channels; i++) {
                int32_t value = *value_at(pass, i, y, x);
                if (is_difference(channels, i)) value += image[1] - 128;
                image[CHANNEL_OF[channels][i]] = (uint8_t)value;
            }
        }
    }
}

static int has_size(const cn_pixels *pixels, int32_t height, int32_t width) {
    if (pixels->height != 0 && (height > pixels->height || width > pixels->width)) return 0;
    return check_size(height, width) && height * width * pixels->channels <= VALUES_LIMIT;
}

static size_t pixels_scratch_bytes(const cn_pixels *pixels, int32_t height, int32_t width) {
    Arena arena = {NULL, 0, 0, 0};
    PixelPass pass;
    if (!has_size(pixels, height, width)) return 0;
    lay_out(&arena, pixels, height, width, &pass);
    return arena.failed ? 0 : arena.used;
}

static cn_status write_pixels(const cn_pixels *pixels, int32_t height, int32_t width, const uint8_t *images,
                              size_t count, uint8_t *payload, size_t capacity, size_t *lengths, uint64_t *bits,
                              void *scratch) {
    Arena arena = {scratch, MEMORY_LIMIT, 0, 0};
    PixelPass pass;
    if (!has_size(pixels, height, width)) return CN_ARGUMENT;
    lay_out(&arena, pixels, height, width, &pass);
    for (size_t i = 0; i < count; i++) {
        pass.known = images + i * (size_t)(height * width * pixels->channels);
        pass.bits = NO_BITS;
        start_encoder(&pass.encoder, payload, capacity);
        code_image(&pass);
        cn_status status = finish_encoder(&pass.encoder, &lengths[i]);
        if (status != CN_OK) return status;
        payload += lengths[i];
        capacity -= lengths[i];
        if (bits != NULL) bits[i] = bits_of(&pass.bits);
    }
    return CN_OK;
}

static cn_status read_pixels(const cn_pixels *pixels, int32_t height, int32_t width, const uint8_t *payload,
                             const size_t *lengths, uint8_t *images, size_t count, void *scratch) {
    Arena arena = {scratch, MEMORY_LIMIT, 0, 0};
    PixelPass pass;
    if (!has_size(pixels, height, width)) return CN_ARGUMENT;
    lay_out(&arena, pixels, height, width, &pass);
    for (size_t i = 0; i < count; i++) {
        start_decoder(&pass.decoder, payload, lengths[i]);
        code_image(&pass);
        if (pass.decoder.wrong) return CN_PAYLOAD;
        give_image(&pass, images + i * (size_t)(height * width * pixels->channels));
        payload += lengths[i];
    }
    return CN_OK;
}

#endif
