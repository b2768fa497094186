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
#define UNROLL _Pragma("GCC unroll 4")
#define SHIFT_LIMIT 20
#define LEAKY_SHIFT 3
#define HIDDEN_LOW (-32) /* of hidden units of entropy models and pixel models */
#define HIDDEN_HIGH 223
#define OUTPUT_LIMIT 2047 /* of their outputs */
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
    int32_t bias_rows;
    const float *scale; /* (vectors,LANES): 2^-shift */
    float negative;     /* what negative sums are multiplied by: 1/8 where it is leaky, else 1 */
    float low, high;
    /* weights that were made smaller, lest sums of two products saturate: more steps for each vector */
    int32_t fixes;
    const int32_t *fix_at; /* (vectors,fixes) where they begin in the input, */
    const uint8_t *fix;    /* (vectors,fixes,LANES,4) and what the weights lack */
} Layer;

static int32_t element_bytes(Kind kind) { return 1 << kind; }
static int32_t elements_of_step(Kind kind) { return 4 >> kind; }
static int32_t padded_to_step(int32_t elements, Kind kind) {
    int32_t group = elements_of_step(kind);
    return (elements + group - 1) / group * group;
}

/* For inputs of layers that see one row at a time: reading weights takes longest, so bytes are
 * worth their fixes. 0 is always among what a format can hold: borders and unknown symbols are 0. */
static Format format_of_row(int32_t low, int32_t high) {
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

static Format format_of(int32_t low, int32_t high) {
    Format format = format_of_row(low, high);
    return PAIR_LIMIT != 0 && format.kind == BYTE ? (Format){SHORT, 0, low, high} : format;
}

static int32_t whole_vectors(int32_t lanes) { return (lanes + LANES - 1) / LANES * LANES; }

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

/* Every element of some bytes becomes 0, as the format keeps it. */
static void fill_zeros(Format format, void *to, size_t count) {
    memset(to, format.kind == BYTE ? (uint8_t)-format.offset : 0, count);
}

/* MAKING ONE */

/* Rows of some numbers, each padded by zeros. */
static const int32_t *copy_padded(Arena *arena, const int32_t *from, int32_t rows, int32_t count, int32_t padded) {
    int32_t *copy = take(arena, (size_t)rows * (size_t)padded, sizeof *copy);
    for (int32_t i = 0; copy != NULL && i < rows * padded; i++)
        copy[i] = i % padded < count ? from[i / padded * count + i % padded] : 0;
    return copy;
}

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
    int32_t narrow; /* elements from this one on are kept below 64, where it is not 0 */
    int32_t first, all_outputs; /* which of all the outputs of an array are the layer's */
    const int32_t *order; /* (outputs,) the layer's output at each lane, or NULL */
    int32_t leaky, low, high;
    const Layer *like; /* a layer of the same arrays, whose weights are read where they are; or NULL */
} LayerPlan;

static const int32_t NO_OFFSET[1] = {0}; /* of a dense layer's only run */

/* Of a dense layer, whose context is its cn_dense. */
static int32_t dense_weight(const void *context, int32_t output, int32_t run, int32_t element) {
    const cn_dense *dense = context;
    (void)run;
    return element < dense->inputs ? dense->weight[(size_t)output * (size_t)dense->inputs + (size_t)element] : 0;
}

static int32_t output_at(const LayerPlan *plan, int32_t lane) {
    return plan->order == NULL ? lane : plan->order[lane];
}

/* How far the weights of an element and of the one before are beyond what a variant can add up. */
static int32_t beyond_limit(const LayerPlan *plan, int32_t element, int32_t before, int32_t weight) {
    Format input = plan->input;
    if (PAIR_LIMIT == 0 || input.kind != BYTE || (weight < 0) != (before < 0)) return 0;
    if (plan->narrow != 0 && element > plan->narrow) return 0;
    int32_t largest = (input.high > 0 ? input.high : 0) - input.offset, both = before + weight;
    int32_t limit = PAIR_LIMIT / (largest > 1 ? largest : 1);
    return both > limit ? both - limit : both < -limit ? both + limit : 0;
}

static int32_t weight_of(const LayerPlan *plan, int32_t lane, int32_t run, int32_t element) {
    return lane < plan->outputs ? plan->weight_at(plan->context, output_at(plan, lane), run, element) : 0;
}

/* Gives how many weights of a vector are made smaller; tells what they lack where `fix` is given. A
 * layer that has an order must not need any: while memory is counted, there is no order. */
static int32_t find_fixes(const LayerPlan *plan, int32_t vector, int32_t *fix_at, uint8_t *fix) {
    int32_t count = 0;
    if (PAIR_LIMIT == 0 || plan->input.kind != BYTE) return 0;
    for (int32_t lane = 0; lane < LANES; lane++) {
        for (int32_t i = 1; i < plan->runs * plan->elements; i += 2) {
            int32_t run = i / plan->elements, element = i % plan->elements, row = vector * LANES + lane;
            int32_t beyond = beyond_limit(plan, element, weight_of(plan, row, run, element - 1),
                                          weight_of(plan, row, run, element));
            if (beyond != 0 && fix != NULL) {
                fix_at[count] = plan->offsets[run] + element / 4 * 4;
                fix[(count * LANES + lane) * 4 + element % 4] = (uint8_t)beyond;
            }
            count += beyond != 0;
        }
    }
    return count;
}

static void pack_weights(const LayerPlan *plan, uint8_t *weight, int32_t *fold) {
    int32_t group = elements_of_step(plan->input.kind), vectors = (plan->outputs + LANES - 1) / LANES;
    for (int32_t block = 0; block < vectors; block += WIDE) {
        int32_t wide = vectors - block < WIDE ? vectors - block : WIDE;
        for (int32_t run = 0; run < plan->runs; run++) {
            for (int32_t step = 0; step < plan->elements / group; step++) {
                for (int32_t lane = block * LANES; lane < (block + wide) * LANES; lane++, weight += 4) {
                    for (int32_t i = 0; i < group; i++) {
                        int32_t element = step * group + i, value = weight_of(plan, lane, run, element);
                        fold[lane] += value * plan->input.offset;
                        if (i % 2 == 1)
                            value -= beyond_limit(plan, element, weight_of(plan, lane, run, element - 1), value);
                        put(plan->input.kind, weight, (size_t)i, value);
                    }
                }
            }
        }
    }
}

static float two_to_minus(int32_t shift) { return shift < 0 ? (float)(1 << -shift) : 1 / (float)(1 << shift); }

/* A layer that differs from another one by where its inputs lie alone. */
static void make_like(Arena *arena, const LayerPlan *plan, Layer *layer) {
    const Layer *like = plan->like;
    int32_t *offsets = take(arena, (size_t)plan->runs, sizeof *offsets);
    if (like->outputs != plan->outputs || like->kind != plan->input.kind || like->runs != plan->runs || like->fixes != 0 ||
        like->steps != plan->elements / elements_of_step(plan->input.kind))
        arena->failed = 1;
    if (layer == NULL || offsets == NULL || arena->failed) return;
    memcpy(offsets, plan->offsets, (size_t)plan->runs * sizeof *offsets);
    *layer = *like;
    layer->offsets = offsets;
}

static void make_layer(Arena *arena, const LayerPlan *plan, Layer *layer) {
    if (plan->like != NULL) {
        make_like(arena, plan, layer);
        return;
    }
    int32_t vectors = (plan->outputs + LANES - 1) / LANES, lanes = vectors * LANES;
    size_t steps = (size_t)(plan->elements / elements_of_step(plan->input.kind));
    int32_t *offsets = take(arena, (size_t)plan->runs, sizeof *offsets);
    uint8_t *weight = take(arena, (size_t)plan->runs * steps, (size_t)lanes * 4);
    int32_t *bias = take(arena, (size_t)plan->bias_rows * (size_t)lanes, sizeof *bias);
    int32_t *fold = take(arena, (size_t)lanes, sizeof *fold);
    float *scale = take(arena, (size_t)lanes, sizeof *scale);
    int32_t fixes = 0;
    for (int32_t v = 0; v < vectors; v++) {
        int32_t count = find_fixes(plan, v, NULL, NULL);
        fixes = count > fixes ? count : fixes;
    }
    int32_t *fix_at = take(arena, (size_t)vectors * (size_t)fixes, sizeof *fix_at);
    uint8_t *fix = take(arena, (size_t)vectors * (size_t)fixes, sizeof(ints));
    if (layer == NULL || fix == NULL || arena->failed) return;
    memset(fix_at, 0, (size_t)vectors * (size_t)fixes * sizeof *fix_at);
    memset(fix, 0, (size_t)vectors * (size_t)fixes * sizeof(ints));
    for (int32_t v = 0; v < vectors; v++) find_fixes(plan, v, fix_at + v * fixes, fix + v * fixes * LANES * 4);
    *layer = (Layer){.outputs = plan->outputs, .vectors = vectors, .kind = plan->input.kind,
                     .runs = plan->runs, .steps = (int32_t)steps, .offsets = offsets,
                     .weight = weight, .bias = bias, .fold = fold, .scale = scale,
                     .fixes = fixes, .fix_at = fix_at, .fix = fix,
                     .bias_rows = plan->bias_rows, .negative = plan->leaky ? 1.0f / (1 << LEAKY_SHIFT) : 1,
                     .low = (float)plan->low, .high = (float)plan->high};
    memcpy(offsets, plan->offsets, (size_t)plan->runs * sizeof *offsets);
    memset(bias, 0, (size_t)plan->bias_rows * (size_t)lanes * sizeof *bias);
    for (int32_t lane = 0; lane < lanes; lane++) {
        fold[lane] = 0;
        scale[lane] = 1;
    }
    for (int32_t lane = 0; lane < plan->outputs; lane++) {
        int32_t output = plan->first + output_at(plan, lane);
        if (plan->shift[output] > SHIFT_LIMIT || plan->shift[output] < -SHIFT_LIMIT) arena->failed = 1;
        else scale[lane] = two_to_minus(plan->shift[output]);
        for (int32_t row = 0; row < plan->bias_rows; row++)
            bias[row * lanes + lane] = plan->bias[(size_t)row * (size_t)plan->all_outputs + (size_t)output];
    }
    pack_weights(plan, weight, fold);
}

/* A dense layer of hidden units, or of outputs, over hidden units. */
static LayerPlan dense_plan(const cn_dense *dense, Format input, int is_output) {
    return (LayerPlan){.outputs = dense->outputs, .input = input, .runs = 1,
                       .elements = padded_to_step(dense->inputs, input.kind), .offsets = NO_OFFSET,
                       .weight_at = dense_weight, .context = dense, .bias_rows = dense->bias_rows,
                       .bias = dense->bias, .shift = dense->shift, .all_outputs = dense->outputs,
                       .leaky = !is_output, .low = is_output ? -OUTPUT_LIMIT : HIDDEN_LOW,
                       .high = is_output ? OUTPUT_LIMIT : HIDDEN_HIGH};
}

static void make_dense(Arena *arena, const cn_dense *dense, Format input, int is_output, Layer *layer) {
    LayerPlan plan = dense_plan(dense, input, is_output);
    make_layer(arena, &plan, layer);
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

/* Products of `rows` rows of inputs with `wide` vectors of outputs, from `block` on, added to
 * nothing; more than WIDE vectors are two blocks. */
INLINE void tile(Kind kind, int rows, int wide, const Layer *layer, int32_t block, const uint8_t *const *inputs,
                 int32_t *sums) {
    ints sum[8][2 * WIDE];
    size_t block_bytes = (size_t)layer->runs * (size_t)layer->steps * 4 * LANES * WIDE;
    const uint8_t *weight = layer->weight + (size_t)(block / WIDE) * block_bytes;
    for (int p = 0; p < rows; p++)
        for (int v = 0; v < wide; v++) sum[p][v] = (ints){0};
    for (int32_t run = 0; run < layer->runs; run++) {
        ptrdiff_t at = (ptrdiff_t)layer->offsets[run] * element_bytes(kind);
        UNROLL for (int32_t step = 0; step < layer->steps; step++, at += 4) {
            ints w[2 * WIDE];
            for (int v = 0; v < wide; v++)
                w[v] = load_ints(weight + (size_t)(v / WIDE) * block_bytes + 4 * LANES * (v % WIDE));
            weight += 4 * LANES * (wide < WIDE ? wide : WIDE);
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
#if BYTES
    for (int32_t f = 0; PAIR_LIMIT != 0 && kind == BYTE && f < layer->fixes; f++) {
        for (int v = 0; v < wide; v++) {
            int32_t number = (block + v) * layer->fixes + f;
            ints w = load_ints(layer->fix + 4 * LANES * number);
            for (int p = 0; p < rows; p++)
                sum[p][v] = dot_bytes(sum[p][v], broadcast(inputs[p] + layer->fix_at[number]), w);
        }
    }
#endif
    for (int p = 0; p < rows; p++)
        for (int v = 0; v < wide; v++) store_ints(sums + (p * WIDE + v) * LANES, sum[p][v]);
}

/* One function for each tile, each apart from the rest, so that sums stay in registers. */
#define TILE(kind, rows, wide)                                                                               \
    static __attribute__((noinline)) void tile_##kind##_##rows##_##wide(                                     \
        const Layer *layer, int32_t block, const uint8_t *const *inputs, int32_t *sums) {                    \
        tile(kind, rows, wide, layer, block, inputs, sums);                                                  \
    }
#define TILES(kind)                                                                               \
    TILE(kind, 1, 1) TILE(kind, 1, 2) TILE(kind, 1, 4)                                            \
    TILE(kind, 4, 1) TILE(kind, 4, 2) TILE(kind, 8, 1) TILE(kind, 8, 2)
#if BYTES
TILES(BYTE)
#endif
TILES(SHORT)
TILES(INT)

typedef void (*Tile)(const Layer *, int32_t, const uint8_t *const *, int32_t *);

#define TILES_OF(kind)                                                                                  \
    {{tile_##kind##_1_1, tile_##kind##_1_2, tile_##kind##_1_4}, {tile_##kind##_4_1, tile_##kind##_4_2}, \
     {tile_##kind##_8_1, tile_##kind##_8_2}}
static const Tile TILES_BY_KIND[3][3][3] = {
#if BYTES
    TILES_OF(BYTE),
#else
    {{0}},
#endif
    TILES_OF(SHORT), TILES_OF(INT)};

/* Sums of some rows (1, 4 or 8) for the vectors from `block` on, at most `most` of them (WIDE, and
 * for one row twice as many): sums (rows,WIDE,LANES). Gives their number. */
static int32_t products_of(const Layer *layer, int rows, int32_t block, int32_t most, const uint8_t *const *inputs,
                           int32_t *sums) {
    int32_t left = layer->vectors - block, wide = left < WIDE ? 1 : left < most ? WIDE : most;
    TILES_BY_KIND[layer->kind][rows / 4][wide / 2](layer, block, inputs, sums);
    return wide;
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

/* clamp(floor(act(sum) * 2^-shift + 1/2), low, high) of a vector of sums. In float32, which gives
 * what integers give: FORMAT.md, "Exactness". Few CPUs can shift each lane by its own number. */
INLINE ints requantize(const Layer *layer, int32_t vector, ints sum) {
    floats x = __builtin_convertvector(sum, floats) * load_floats(layer->scale + vector * LANES);
    x = larger_float(x, x * splat(layer->negative)) + 0.5f;
    return floor_of(larger_float(smaller_float(x, splat(layer->high)), splat(layer->low)));
}

INLINE void store_kept(Kind kind, void *to, size_t index, ints kept) {
    if (kind == BYTE) store_bytes((uint8_t *)to + index, kept);
    if (kind == SHORT) store_shorts((int16_t *)to + index, kept);
    if (kind == INT) store_ints((int32_t *)to + index, kept);
}

INLINE void store_kept_4(Kind kind, void *to, size_t index, const ints *kept) {
    if (kind == BYTE) store_bytes_4((uint8_t *)to + index, kept);
    else
        for (int i = 0; i < 4; i++) store_kept(kind, to, index + (size_t)(i * LANES), kept[i]);
}

/* Vectors of sums, from `first` to `last`, through the bias and the activation to where they go. */
INLINE void store_outputs(Kind kind, const Layer *layer, int32_t first, int32_t last, const int32_t *sums,
                          const int32_t *bias, int32_t offset, uint8_t *output) {
    const Layer local = {.outputs = layer->outputs, .scale = layer->scale, .negative = layer->negative,
                         .low = layer->low, .high = layer->high}; /* which no store can change */
    int32_t v = first;
    if (last - v == 4 && local.outputs >= last * LANES) {
        ints kept[4];
        for (int i = 0; i < 4; i++, v++)
            kept[i] = requantize(&local, v, load_ints(sums + i * LANES) + load_ints(bias + v * LANES)) - offset;
        store_kept_4(kind, output, (size_t)(first * LANES), kept);
    }
    for (; v < last; v++, sums += LANES) {
        ints kept = requantize(&local, v, load_ints(sums) + load_ints(bias + v * LANES)) - offset;
        if (local.outputs - v * LANES >= LANES) store_kept(kind, output, (size_t)(v * LANES), kept);
        else
            for (int32_t i = v * LANES; i < local.outputs; i++) put(kind, output, (size_t)i, kept[i - v * LANES]);
    }
}

/* Rows of inputs through a layer: row i's outputs are written to outputs[i], side by side, as
 * `format` keeps them. `bias` is what `bias_at` gives. */
static void run_layer(const Layer *layer, const int32_t *bias, size_t rows, const uint8_t *const *inputs,
                      Format format, uint8_t *const *outputs) {
    int32_t sums[8 * WIDE * LANES];
    for (size_t row = 0; row < rows;) {
        int together = rows_together(rows - row);
        for (int32_t block = 0, next; block < layer->vectors; block = next) {
            next = block + products_of(layer, together, block, together == 1 ? 2 * WIDE : WIDE, inputs + row, sums);
            for (int p = 0; p < together; p++) {
                const int32_t *from = sums + p * WIDE * LANES;
                uint8_t *output = outputs[row + (size_t)p];
                if (format.kind == BYTE) store_outputs(BYTE, layer, block, next, from, bias, format.offset, output);
                if (format.kind == SHORT) store_outputs(SHORT, layer, block, next, from, bias, format.offset, output);
                if (format.kind == INT) store_outputs(INT, layer, block, next, from, bias, format.offset, output);
            }
        }
        row += (size_t)together;
    }
}

#endif
