/* pixels_pass.h - images to payloads and back by a pixel model
 *
 * Writing and reading are one pass, which differs in where values come from. Some images are coded
 * side by side, so that weights are loaded once for all of them: each goes on by itself to its
 * next pixel that needs the network, which then runs for all.
 */
#ifndef CN_PIXELS_PASS_H
#define CN_PIXELS_PASS_H

#include "pixels.h"

#define STREAMS 4 /* images side by side */
#define MARGIN 2  /* of values around a plane, for those relative to the high value */

/* A step of the first layer whose two inputs are not what they are in a background. */
typedef struct Entry {
    int32_t pair; /* two numbers of 16 bits, as they lie in memory */
    int32_t at;   /* of its weights in a block */
} Entry;

/* An image on its way. */
typedef struct Stream {
    Encoder encoder;
    Decoder decoder;
    Bits bits;
    const uint8_t *known;      /* the image, where it is written */
    uint8_t *payload;          /* room for it */
    uint8_t *values[PLANES];   /* (height,pitch), from the first pixel on */
    uint8_t *occupied[PLANES]; /* a bit for each pixel that is not background, with REACH_LIMIT around */
    uint8_t *counts;           /* (256,) how often each value came up */
    int32_t *seen_sums, *first_seen; /* sums over the values, and what they add to the first layer */
    int16_t *seen;             /* these sums as hidden values */
    uint8_t *hidden[2], *low;  /* hidden layers; the last one is the first part of what low1 sees */
    int32_t y, x;
    int is_value;              /* the flag is known to be 1 */
} Stream;

typedef struct PixelPass {
    const cn_pixels *pixels;
    int32_t height, width, number, is_read;
    const Plane *plane;        /* its number is `number` */
    size_t capacity, bits_pitch, pitch;
    int32_t *outside[PLANES];  /* (rows,columns,blocks,BLOCK,LANES) the first layer's start near borders */
    uint8_t *is_known[PLANES]; /* (rows,columns) whether that was computed already */
    Entry *entries;
    int16_t *differences;
    Stream stream[STREAMS];
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
                        .bits_pitch = (size_t)(width + 2 * REACH_LIMIT) / 8 + 4,
                        .capacity = 8 * (size_t)(height * width * pixels->channels) + 16};
    for (int32_t i = 0; i < pixels->channels; i++) {
        const Plane *p = &pixels->plane[i];
        int32_t lanes = p->blocks * BLOCK * LANES;
        int32_t places = border_places(p->above, p->below, height) * border_places(p->left, p->right, width);
        pass->outside[i] = take(arena, (size_t)(places * lanes), sizeof(int32_t));
        pass->is_known[i] = take(arena, (size_t)places, 1);
        if (pass->is_known[i] != NULL) memset(pass->is_known[i], 0, (size_t)places);
        sums = lanes > sums ? lanes : sums;
        seen = p->seen.vectors * LANES > seen ? p->seen.vectors * LANES : seen;
        steps = p->steps > steps ? p->steps : steps;
        hidden = p->low1.layer.outputs > hidden ? p->low1.layer.outputs : hidden;
        hidden = p->first.outputs > hidden ? p->first.outputs : hidden;
        for (int32_t k = 1; k < p->layers; k++)
            hidden = p->layer[k].layer.outputs > hidden ? p->layer[k].layer.outputs : hidden;
    }
    size_t hidden_bytes = (size_t)(hidden + RELATIVE + ALPHABET + 4) * (size_t)element_bytes(pixels->format.kind);
    pass->entries = take(arena, (size_t)steps, sizeof *pass->entries);
    pass->differences = take(arena, (size_t)seen, sizeof *pass->differences);
    for (int k = 0; k < STREAMS; k++) {
        Stream *s = &pass->stream[k];
        s->payload = take(arena, pass->capacity, 1);
        s->counts = take(arena, 256, 1);
        s->seen_sums = take(arena, (size_t)seen, sizeof(int32_t));
        s->seen = take(arena, (size_t)seen, sizeof(int16_t));
        s->first_seen = take(arena, (size_t)sums, sizeof(int32_t));
        for (int i = 0; i < 3; i++) {
            uint8_t *values = take(arena, hidden_bytes, 1);
            if (values != NULL) memset(values, 0, hidden_bytes);
            *(i < 2 ? &s->hidden[i] : &s->low) = values;
        }
        for (int32_t i = 0; i < pixels->channels; i++) {
            s->values[i] = take(arena, ((size_t)height + MARGIN) * pass->pitch, 1);
            s->occupied[i] = take(arena, (size_t)height + 2 * REACH_LIMIT, pass->bits_pitch);
        }
    }
}

static uint8_t *value_at(const PixelPass *pass, const Stream *s, int32_t plane, int32_t y, int32_t x) {
    return s->values[plane] + (size_t)(y + MARGIN) * pass->pitch + x + MARGIN;
}

/* THE FIRST LAYER */

/* Adds what some steps differ in to sums (blocks,BLOCK,LANES). */
static void add_entries(const Plane *plane, const Entry *entries, size_t count, int32_t *sums) {
    const uint8_t *weight = plane->weight;
    for (int32_t block = 0; block < plane->blocks; block++) {
        ints sum[BLOCK];
        for (int v = 0; v < BLOCK; v++) sum[v] = load_ints(sums + v * LANES);
        for (size_t i = 0; i < count; i++) {
            ints pair = broadcast(&entries[i].pair);
            for (int v = 0; v < BLOCK; v++)
                sum[v] = dot_shorts(sum[v], pair, load_ints(weight + entries[i].at + v * LANES * 4));
        }
        for (int v = 0; v < BLOCK; v++) store_ints(sums + v * LANES, sum[v]);
        weight += (size_t)plane->steps * STEP_BYTES;
        sums += BLOCK * LANES;
    }
}

/* Lists the steps of a neighbour of a range, the k-th, that has a code. */
INLINE size_t list_neighbour(const Range *range, int32_t k, int32_t code, Entry *entries, size_t count) {
    const int16_t *pairs = range->table + code * 2 * range->steps;
    for (int32_t i = 0; i < range->steps; i++, count++) {
        memcpy(&entries[count].pair, pairs + 2 * i, 4);
        entries[count].at = (range->step + k * range->steps + i) * STEP_BYTES;
    }
    return count;
}

/* The neighbours of a range, from its first one on, that are not background: a bit for each. */
INLINE uint32_t neighbours_of(const PixelPass *pass, const Stream *s, const Range *range) {
    int32_t at = s->x + range->first + REACH_LIMIT;
    const uint8_t *b = s->occupied[range->plane] + (size_t)(s->y + range->dy + REACH_LIMIT) * pass->bits_pitch + at / 8;
    uint32_t bits = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return bits >> at % 8 & ((1u << range->count) - 1);
}

/* The first layer's sums of a pixel whose neighbours are background, or outside of the image. */
static const int32_t *sums_at_border(PixelPass *pass, const Stream *s) {
    const Plane *p = pass->plane;
    int32_t rows = border_places(p->above, p->below, pass->height), columns = border_places(p->left, p->right, pass->width);
    int32_t place = border_place(p->above, rows, pass->height, s->y) * columns +
                    border_place(p->left, columns, pass->width, s->x);
    int32_t lanes = p->blocks * BLOCK * LANES, *sums = pass->outside[pass->number] + place * lanes;
    if (pass->is_known[pass->number][place]) return sums;
    pass->is_known[pass->number][place] = 1;
    size_t count = 0;
    for (int32_t i = 0; i < p->ranges; i++) {
        const Range *range = &p->range[i];
        int32_t y = s->y + range->dy;
        for (int32_t k = 0; k < range->count; k++) {
            int32_t x = s->x + range->first + k;
            if (y < 0 || y >= pass->height || x < 0 || x >= pass->width)
                count = list_neighbour(range, k, OUTSIDE, pass->entries, count);
        }
    }
    memcpy(sums, p->start, (size_t)lanes * sizeof *sums);
    add_entries(p, pass->entries, count, sums);
    return sums;
}

static uint8_t *hidden_of(const PixelPass *pass, Stream *s, int32_t layer) {
    return layer == pass->plane->layers - 1 ? s->low : s->hidden[layer % 2];
}

static void run_first(PixelPass *pass, Stream *s) {
    const Plane *p = pass->plane;
    const int32_t *border = sums_at_border(pass, s);
    int32_t lanes = p->blocks * BLOCK * LANES, is_sized = pass->pixels->height != 0, sums[WIDTH_LIMIT + BLOCK * LANES];
    const int32_t *row = p->row + (is_sized ? s->y * lanes : 0), *column = p->column + (is_sized ? s->x * lanes : 0);
    Format format = pass->pixels->format;
    uint8_t *hidden = hidden_of(pass, s, 0);
    size_t count = 0;
    for (int32_t i = 0; i < p->ranges; i++) {
        const Range *range = &p->range[i];
        uint32_t bits = range->steps == 0 ? 0 : neighbours_of(pass, s, range);
        const uint8_t *values = value_at(pass, s, range->plane, s->y + range->dy, s->x + range->first);
        for (; bits != 0; bits &= bits - 1) {
            int32_t k = __builtin_ctz(bits);
            count = list_neighbour(range, k, values[k], pass->entries, count);
        }
    }
    for (int32_t i = 0; i < lanes; i += LANES)
        store_ints(sums + i, load_ints(border + i) + load_ints(row + i) + load_ints(column + i) + load_ints(s->first_seen + i));
    add_entries(p, pass->entries, count, sums);
    for (int32_t v = 0; v < p->first.vectors; v++) {
        ints kept = requantize(&p->first, v, load_ints(sums + v * LANES)) - format.offset;
        if (p->first.outputs - v * LANES >= LANES) store_kept(format.kind, hidden, (size_t)(v * LANES), kept);
        else
            for (int32_t i = v * LANES; i < p->first.outputs; i++) put(format.kind, hidden, (size_t)i, kept[i % LANES]);
    }
}

/* Adds a value to the sums over all values, or none where it is -1, and updates what they add. */
static void see(PixelPass *pass, Stream *s, int32_t value) {
    const Plane *p = pass->plane;
    size_t count = 0;
    for (int32_t v = 0; v < p->seen.vectors; v++) {
        ints sum = load_ints(s->seen_sums + v * LANES);
        if (value >= 0) sum += load_shorts(p->seen_table + (value * p->seen.vectors + v) * LANES);
        store_ints(s->seen_sums + v * LANES, sum);
        ints limit = (ints){0} + SEEN_LIMIT, now = requantize(&p->seen, v, larger(smaller(sum, limit), -limit));
        store_shorts(pass->differences + v * LANES, now - load_shorts(s->seen + v * LANES));
        store_shorts(s->seen + v * LANES, now);
    }
    for (int32_t i = 0; i < p->seen_steps; i++) {
        memcpy(&pass->entries[count].pair, pass->differences + 2 * i, 4);
        pass->entries[count].at = (p->seen_step + i) * STEP_BYTES;
        count += pass->entries[count].pair != 0;
    }
    add_entries(p, pass->entries, count, s->first_seen);
}

/* THE OTHER LAYERS */

/* A layer for some streams: each has its inputs, its row of the bias, and its outputs. */
static void run_dense(const Dense *dense, int streams, const uint8_t *const *inputs, const int32_t *rows, Format format,
                      uint8_t *const *outputs) {
    const Layer *layer = &dense->layer;
    const uint8_t *together[STREAMS];
    int32_t sums[STREAMS * WIDE * LANES];
    for (int i = 0; i < STREAMS; i++) together[i] = inputs[i < streams ? i : 0];
    for (int32_t block = 0; block < layer->vectors; block += WIDE) {
        products(layer, streams == 1 ? 1 : STREAMS, block, together, sums);
        for (int i = 0; i < streams; i++) {
            for (int32_t v = block; v < layer->vectors && v < block + WIDE; v++) {
                const int32_t *bias = dense->bias + (rows[i] * layer->vectors + v) * LANES;
                ints sum = load_ints(sums + (i * WIDE + v - block) * LANES) + load_ints(bias);
                ints kept = requantize(layer, v, sum) - format.offset;
                int32_t left = layer->outputs - v * LANES;
                if (left >= LANES) store_kept(format.kind, outputs[i], (size_t)(v * LANES), kept);
                else
                    for (int32_t k = 0; k < left; k++) put(format.kind, outputs[i], (size_t)(v * LANES + k), kept[k]);
            }
        }
    }
}

static const int32_t NO_ROWS[STREAMS] = {0};

/* All hidden layers after the first. */
static void run_hidden(PixelPass *pass, Stream *const *streams, int count) {
    const uint8_t *inputs[STREAMS];
    uint8_t *outputs[STREAMS];
    for (int32_t layer = 1; layer < pass->plane->layers; layer++) {
        for (int i = 0; i < count; i++) {
            inputs[i] = hidden_of(pass, streams[i], layer - 1);
            outputs[i] = hidden_of(pass, streams[i], layer);
        }
        run_dense(&pass->plane->layer[layer], count, inputs, NO_ROWS, pass->pixels->format, outputs);
    }
}

/* Logits of some streams from `hidden`, of which each has the one that `which` says. */
static void run_logits(const Dense *dense, Stream *const *streams, int count, int is_low, int32_t (*logits)[ALPHABET]) {
    const uint8_t *inputs[STREAMS];
    uint8_t *outputs[STREAMS];
    for (int i = 0; i < count; i++) {
        inputs[i] = is_low ? streams[i]->hidden[0] : streams[i]->low;
        outputs[i] = (uint8_t *)logits[i];
    }
    run_dense(dense, count, inputs, NO_ROWS, (Format){INT, 0, -LOGIT_LIMIT, LOGIT_LIMIT}, outputs);
}

/* What low1 sees beside hidden values: neighbours relative to the high value, and counts. */
static void put_relative(const PixelPass *pass, Stream *s, int32_t high) {
    Format format = pass->pixels->format;
    size_t at = (size_t)pass->plane->hidden;
    for (int32_t i = 0; i < RELATIVE; i++, at++) {
        int32_t value = *value_at(pass, s, pass->number, s->y + i / 5 - 2, s->x + i % 5 - 2);
        value -= (high << HALF_BITS) + ALPHABET / 2;
        value = value < -RELATIVE_LIMIT ? -RELATIVE_LIMIT : value > RELATIVE_LIMIT ? RELATIVE_LIMIT : value;
        put(format.kind, s->low, at, value - format.offset);
    }
    for (int32_t k = 0; pass->plane->has_counts && k < ALPHABET; k++, at++)
        put(format.kind, s->low, at, s->counts[(high << HALF_BITS) + k] - format.offset);
}

/* CODING */

static const uint8_t CHANNEL_OF[PLANES + 1][PLANES] = {{0}, {0}, {1, 0}, {1, 0, 2}, {3, 1, 0, 2}};

/* Whether a plane holds differences to green, which is channel 1. */
static int is_difference(int32_t channels, int32_t plane) { return channels >= 3 && plane >= channels - 2; }

/* The value of the stream's pixel, where it is known. */
static int32_t known_value(const PixelPass *pass, const Stream *s) {
    int32_t channels = pass->pixels->channels;
    const uint8_t *pixel = s->known + (size_t)(s->y * pass->width + s->x) * (size_t)channels;
    int32_t value = pixel[CHANNEL_OF[channels][pass->number]];
    return is_difference(channels, pass->number) ? (value - pixel[1] + 128) & 255 : value;
}

/* Codes whether a pixel is not background, given the frequency that it is. */
static int32_t code_flag(const PixelPass *pass, Stream *s, uint32_t zero) {
    int32_t flag;
    if (pass->is_read) {
        uint64_t scale = scale_of(&s->decoder);
        flag = s->decoder.off >= scale * zero;
        decode(&s->decoder, scale, flag ? zero : 0, flag ? (1u << TOTAL_BITS) - zero : zero);
    } else {
        flag = known_value(pass, s) != pass->plane->background;
        encode(&s->encoder, flag ? zero : 0, flag ? (1u << TOTAL_BITS) - zero : zero);
        add_bits(&s->bits, flag ? (1u << TOTAL_BITS) - zero : zero);
    }
    return flag;
}

/* Codes one of 16 values, `known` where it is. */
static int32_t code_half(const PixelPass *pass, Stream *s, const int32_t *logits, int32_t known) {
    uint32_t frequencies[ALPHABET], left = 0;
    softmax(pass->pixels->exp, logits, frequencies);
    if (pass->is_read) {
        uint64_t scale = scale_of(&s->decoder);
        int32_t half = 0;
        while (half < ALPHABET - 1 && s->decoder.off >= scale * (left + frequencies[half])) left += frequencies[half++];
        decode(&s->decoder, scale, left, frequencies[half]);
        return half;
    }
    for (int32_t k = 0; k < known; k++) left += frequencies[k];
    encode(&s->encoder, left, frequencies[known]);
    add_bits(&s->bits, frequencies[known]);
    return known;
}

static void next_pixel(const PixelPass *pass, Stream *s) {
    if (++s->x == pass->width) {
        s->x = 0;
        s->y++;
    }
}

/* Goes on to the next pixel that needs the network, and runs the first layer. 0: there is none. */
static int find_pixel(PixelPass *pass, Stream *s) {
    const Plane *p = pass->plane;
    for (; s->y < pass->height; next_pixel(pass, s)) {
        uint32_t bits = 0;
        for (int32_t i = p->near; i < p->ranges; i++) bits |= neighbours_of(pass, s, &p->range[i]);
        s->is_value = 0;
        if (bits == 0) {
            int32_t place = pass->pixels->height == 0 ? 0 : s->y * pass->width + s->x;
            if (!code_flag(pass, s, (uint32_t)p->quiet[place])) continue;
            s->is_value = 1;
        }
        run_first(pass, s);
        return 1;
    }
    return 0;
}

/* Lets later pixels know one that is not background, and goes on. */
static void reveal(PixelPass *pass, Stream *s, int32_t value) {
    if (value == pass->plane->background) { /* its flag says that it is not */
        s->decoder.wrong = 1;
        s->y = pass->height;
        return;
    }
    int32_t at = s->x + REACH_LIMIT;
    s->occupied[pass->number][(size_t)(s->y + REACH_LIMIT) * pass->bits_pitch + (size_t)(at / 8)] |= (uint8_t)(1 << at % 8);
    *value_at(pass, s, pass->number, s->y, s->x) = (uint8_t)value;
    if (s->counts[value] < COUNT_LIMIT) s->counts[value]++;
    see(pass, s, value);
    next_pixel(pass, s);
}

/* Codes the values of pixels that are not background. */
static void code_values(PixelPass *pass, Stream *const *streams, int count) {
    int32_t logits[STREAMS][ALPHABET], high[STREAMS], known[STREAMS];
    const uint8_t *inputs[STREAMS];
    uint8_t *outputs[STREAMS];
    run_logits(&pass->plane->high, streams, count, 0, logits);
    for (int i = 0; i < count; i++) {
        known[i] = pass->is_read ? 0 : known_value(pass, streams[i]);
        high[i] = code_half(pass, streams[i], logits[i], known[i] >> HALF_BITS);
        put_relative(pass, streams[i], high[i]);
        inputs[i] = streams[i]->low;
        outputs[i] = streams[i]->hidden[0];
    }
    run_dense(&pass->plane->low1, count, inputs, high, pass->pixels->format, outputs);
    run_logits(&pass->plane->low2, streams, count, 1, logits);
    for (int i = 0; i < count; i++) {
        int32_t low = code_half(pass, streams[i], logits[i], known[i] & (ALPHABET - 1));
        reveal(pass, streams[i], high[i] << HALF_BITS | low);
    }
}

/* Codes the pixels that some streams have come to. */
static void code_found(PixelPass *pass, Stream *const *streams, int count) {
    int32_t logits[STREAMS][ALPHABET];
    Stream *others[STREAMS];
    int found = 0;
    run_hidden(pass, streams, count);
    run_logits(&pass->plane->flag, streams, count, 0, logits);
    for (int i = 0; i < count; i++) {
        Stream *s = streams[i];
        if (s->is_value || code_flag(pass, s, zero_frequency(pass->pixels->exp, logits[i][0]))) others[found++] = s;
        else next_pixel(pass, s);
    }
    if (found > 0) code_values(pass, others, found);
}

static void start_plane(PixelPass *pass, Stream *s) {
    const Plane *p = pass->plane;
    uint8_t *values = s->values[pass->number];
    memset(values, 0, ((size_t)pass->height + MARGIN) * pass->pitch);
    for (int32_t y = 0; y < pass->height; y++)
        memset(value_at(pass, s, pass->number, y, 0), p->background, (size_t)pass->width);
    memset(s->occupied[pass->number], 0, ((size_t)pass->height + 2 * REACH_LIMIT) * pass->bits_pitch);
    memset(s->counts, 0, 256);
    memset(s->seen, 0, (size_t)(p->seen.vectors * LANES) * sizeof *s->seen);
    memset(s->first_seen, 0, (size_t)(p->blocks * BLOCK * LANES) * sizeof *s->first_seen);
    memcpy(s->seen_sums, p->seen.bias, (size_t)(p->seen.vectors * LANES) * sizeof *s->seen_sums);
    see(pass, s, -1);
    s->y = s->x = 0;
}

/* All planes of the images of the first `count` streams. */
static void code_images(PixelPass *pass, int count) {
    Stream *found[STREAMS];
    for (pass->number = 0; pass->number < pass->pixels->channels; pass->number++) {
        pass->plane = &pass->pixels->plane[pass->number];
        for (int i = 0; i < count; i++) start_plane(pass, &pass->stream[i]);
        for (int n = 1; n > 0;) {
            n = 0;
            for (int i = 0; i < count; i++)
                if (find_pixel(pass, &pass->stream[i])) found[n++] = &pass->stream[i];
            if (n > 0) code_found(pass, found, n);
        }
    }
}

/* The image that a stream has read, (H,W,C). */
static void give_image(const PixelPass *pass, const Stream *s, uint8_t *image) {
    int32_t channels = pass->pixels->channels;
    for (int32_t y = 0; y < pass->height; y++) {
        for (int32_t x = 0; x < pass->width; x++, image += channels) {
            for (int32_t i = 0; i < channels; i++) {
                int32_t value = *value_at(pass, s, i, y, x);
                if (is_difference(channels, i)) value += image[1] - 128;
                image[CHANNEL_OF[channels][i]] = (uint8_t)value;
            }
        }
    }
}

static int has_size(const cn_pixels *pixels, int32_t height, int32_t width) {
    if (pixels->height != 0 && (height != pixels->height || width != pixels->width)) return 0;
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
    size_t values = (size_t)(height * width * pixels->channels), used = 0;
    for (size_t image = 0; image < count; image += STREAMS) {
        int together = count - image < STREAMS ? (int)(count - image) : STREAMS;
        for (int i = 0; i < together; i++) {
            Stream *s = &pass.stream[i];
            s->known = images + (image + (size_t)i) * values;
            s->bits = NO_BITS;
            start_encoder(&s->encoder, s->payload, pass.capacity);
        }
        code_images(&pass, together);
        for (int i = 0; i < together; i++) {
            size_t length;
            cn_status status = finish_encoder(&pass.stream[i].encoder, &length);
            if (status != CN_OK) return status;
            if (length > capacity - used) return CN_MEMORY;
            memcpy(payload + used, pass.stream[i].payload, length);
            used += length;
            lengths[image + (size_t)i] = length;
            if (bits != NULL) bits[image + (size_t)i] = bits_of(&pass.stream[i].bits);
        }
    }
    return CN_OK;
}

static cn_status read_pixels(const cn_pixels *pixels, int32_t height, int32_t width, const uint8_t *payload,
                             const size_t *lengths, uint8_t *images, size_t count, void *scratch) {
    Arena arena = {scratch, MEMORY_LIMIT, 0, 0};
    PixelPass pass;
    if (!has_size(pixels, height, width)) return CN_ARGUMENT;
    lay_out(&arena, pixels, height, width, &pass);
    pass.is_read = 1;
    size_t values = (size_t)(height * width * pixels->channels);
    for (size_t image = 0; image < count; image += STREAMS) {
        int together = count - image < STREAMS ? (int)(count - image) : STREAMS;
        for (int i = 0; i < together; i++) {
            start_decoder(&pass.stream[i].decoder, payload, lengths[image + (size_t)i]);
            payload += lengths[image + (size_t)i];
        }
        code_images(&pass, together);
        for (int i = 0; i < together; i++) {
            if (pass.stream[i].decoder.wrong) return CN_PAYLOAD;
            give_image(&pass, &pass.stream[i], images + (image + (size_t)i) * values);
        }
    }
    return CN_OK;
}

#endif
