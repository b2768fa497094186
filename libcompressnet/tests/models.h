/* models.h - small pseudo-random networks and models within the bounds of FORMAT.md, "Exactness"
 *
 * The same seed gives the same model everywhere: no expression draws two numbers, as their order
 * would be the compiler's choice. Who includes this defines `room`, which gives memory for a
 * model's arrays.
 */
#ifndef CN_TEST_MODELS_H
#define CN_TEST_MODELS_H

#include <string.h>

#include "compressnet.h"

#define QUALITIES 100
#define MOST_NODES 10
#define MOST_VALUES 2000 /* of a register */

static void *room(size_t bytes);

typedef struct Random {
    uint64_t state;
} Random;

/* SplitMix64. */
static uint32_t draw(Random *r) {
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(z >> 32);
}

static int32_t between(Random *r, int32_t low, int32_t high) {
    return low + (int32_t)(draw(r) % ((uint32_t)(high - low) + 1));
}

static int32_t magnitude(int32_t low, int32_t high) { return -low > high ? -low : high; }

/* NUMBERS */

static int32_t *ints_of(Random *r, int32_t count, int32_t low, int32_t high) {
    int32_t *made = room((size_t)count * sizeof *made);
    for (int32_t i = 0; i < count; i++) made[i] = between(r, low, high);
    return made;
}

static int16_t *shorts_of(Random *r, int32_t count, int32_t low, int32_t high) {
    int16_t *made = room((size_t)count * sizeof *made);
    for (int32_t i = 0; i < count; i++) made[i] = (int16_t)between(r, low, high);
    return made;
}

static int8_t *bytes_of(Random *r, int32_t count, int32_t low, int32_t high) {
    int8_t *made = room((size_t)count);
    for (int32_t i = 0; i < count; i++) made[i] = (int8_t)between(r, low, high);
    return made;
}

/* Weights whose sum of products with `inputs` values up to `largest` stays below 2^23. Some rows
 * of them are as large as may be. */
static int8_t *weights_of(Random *r, int32_t count, int32_t inputs, int32_t largest) {
    int64_t most = (INT64_C(1) << 23) / ((int64_t)(inputs + 1) * (largest + 1));
    int32_t limit = most > 128 ? 128 : (int32_t)most, extreme = 0;
    int8_t *made = room((size_t)count);
    for (int32_t i = 0; i < count; i++) {
        int32_t weight = between(r, -limit, limit);
        if (i % 8 == 0) extreme = between(r, 0, 7) == 0;
        if (extreme) weight = weight < 0 ? -limit : limit;
        made[i] = (int8_t)(weight > 127 ? 127 : weight);
    }
    return made;
}

static int32_t *biases_of(Random *r, int32_t count) {
    int32_t limit = 1 << between(r, 4, 20);
    return ints_of(r, count, -limit, limit);
}

/* Mostly such as leave something of the sums; now and then all that are allowed. */
static int8_t *shifts_of(Random *r, int32_t count) {
    int32_t how = between(r, 0, 7);
    if (how == 0) return bytes_of(r, count, -20, 20);
    if (how == 1) return bytes_of(r, count, -2, 6);
    return bytes_of(r, count, 3, 14);
}

/* Cuts `count` into at most `most` parts, none of them below `least`. */
static int32_t *parts_of(Random *r, int32_t count, int32_t most, int32_t least, int32_t *parts) {
    int32_t *made = room((size_t)most * sizeof *made);
    for (*parts = 0; *parts < most - 1 && count > least; count -= made[(*parts)++])
        made[*parts] = between(r, least, count - 1);
    made[(*parts)++] = count;
    return made;
}

static const int32_t RANGES[][2] = {{-32, 223},   {0, 255},         {-128, 127},          {5, 17},
                                    {-2047, 2047}, {-30000, 32767}, {-40000, 30000}, {-1048576, 1048576}};
#define RANGE_COUNT 8

static void range_of(Random *r, int32_t *low, int32_t *high) {
    const int32_t *range = RANGES[between(r, 0, RANGE_COUNT - 1)];
    *low = range[0];
    *high = range[1];
}

/* NETWORKS */

typedef struct RandomProgram {
    cn_program program;
    cn_node nodes[MOST_NODES];
} RandomProgram;

static const int32_t *shape_at(const RandomProgram *p, int32_t i) {
    return i == 0 ? p->program.shape : p->nodes[i - 1].shape;
}
static int32_t low_at(const RandomProgram *p, int32_t i) { return i == 0 ? p->program.low : p->nodes[i - 1].low; }
static int32_t high_at(const RandomProgram *p, int32_t i) { return i == 0 ? p->program.high : p->nodes[i - 1].high; }
static int32_t values_at(const RandomProgram *p, int32_t i) {
    const int32_t *s = shape_at(p, i);
    return s[0] * s[1] * s[2];
}

static int set_shape(cn_node *node, int32_t channels, int32_t height, int32_t width) {
    node->shape[0] = channels;
    node->shape[1] = height;
    node->shape[2] = width;
    return channels >= 1 && height >= 1 && width >= 1 && channels * height * width <= MOST_VALUES;
}

static void set_attributes(cn_node *node, int32_t a, int32_t b, int32_t c) {
    node->attributes[0] = a;
    node->attributes[1] = b;
    node->attributes[2] = c;
}

static int make_product(Random *r, const RandomProgram *p, cn_node *node, int32_t from) {
    const int32_t *in = shape_at(p, from);
    int32_t outputs = between(r, 1, 40), inputs = values_at(p, from);
    if (!set_shape(node, outputs, 1, 1)) return 0;
    if (node->op == CN_CONV) {
        int32_t stride = between(r, 1, 2), padding = between(r, 0, 2);
        int32_t height = node->kernel[0] = between(r, 1, 4), width = node->kernel[1] = between(r, 1, 4);
        set_attributes(node, stride, padding, 0);
        if (in[1] + 2 * padding < height || in[2] + 2 * padding < width) return 0;
        inputs = in[0] * height * width;
        if (!set_shape(node, outputs, (in[1] + 2 * padding - height) / stride + 1,
                       (in[2] + 2 * padding - width) / stride + 1))
            return 0;
    }
    range_of(r, &node->low, &node->high);
    node->leaky = between(r, 0, 1);
    node->weight = weights_of(r, outputs * inputs, inputs, magnitude(low_at(p, from), high_at(p, from)));
    node->bias_rows = between(r, 0, 1) ? 1 : 12;
    node->bias = biases_of(r, node->bias_rows * outputs);
    node->shift = shifts_of(r, outputs);
    return 1;
}

static int make_gain(Random *r, const RandomProgram *p, cn_node *node, int32_t from) {
    const int32_t *in = shape_at(p, from);
    if (in[1] * in[2] != 1 || !set_shape(node, in[0], 1, 1)) return 0;
    int32_t limit = ((1 << 24) - 1) / (magnitude(low_at(p, from), high_at(p, from)) + 1);
    if (limit > INT16_MAX) limit = INT16_MAX;
    node->repeats = parts_of(r, in[0], 4, 0, &node->segments);
    node->table = shorts_of(r, QUALITIES * node->segments, -limit, limit);
    node->bound = between(r, 0, 1) ? shorts_of(r, QUALITIES * node->segments, 0, 300) : NULL;
    node->shift = shifts_of(r, 1);
    range_of(r, &node->low, &node->high);
    return 1;
}

static int make_add(Random *r, const RandomProgram *p, cn_node *node, int32_t from, int32_t *input, int32_t count) {
    const int32_t *in = shape_at(p, from);
    int32_t other = between(r, 0, count);
    if (memcmp(in, shape_at(p, other), 3 * sizeof *in) != 0) other = from;
    input[1] = other;
    node->inputs = 2;
    node->leaky = between(r, 0, 1);
    range_of(r, &node->low, &node->high);
    return set_shape(node, in[0], in[1], in[2]);
}

/* Nodes that only move values: their range is that of what they read. */
static int make_move(Random *r, const RandomProgram *p, cn_node *node, int32_t from, int32_t *input, int32_t count) {
    const int32_t *in = shape_at(p, from);
    int32_t f = between(r, 1, 3), sum = 0, a, b;
    node->low = low_at(p, from);
    node->high = high_at(p, from);
    switch (node->op) {
    case CN_CONCAT:
        node->inputs = between(r, 1, 3);
        for (int32_t i = 0; i < node->inputs; i++) {
            if (i > 0) input[i] = between(r, 0, count);
            int32_t low = low_at(p, input[i]), high = high_at(p, input[i]);
            if (low < node->low) node->low = low;
            if (high > node->high) node->high = high;
            sum += values_at(p, input[i]);
        }
        return set_shape(node, sum, 1, 1);
    case CN_SLICE:
        a = between(r, 0, in[0] - 1);
        b = between(r, a + 1, in[0]);
        set_attributes(node, a, b, 0);
        return in[1] * in[2] == 1 && set_shape(node, b - a, 1, 1);
    case CN_RESHAPE:
        a = in[0] % 4 == 0 ? in[0] / 4 : in[2];
        b = in[0] % 4 == 0 ? 2 * in[1] : in[0];
        set_attributes(node, a, b, values_at(p, from) / (a * b));
        return set_shape(node, a, b, values_at(p, from) / (a * b));
    case CN_SHUFFLE:
        set_attributes(node, f, 0, 0);
        return in[0] % (f * f) == 0 && set_shape(node, in[0] / (f * f), in[1] * f, in[2] * f);
    case CN_UNSHUFFLE:
        set_attributes(node, f, 0, 0);
        return in[1] % f == 0 && in[2] % f == 0 && set_shape(node, in[0] * f * f, in[1] / f, in[2] / f);
    case CN_CROP:
        a = between(r, 1, in[1]);
        b = between(r, 1, in[2]);
        set_attributes(node, a, b, 0);
        return set_shape(node, in[0], node->attributes[0], node->attributes[1]);
    default: /* CN_EXTEND */
        a = between(r, 0, in[1]);
        b = between(r, 0, in[2]);
        set_attributes(node, a, b, 0);
        return set_shape(node, in[0], in[1] + node->attributes[0], in[2] + node->attributes[1]);
    }
}

/* A node after `count` others, or 0 where the one that was drawn does not fit. */
static int make_node(Random *r, const RandomProgram *p, int32_t count, cn_node *node) {
    int32_t *input = room(4 * sizeof *input), from = between(r, 0, 3) ? count : between(r, 0, count);
    memset(node, 0, sizeof *node);
    input[0] = from;
    node->input = input;
    node->inputs = 1;
    node->op = between(r, 0, 2) ? between(r, 0, CN_EXTEND) : CN_CONV;
    if (node->op == CN_CONV || node->op == CN_DENSE) return make_product(r, p, node, from);
    if (node->op == CN_GAIN) return make_gain(r, p, node, from);
    if (node->op == CN_ADD) return make_add(r, p, node, from, input, count);
    return make_move(r, p, node, from, input, count);
}

static void random_program(Random *r, RandomProgram *p) {
    int32_t is_vector = between(r, 0, 2) == 0;
    int32_t *shape = &p->program.shape[0];
    shape[0] = is_vector ? between(r, 1, 60) : between(r, 1, 8);
    shape[1] = is_vector ? 1 : between(r, 1, 9);
    shape[2] = is_vector ? 1 : between(r, 1, 9);
    range_of(r, &p->program.low, &p->program.high);
    p->program.like = NULL;
    p->program.nodes = p->nodes;
    p->program.count = between(r, 1, MOST_NODES);
    for (int32_t i = 0; i < p->program.count;) i += make_node(r, p, i, &p->nodes[i]);
}

/* LAYERS OF MODELS */

static cn_dense random_dense(Random *r, int32_t outputs, int32_t inputs, int32_t rows) {
    cn_dense dense = {.outputs = outputs, .inputs = inputs, .bias_rows = rows};
    dense.weight = weights_of(r, outputs * inputs, inputs, 223);
    dense.bias = biases_of(r, rows * outputs);
    dense.shift = shifts_of(r, outputs);
    return dense;
}

/* ENTROPY MODELS */

/* A sigmoid, its steps, and weights: not those of codecs, but as large. */
static void random_tables(Random *r, cn_prior_model *m) {
    uint16_t *cdf = room(3073 * sizeof *cdf);
    int32_t *reciprocal = room(81 * sizeof *reciprocal);
    uint8_t *weight = room(256);
    for (int32_t i = 0, z = -1536; z <= 1536; i++, z++)
        cdf[i] = (uint16_t)(32768 + 33000 * z / ((z < 0 ? -z : z) + 40));
    cdf[0] = 0;
    for (int32_t i = 0; i < 81; i++) reciprocal[i] = ((1 << 17) - (i % 8 << 13)) >> i / 8;
    for (int32_t i = 0; i < 256; i++) weight[i] = (uint8_t)between(r, 0, 255);
    m->cdf = cdf;
    m->reciprocal = reciprocal;
    m->weight = weight;
}

static int16_t *random_bounds(Random *r, int32_t groups) {
    int16_t *bound = shorts_of(r, QUALITIES * groups, 0, 127);
    for (int32_t q = 0; q < QUALITIES; q++) {
        int32_t active = between(r, 0, 2) ? groups : between(r, 0, groups), small = between(r, 0, 2);
        for (int32_t g = 0; g < groups; g++) {
            int16_t *one = &bound[q * groups + g];
            if (small) *one %= 5;
            if (g >= active) *one = 0;
        }
    }
    return bound;
}

static void random_masked(Random *r, cn_prior_model *m, int32_t largest) {
    int32_t *order = room((size_t)m->symbols * sizeof *order), units = 0, parts;
    for (int32_t i = 0; i < m->symbols; i++) {
        int32_t k = between(r, 0, i);
        order[i] = order[k];
        order[k] = i;
    }
    m->order = order;
    m->group_symbols = parts_of(r, m->symbols, 5, 1, &parts);
    m->groups = parts;
    m->group_units = ints_of(r, m->groups, 1, 12);
    for (int32_t g = 0; g < m->groups; g++) units += m->group_units[g];
    for (int k = 0; k < 3; k++) {
        int32_t outputs = k < 2 ? units : 5 * m->symbols, inputs = k == 0 ? m->symbols : units;
        m->masked[k] = random_dense(r, outputs, inputs, between(r, 0, 1) ? 1 : 12);
        m->masked[k].inputs = 0;
        if (k == 0) m->masked[k].weight = weights_of(r, outputs * inputs, inputs, largest);
    }
}

static cn_slice random_slice(Random *r, const cn_prior_model *m, int32_t channels, int32_t known, int32_t phases,
                             int32_t largest) {
    int32_t units = between(r, 1, 20), far = 1 << 18;
    cn_slice s = {.channels = channels, .units = units};
    s.weight = weights_of(r, units * known * 9, known * 9, largest);
    s.bias = biases_of(r, 12 * units);
    s.phase = ints_of(r, phases * units, -far, far);
    s.row = ints_of(r, m->grid[1] * units, -far, far);
    s.column = ints_of(r, m->grid[2] * units, -far, far);
    s.shift = shifts_of(r, units);
    s.hidden = random_dense(r, units, units, 1);
    s.output = random_dense(r, 5 * channels, units, 1);
    return s;
}

/* The symbols of some channels in every step-th row and column from a first one. Gives how many. */
static int32_t append_places(const int32_t *grid, const int32_t channels[2], const int32_t first[2], int32_t step,
                             int32_t *order) {
    int32_t count = 0;
    for (int32_t c = channels[0]; c < channels[1]; c++)
        for (int32_t y = first[0]; y < grid[1]; y += step)
            for (int32_t x = first[1]; x < grid[2]; x += step) order[count++] = (c * grid[1] + y) * grid[2] + x;
    return count;
}

static void random_context(Random *r, cn_prior_model *m, int32_t largest) {
    static const int32_t FIRST[4][2] = {{0, 0}, {1, 1}, {0, 1}, {1, 0}};
    int32_t known = 0, at = 0;
    int32_t *parts = parts_of(r, m->grid[0], 3, 1, &m->slices), *order = room((size_t)m->symbols * sizeof *order);
    int32_t *counts = room((size_t)(4 * m->slices + 60) * sizeof *counts);
    cn_slice *slices = room((size_t)(m->slices + 1) * sizeof *slices);
    int has_pyramid = between(r, 0, 1);
    m->groups = 0;
    for (int32_t i = 0; i < m->slices; i++) {
        int32_t channels[2] = {known, known + parts[i]}, step = 2;
        while (has_pyramid && i == 0 && (step < m->grid[1] || step < m->grid[2])) step *= 2;
        counts[m->groups++] = append_places(m->grid, channels, FIRST[0], step, order + at);
        at += counts[m->groups - 1];
        for (; step > 1; step /= 2) {
            for (int p = 1; p < 4; p++) {
                int32_t first[2] = {FIRST[p][0] * step / 2, FIRST[p][1] * step / 2};
                int32_t count = append_places(m->grid, channels, first, step, order + at);
                if (count > 0) counts[m->groups++] = count;
                at += count;
            }
        }
        known += parts[i];
        slices[i] = random_slice(r, m, parts[i], known, 4, largest);
    }
    if (has_pyramid) {
        slices[m->slices] = random_slice(r, m, parts[0], parts[0], 13, largest);
        m->pyramid = &slices[m->slices];
    }
    m->order = order;
    m->group_symbols = counts;
    m->slice = slices;
}

static void random_prior(Random *r, int is_masked, cn_prior_model *m) {
    *m = (cn_prior_model){.symbols = between(r, 1, 60)};
    m->shift = between(r, 0, 12);
    range_of(r, &m->low, &m->high);
    if (!is_masked) {
        for (int i = 0; i < 3; i++) m->grid[i] = between(r, i == 0 ? 1 : 2, i == 0 ? 6 : 11);
        m->symbols = m->grid[0] * m->grid[1] * m->grid[2];
    }
    m->repeats = parts_of(r, m->symbols, m->symbols < 4 ? m->symbols : 4, 0, &m->segments);
    m->table = shorts_of(r, QUALITIES * m->segments, -3000, INT16_MAX);
    m->inverse_gain = shorts_of(r, QUALITIES * m->segments, 0, 8191);
    m->scale_offset = shorts_of(r, QUALITIES * m->segments, -100, 100);
    random_tables(r, m);
    if (is_masked) random_masked(r, m, magnitude(m->low, m->high));
    else random_context(r, m, magnitude(m->low, m->high));
    m->bound = random_bounds(r, m->groups);
}

/* PIXEL MODELS */

/* A template of up to `most` rows. Gives how many neighbours it has. */
static int32_t random_template(Random *r, int32_t least, int32_t most, int causal, const int8_t **rows, int32_t *count) {
    int32_t neighbours = 0, reach = between(r, 0, 3) ? 3 : 8;
    *count = between(r, least, most);
    int8_t *made = room((size_t)(3 * *count));
    for (int32_t i = 0; i < *count; i++) {
        int32_t dy = between(r, -reach, causal ? 0 : reach), first = between(r, -reach, causal && dy == 0 ? -1 : reach);
        int32_t last = between(r, first, causal && dy == 0 ? -1 : reach);
        made[3 * i] = (int8_t)dy;
        made[3 * i + 1] = (int8_t)first;
        made[3 * i + 2] = (int8_t)last;
        neighbours += last - first + 1;
    }
    *rows = made;
    return neighbours;
}

static void random_layers(Random *r, cn_plane *p, int32_t inputs) {
    cn_dense *layers = room(3 * sizeof *layers);
    p->layers = between(r, 1, 3);
    for (int32_t i = 0; i < p->layers; i++) {
        layers[i] = random_dense(r, between(r, 1, 50), inputs, 1);
        inputs = layers[i].outputs;
    }
    p->layer = layers;
    p->flag = random_dense(r, 1, inputs, 1);
    p->high = random_dense(r, 16, inputs, 1);
    int32_t outputs = between(r, 1, 20);
    p->low1 = random_dense(r, outputs, inputs + (between(r, 0, 1) ? 28 : 12), 16);
    p->low2 = random_dense(r, 16, p->low1.outputs, 1);
}

static cn_plane random_plane(Random *r, const cn_pixel_model *m, int32_t number) {
    cn_plane p = {.background = between(r, 0, 1) ? between(r, 0, 255) : 0};
    int32_t rows = m->height == 0 ? 1 : m->height, columns = m->width == 0 ? 1 : m->width, far = 1 << 18;
    p.near_columns = between(r, 0, 5);
    p.far_columns = between(r, 0, 5);
    p.across_columns = number == 0 ? 0 : between(r, 0, 3);
    p.seen_columns = between(r, 0, 9);
    int32_t inputs = p.seen_columns;
    inputs += random_template(r, 0, 5, 1, &p.near, &p.near_rows) * p.near_columns;
    inputs += random_template(r, 1, 5, 1, &p.far, &p.far_rows) * p.far_columns;
    inputs += random_template(r, 0, number == 0 ? 0 : 3, 0, &p.across, &p.across_rows) * number * p.across_columns;
    p.near_table = bytes_of(r, 257 * p.near_columns, -128, 127);
    p.far_table = bytes_of(r, 257 * p.far_columns, -128, 127);
    p.across_table = bytes_of(r, number * 257 * p.across_columns, -128, 127);
    p.seen_table = bytes_of(r, 257 * p.seen_columns, -128, 127);
    p.seen_bias = ints_of(r, p.seen_columns, -4000, 4000);
    p.seen_shift = shifts_of(r, p.seen_columns);
    random_layers(r, &p, inputs);
    p.row = ints_of(r, rows * p.layer[0].outputs, -far, far);
    p.column = ints_of(r, columns * p.layer[0].outputs, -far, far);
    p.quiet = ints_of(r, rows * columns, 1, (1 << 24) - 1);
    return p;
}

static void random_pixels(Random *r, cn_pixel_model *m) {
    *m = (cn_pixel_model){.channels = between(r, 1, 4)};
    cn_plane *planes = room((size_t)m->channels * sizeof *planes);
    if (between(r, 0, 1)) {
        m->height = between(r, 1, 12);
        m->width = between(r, 1, 12);
    }
    for (int32_t i = 0; i < m->channels; i++) planes[i] = random_plane(r, m, i);
    m->planes = planes;
}

/* ADAPTIVE MODELS */

/* Tables of about the same shape as those of FORMAT.md, without a logarithm. */
static void random_adaptive(Random *r, cn_adaptive_settings *s) {
    uint16_t *squash = room(4096 * sizeof *squash), *logarithm = room(4096 * sizeof *logarithm);
    int16_t *stretch = room(4096 * sizeof *stretch);
    int32_t steep = between(r, 1, 600);
    for (int32_t i = 0, bits = 0; i < 4096; i++) {
        int32_t x = i - 2048, size = x < 0 ? -x : x, share = 32768 + 32768 * x / (size + steep);
        squash[i] = (uint16_t)(share < 16 ? 16 : share > 65520 ? 65520 : share);
        stretch[i] = (int16_t)(x < -2047 ? -2047 : x);
        if (i + 1 >= 2 << bits) bits++;
        logarithm[i] = (uint16_t)(177 * bits + 177 * (i + 1 - (1 << bits)) / (1 << bits));
    }
    *s = (cn_adaptive_settings){.squash = squash, .stretch = stretch, .logarithm = logarithm};
    s->table_bits = between(r, 0, 1) ? 17 : between(r, 10, 12); /* a large one is put back by what was noted */
    s->flags = (uint32_t)between(r, 1, (1 << 6) - 1);
    s->bytes = (uint32_t)between(r, 1, (1 << 16) - 1);
    s->histograms = (uint32_t)between(r, 0, (1 << 13) - 1);
}

static size_t bytes_of_picture(const cn_picture *p) {
    return (size_t)p->height * (size_t)p->width * (size_t)p->channels * (p->deep ? 2 : 1);
}

/* A picture of a few values, with others here and there. */
static cn_picture random_picture(Random *r, int32_t side) {
    cn_picture p = {.height = between(r, 1, side)};
    p.width = between(r, 1, side);
    p.channels = between(r, 1, 4);
    p.deep = between(r, 0, 1);
    int32_t rare = between(r, 0, 9), base = between(r, 0, 255), spread = between(r, 0, 9);
    p.values = room(bytes_of_picture(&p));
    for (size_t i = 0; i < bytes_of_picture(&p); i++)
        p.values[i] = (uint8_t)(between(r, 0, rare) ? base + between(r, 0, spread) : between(r, 0, 255));
    return p;
}

#endif
