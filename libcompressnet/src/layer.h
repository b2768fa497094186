/* layer.h - matrix products: what convolutions, dense layers and entropy models are made of
 *
 * A layer's outputs are the lanes of vectors. An input is a few runs of consecutive elements, such
 * as the rows of a convolution's window, so one kernel serves all. Elements are bytes where the
 * CPU multiplies them (x is kept as x - offset), else 16 or 32 bits; each step takes 4 bytes of
 * input: 4, 2 or 1 elements. Weights lie as they are used: for each group of output vectors, step
 * by step, 4 bytes for each lane.
 */
#ifndef CN_LAYER_H
#define CN_LAYER_H

#include "compressnet.h"
#include "memory.h"
#include "vector.h"

typedef enum Kind { BYTE = 0, SHORT = 1, INT = 2 } Kind;

#define WIDE 2            /* vectors of outputs that are computed together */
#define ROWS (LANES > 8 ? 8 : 4) /* rows of inputs that are */
#define SHIFT_LIMIT 20
#define LEAKY_SHIFT 3
#define QUALITIES 100
#define ANCHOR_STEP 9
#define ANCHORS 12
#define LARGEST_HIGH (1 << 23)

/* How integers of a range are kept. */
typedef struct Format {
    Kind kind;
    int32_t offset; /* what is kept is x - offset */
    int32_t low, high;
} Format;

typedef struct Layer {
    int32_t outputs, vectors;
    Kind kind;
    int32_t runs, steps;    /* steps of each run */
    const int32_t *offsets; /* (runs,) in elements */
    const uint8_t *weight;
    const int32_t *bias; /* (bias_rows,vectors,LANES) */
    const int32_t *fold; /* (vectors,LANES): what the inputs' offset adds to the sums */
    const int32_t *shift; /* (vectors,LANES) */
    int32_t bias_rows;
    int32_t leaky, low, high;
    int32_t shifts_right; /* 1: every shift is above 0 */
} Layer;

static int32_t element_bytes(Kind kind) { return 1 << kind; }
static int32_t elements_of_step(Kind kind) { return 4 >> kind; }
static int32_t padded_to_step(int32_t elements, Kind kind) {
    int32_t group = elements_of_step(kind);
    return (elements + group - 1) / group * group;
}

/* 0 is always among what a format can hold: borders and unknown symbols are 0. */
static Format format_of(int32_t low, int32_t high) {
    Format format = {INT, 0, low, high};
    int32_t least = low < 0 ? low : 0, most = high > 0 ? high : 0;
    if (BYTES && most - least <= 255) {
        format.kind = BYTE;
        format.offset = least + BYTE_ZERO;
    } else if (least >= INT16_MIN && most <= INT16_MAX) {
        format.kind = SHORT;
    }
    return format;
}

static void put(Kind kind, void *to, size_t index, int32_t kept) {
    if (kind == BYTE) ((uint8_t *)to)[index] = (uint8_t)kept;
    if (kind == SHORT) ((int16_t *)to)[index] = (int16_t)kept;
    if (kind == INT) ((int32_t *)to)[index] = kept;
}

static int32_t get(Kind kind, const void *from, size_t index) {
    if (kind == BYTE) {
        uint8_t kept = ((const uint8_t *)from)[index];
        return BYTE_ZERO ? (int8_t)kept : kept;
    }
    return kind == SHORT ? ((const int16_t *)from)[index] : ((const int32_t *)from)[index];
}

/* MAKING ONE */

/* Where a weight lies: the weight of an output for an element of a run; 0 where there is none. */
typedef int32_t (*WeightAt)(const void *context, int32_t output, int32_t run, int32_t element);

typedef struct LayerPlan {
    int32_t outputs;
    Format input;
    int32_t runs, elements; /* of each run, a whole number of steps */
    const int32_t *offsets; /* (runs,), copied */
    WeightAt weight_at;
    const void *context;
    int32_t bias_rows;
    const int32_t *bias; /* (bias_rows,all_outputs) */
    const int8_t *shift; /* (all_outputs,) */
    int32_t first, all_outputs; /* which of all the outputs of an array are the layer's */
    const int32_t *order; /* (outputs,) the layer's output at each lane, or NULL */
    int32_t leaky, low, high;
} LayerPlan;

static int32_t output_at(const LayerPlan *plan, int32_t lane) {
    return plan->order == NULL ? lane : plan->order[lane];
}

static void pack_weights(const LayerPlan *plan, uint8_t *weight, int32_t *fold) {
    int32_t group = elements_of_step(plan->input.kind), vectors = (plan->outputs + LANES - 1) / LANES;
    for (int32_t block = 0; block < vectors; block += WIDE) {
        int32_t wide = vectors - block < WIDE ? vectors - block : WIDE;
        for (int32_t run = 0; run < plan->runs; run++) {
            for (int32_t step = 0; step < plan->elements / group; step++) {
                for (int32_t lane = block * LANES; lane < (block + wide) * LANES; lane++) {
                    for (int32_t i = 0; i < group; i++) {
                        int32_t value = 0;
                        if (lane < plan->outputs)
                            value = plan->weight_at(plan->context, output_at(plan, lane), run,
                                                    step * group + i);
                        put(plan->input.kind, weight, (size_t)i, value);
                        fold[lane] += value * plan->input.offset;
                    }
                    weight += 4;
                }
            }
        }
    }
}

static void make_layer(Arena *arena, const LayerPlan *plan, Layer *layer) {
    int32_t vectors = (plan->outputs + LANES - 1) / LANES, lanes = vectors * LANES;
    size_t steps = (size_t)(plan->elements / elements_of_step(plan->input.kind));
    int32_t *offsets = take(arena, (size_t)plan->runs, sizeof *offsets);
    uint8_t *weight = take(arena, (size_t)plan->runs * steps, (size_t)lanes * 4);
    int32_t *bias = take(arena, (size_t)plan->bias_rows * (size_t)lanes, sizeof *bias);
    int32_t *fold = take(arena, (size_t)lanes, sizeof *fold);
    int32_t *shift = take(arena, (size_t)lanes, sizeof *shift);
    if (layer == NULL || shift == NULL || arena->failed) return;
    *layer = (Layer){.outputs = plan->outputs, .vectors = vectors, .kind = plan->input.kind,
                     .runs = plan->runs, .steps = (int32_t)steps, .offsets = offsets,
                     .weight = weight, .bias = bias, .fold = fold, .shift = shift,
                     .bias_rows = plan->bias_rows, .leaky = plan->leaky, .low = plan->low,
                     .high = plan->high, .shifts_right = 1};
    memcpy(offsets, plan->offsets, (size_t)plan->runs * sizeof *offsets);
    memset(bias, 0, (size_t)plan->bias_rows * (size_t)lanes * sizeof *bias);
    for (int32_t lane = 0; lane < lanes; lane++) {
        fold[lane] = 0;
        shift[lane] = 1;
    }
    for (int32_t lane = 0; lane < plan->outputs; lane++) {
        int32_t output = plan->first + output_at(plan, lane);
        shift[lane] = plan->shift[output];
        if (shift[lane] > SHIFT_LIMIT || shift[lane] < -SHIFT_LIMIT) arena->failed = 1;
        if (shift[lane] <= 0) layer->shifts_right = 0;
        for (int32_t row = 0; row < plan->bias_rows; row++)
            bias[row * lanes + lane] = plan->bias[(size_t)row * (size_t)plan->all_outputs + (size_t)output];
    }
    pack_weights(plan, weight, fold);
}

/* What is added to a layer's sums at a quality, (vectors,LANES); a bias of 12 rows is linear
 * between them, rounded by floor(x + 1/2). */
static void bias_at(const Layer *layer, int32_t quality, int32_t *sums) {
    int32_t lanes = layer->vectors * LANES;
    if (layer->bias_rows != ANCHORS) {
        for (int32_t i = 0; i < lanes; i++) sums[i] = layer->bias[i] + layer->fold[i];
        return;
    }
    int32_t anchor = quality / ANCHOR_STEP, part = quality % ANCHOR_STEP;
    const int32_t *lower = layer->bias + anchor * lanes, *upper = part ? lower + lanes : lower;
    for (int32_t i = 0; i < lanes; i++) {
        int64_t doubled = 2 * ((int64_t)lower[i] * (ANCHOR_STEP - part) + (int64_t)upper[i] * part) + ANCHOR_STEP;
        int64_t down = doubled / (2 * ANCHOR_STEP);
        if (doubled % (2 * ANCHOR_STEP) < 0) down--;
        sums[i] = (int32_t)down + layer->fold[i];
    }
}

/* RUNNING ONE */

/* Products of `rows` rows of inputs with `wide` vectors of outputs, added to nothing. */
INLINE void tile(Kind kind, int rows, int wide, const Layer *layer, const uint8_t *weight,
                 const uint8_t *const *inputs, int32_t *sums) {
    ints sum[8][WIDE];
    for (int p = 0; p < rows; p++)
        for (int v = 0; v < wide; v++) sum[p][v] = (ints){0};
    for (int32_t run = 0; run < layer->runs; run++) {
        ptrdiff_t at = (ptrdiff_t)layer->offsets[run] * element_bytes(kind);
        for (int32_t step = 0; step < layer->steps; step++, at += 4) {
            ints w[WIDE];
            for (int v = 0; v < wide; v++) w[v] = load_ints(weight + 4 * LANES * v);
            weight += 4 * LANES * wide;
            for (int p = 0; p < rows; p++) {
                ints x = broadcast(inputs[p] + at);
                for (int v = 0; v < wide; v++) {
#if BYTES
                    if (kind == BYTE) sum[p][v] = dot_bytes(sum[p][v], x, w[v]);
#endif
                    if (kind == SHORT) sum[p][v] = dot_shorts(sum[p][v], x, w[v]);
                    if (kind == INT) sum[p][v] += x * w[v];
                }
            }
        }
    }
    for (int p = 0; p < rows; p++)
        for (int v = 0; v < wide; v++) store_ints(sums + (p * WIDE + v) * LANES, sum[p][v]);
}

/* One function for each tile, each apart from the rest, so that sums stay in registers. */
#define TILE(kind, rows, wide)                                                                   \
    static __attribute__((noinline)) void tile_##kind##_##rows##_##wide(                         \
        const Layer *layer, const uint8_t *weight, const uint8_t *const *inputs, int32_t *sums) { \
        tile(kind, rows, wide, layer, weight, inputs, sums);                                     \
    }
#define TILES(kind) TILE(kind, 1, 1) TILE(kind, 1, 2) TILE(kind, 4, 1) TILE(kind, 4, 2) TILE(kind, 8, 1) TILE(kind, 8, 2)
#if BYTES
TILES(BYTE)
#endif
TILES(SHORT)
TILES(INT)

typedef void (*Tile)(const Layer *, const uint8_t *, const uint8_t *const *, int32_t *);

#define TILES_OF(kind)                                                           \
    {{tile_##kind##_1_1, tile_##kind##_1_2}, {tile_##kind##_4_1, tile_##kind##_4_2}, \
     {tile_##kind##_8_1, tile_##kind##_8_2}}
static const Tile TILES_BY_KIND[3][3][2] = {
#if BYTES
    TILES_OF(BYTE),
#else
    {{0}},
#endif
    TILES_OF(SHORT), TILES_OF(INT)};

/* Sums of some rows (1, 4 or 8) for the vectors from `block` on: sums (rows,WIDE,LANES). */
static void products(const Layer *layer, int rows, int32_t block, const uint8_t *const *inputs, int32_t *sums) {
    int wide = layer->vectors - block < WIDE ? 1 : WIDE;
    size_t block_bytes = (size_t)layer->runs * (size_t)layer->steps * 4 * LANES;
    TILES_BY_KIND[layer->kind][rows / 4][wide - 1](layer, layer->weight + (size_t)block * block_bytes, inputs, sums);
}

/* How many rows to take together of those that are left. */
static int rows_together(size_t left) { return left >= ROWS && ROWS == 8 ? 8 : left >= 4 ? 4 : 1; }

static int32_t requantized(int32_t sum, int32_t shift, int32_t leaky, int32_t low, int32_t high) {
    int64_t value = sum;
    if (leaky && sum < 0) shift += LEAKY_SHIFT;
    if (shift > 0) value = (value + ((int64_t)1 << (shift - 1))) >> shift;
    if (shift < 0) value = value * ((int64_t)1 << -shift);
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* clamp(floor(act(sum) * 2^-shift + 1/2), low, high) of a vector of sums. */
INLINE ints requantize(const Layer *layer, int32_t vector, ints sum) {
    ints shift = load_ints(layer->shift + vector * LANES);
    if (__builtin_expect(layer->shifts_right, 1)) {
        if (layer->leaky) shift += (sum < 0) & LEAKY_SHIFT;
        sum = (sum + (((ints){0} + 1) << (shift - 1))) >> shift;
        return larger(smaller(sum, (ints){0} + layer->high), (ints){0} + layer->low);
    }
    for (int i = 0; i < LANES; i++)
        sum[i] = requantized(sum[i], shift[i], layer->leaky, layer->low, layer->high);
    return sum;
}

INLINE void store_kept(Kind kind, void *to, size_t index, ints kept) {
    if (kind == BYTE) store_bytes((uint8_t *)to + index, kept);
    if (kind == SHORT) store_shorts((int16_t *)to + index, kept);
    if (kind == INT) store_ints((int32_t *)to + index, kept);
}

/* Rows of inputs through a layer: row i's outputs are written to outputs[i], side by side, as
 * `format` keeps them. `bias` is what `bias_at` gives. */
static void run_layer(const Layer *layer, const int32_t *bias, size_t rows, const uint8_t *const *inputs,
                      Format format, uint8_t *const *outputs) {
    int32_t sums[8 * WIDE * LANES];
    for (size_t row = 0; row < rows;) {
        int together = rows_together(rows - row);
        for (int32_t block = 0; block < layer->vectors; block += WIDE) {
            products(layer, together, block, inputs + row, sums);
            for (int p = 0; p < together; p++) {
                for (int32_t v = block; v < layer->vectors && v < block + WIDE; v++) {
                    ints sum = load_ints(sums + (p * WIDE + v - block) * LANES) + load_ints(bias + v * LANES);
                    ints kept = requantize(layer, v, sum) - format.offset;
                    int32_t left = layer->outputs - v * LANES;
                    if (left >= LANES) {
                        store_kept(format.kind, outputs[row + (size_t)p], (size_t)v * LANES, kept);
                    } else {
                        for (int32_t i = 0; i < left; i++)
                            put(format.kind, outputs[row + (size_t)p], (size_t)(v * LANES + i), kept[i]);
                    }
                }
            }
        }
        row += (size_t)together;
    }
}

#endif
