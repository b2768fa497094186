/* registers.h - where a program's registers lie, and in which order nodes write them
 *
 * A register is channels last, (H,W,C), with a border wide enough for the convolutions that read
 * it, and with channels up to a whole number of steps. Everything here follows from the program
 * alone, so nothing of it is kept while memory is only counted.
 */
#ifndef CN_REGISTERS_H
#define CN_REGISTERS_H

#include "layer.h"

#define NODES_LIMIT 4096
#define SIDE_LIMIT (1 << 14)
#define CHANNELS_LIMIT (1 << 22) /* or values of a register that is a row */
#define ELEMENTS_LIMIT (1 << 24) /* of a register, with its border */

typedef struct Register {
    int32_t channels, height, width;
    Format format;
    int32_t border;
    int32_t padded; /* channels, up to a whole number of steps */
    int32_t pitch;  /* elements of a row */
    size_t elements;
} Register;

static int32_t largest_padding(const cn_program *program, int32_t number) {
    int32_t most = 0;
    for (int32_t i = 0; i < program->count; i++) {
        const cn_node *node = &program->nodes[i];
        if (node->op == CN_CONV && node->input[0] == number && node->attributes[1] > most)
            most = node->attributes[1];
    }
    return most;
}

static Register register_of(const cn_program *program, int32_t number) {
    const int32_t *shape = number == 0 ? program->shape : program->nodes[number - 1].shape;
    int32_t low = number == 0 ? program->low : program->nodes[number - 1].low;
    int32_t high = number == 0 ? program->high : program->nodes[number - 1].high;
    Register r = {.channels = shape[0], .height = shape[1], .width = shape[2]};
    r.format = format_of(low, high);
    r.border = largest_padding(program, number);
    r.padded = padded_to_step(r.channels, r.format.kind);
    r.pitch = (r.width + 2 * r.border) * r.padded;
    r.elements = (size_t)(r.height + 2 * r.border) * (size_t)r.pitch;
    return r;
}

static int64_t values_of(const int32_t *shape) { return (int64_t)shape[0] * shape[1] * shape[2]; }

static const int32_t *shape_of(const cn_program *program, int32_t number) {
    return number == 0 ? program->shape : program->nodes[number - 1].shape;
}

static int is_shape(const int32_t *s) {
    return s[0] >= 1 && s[1] >= 1 && s[2] >= 1 && s[0] <= CHANNELS_LIMIT && s[1] <= SIDE_LIMIT &&
           s[2] <= SIDE_LIMIT && values_of(s) <= ELEMENTS_LIMIT;
}

static int has_shape(const int32_t *s, int64_t channels, int64_t height, int64_t width) {
    return s[0] == channels && s[1] == height && s[2] == width;
}

/* Whether a layer's arrays are there, and as large as they have to be. */
static int has_layer(const cn_node *node) {
    return node->weight != NULL && node->bias != NULL && node->shift != NULL &&
           (node->bias_rows == 1 || node->bias_rows == ANCHORS);
}

static int has_gain(const cn_node *node, const int32_t *in) {
    if (node->table == NULL || node->repeats == NULL || node->shift == NULL || node->segments < 1) return 0;
    if (node->shift[0] > SHIFT_LIMIT || node->shift[0] < -SHIFT_LIMIT) return 0;
    int64_t sum = 0;
    for (int32_t i = 0; i < node->segments; i++) {
        if (node->repeats[i] < 0) return 0;
        sum += node->repeats[i];
    }
    return sum == in[0] && in[1] == 1 && in[2] == 1 && has_shape(node->shape, in[0], 1, 1);
}

/* Whether a node's result has the shape that its inputs and attributes give. */
static int fits(const cn_program *program, const cn_node *node) {
    const int32_t *in = shape_of(program, node->input[0]), *out = node->shape, *a = node->attributes;
    int64_t sum = 0, f = a[0];
    switch (node->op) {
    case CN_CONV: {
        int32_t s = a[0], padding = a[1], kh = node->kernel[0], kw = node->kernel[1];
        if (s < 1 || padding < 0 || padding > 1024 || kh < 1 || kw < 1 || kh > 1024 || kw > 1024) return 0;
        if (in[1] + 2 * padding < kh || in[2] + 2 * padding < kw) return 0;
        return has_layer(node) && has_shape(out, out[0], (in[1] + 2 * padding - kh) / s + 1,
                                            (in[2] + 2 * padding - kw) / s + 1);
    }
    case CN_DENSE: return has_layer(node) && has_shape(out, out[0], 1, 1);
    case CN_ADD:
        return node->inputs == 2 && has_shape(out, in[0], in[1], in[2]) &&
               memcmp(in, shape_of(program, node->input[1]), 3 * sizeof *in) == 0;
    case CN_GAIN: return has_gain(node, in);
    case CN_CONCAT:
        for (int32_t i = 0; i < node->inputs; i++) sum += values_of(shape_of(program, node->input[i]));
        return has_shape(out, sum, 1, 1);
    case CN_SLICE:
        return a[0] >= 0 && a[0] < a[1] && a[1] <= in[0] && in[1] == 1 && in[2] == 1 && has_shape(out, a[1] - a[0], 1, 1);
    case CN_RESHAPE: return values_of(in) == values_of(out) && has_shape(out, a[0], a[1], a[2]);
    case CN_SHUFFLE:
        return f >= 1 && f <= 256 && in[0] % (f * f) == 0 && has_shape(out, in[0] / (f * f), in[1] * f, in[2] * f);
    case CN_UNSHUFFLE:
        return f >= 1 && f <= 256 && in[1] % f == 0 && in[2] % f == 0 &&
               has_shape(out, in[0] * f * f, in[1] / f, in[2] / f);
    case CN_CROP: return a[0] <= in[1] && a[1] <= in[2] && has_shape(out, in[0], a[0], a[1]);
    case CN_EXTEND:
        return a[0] >= 0 && a[1] >= 0 && has_shape(out, in[0], (int64_t)in[1] + a[0], (int64_t)in[2] + a[1]);
    default: return 0;
    }
}

static int has_range(int32_t low, int32_t high) {
    return low <= high && low >= -LARGEST_HIGH && high <= LARGEST_HIGH;
}

static int check_network(const cn_program *program) {
    if (program->count < 1 || program->count > NODES_LIMIT || !is_shape(program->shape)) return 0;
    if (!has_range(program->low, program->high)) return 0;
    for (int32_t i = 0; i < program->count; i++) {
        const cn_node *node = &program->nodes[i];
        if (node->inputs < 1 || node->inputs > NODES_LIMIT || !is_shape(node->shape)) return 0;
        for (int32_t k = 0; k < node->inputs; k++)
            if (node->input[k] < 0 || node->input[k] > i) return 0;
        if (!has_range(node->low, node->high) || !fits(program, node)) return 0;
    }
    uint64_t scratch = 0; /* more than registers and sums take: it must be a size_t of any CPU */
    for (int32_t i = 0; i <= program->count; i++) {
        size_t elements = register_of(program, i).elements;
        if (elements > ELEMENTS_LIMIT) return 0;
        scratch += 8 * (elements + CN_ALIGNMENT);
    }
    return scratch <= SIZE_MAX / 2;
}

/* ORDER OF WRITING */

/* A value's number in a register's row-major order (C,H,W), to its place among the elements. */
static size_t place_of(const Register *r, int64_t flat) {
    int64_t area = (int64_t)r->height * r->width, c = flat / area;
    int64_t y = flat % area / r->width, x = flat % r->width;
    return (size_t)((y + r->border) * r->pitch + (x + r->border) * r->padded + c);
}

/* Where a shuffle, an unshuffle or a reshape puts the value of a number: its number after that. */
static int64_t moved(const cn_node *node, const int32_t *in, int64_t flat) {
    int64_t f = node->attributes[0], h = in[1], w = in[2], c = flat / (h * w), y = flat / w % h, x = flat % w;
    if (node->op == CN_SHUFFLE)
        return (c / (f * f) * h * f + y * f + c / f % f) * w * f + x * f + c % f;
    if (node->op == CN_UNSHUFFLE)
        return ((c * f * f + y % f * f + x % f) * (h / f) + y / f) * (w / f) + x / f;
    return flat;
}

/* The place of a pixel's first channel. */
static size_t pixel_at(const Register *r, int32_t y, int32_t x) {
    return (size_t)((y + r->border) * r->pitch + (x + r->border) * r->padded);
}

/* The node that alone reads a register and only reorders it; -1 where there is none. */
static int32_t only_mover(const cn_program *program, int32_t number) {
    int32_t found = -1, readers = 0;
    for (int32_t i = number; i < program->count; i++) {
        const cn_node *node = &program->nodes[i];
        for (int32_t k = 0; k < node->inputs; k++) {
            if (node->input[k] != number) continue;
            readers++;
            if (node->op == CN_RESHAPE || node->op == CN_SHUFFLE || node->op == CN_UNSHUFFLE) found = i;
        }
    }
    return readers == 1 ? found : -1;
}

/* Where value `flat` of a node's result lies after all the reordering nodes up to register `to`. */
static size_t final_place(const cn_program *program, int32_t number, int32_t to, const Register *target,
                          int64_t flat) {
    while (number != to) {
        int32_t mover = only_mover(program, number);
        flat = moved(&program->nodes[mover], shape_of(program, number), flat);
        number = mover + 1;
    }
    return place_of(target, flat);
}

static int is_product(const cn_node *node) { return node->op == CN_CONV || node->op == CN_DENSE; }

/* Whether a node that only reorders can be left to the product that makes its values: then all
 * outputs at one place go to the same distances from where the first one goes. */
static int keeps_lanes(const cn_node *product, const cn_node *mover) {
    return product->shape[1] * product->shape[2] == 1 || mover->op == CN_SHUFFLE;
}

/* The register that the product of a number writes: its own, or that of the last of the nodes
 * after it that only reorder. */
static int32_t target_of(const cn_program *program, int32_t product) {
    int32_t to = product + 1;
    for (int32_t mover = only_mover(program, to); mover >= 0; mover = only_mover(program, to)) {
        if (!keeps_lanes(&program->nodes[product], &program->nodes[mover])) break;
        to = mover + 1;
    }
    return to;
}

/* Whether a node's register is written by a product before it. */
static int is_done_before(const cn_program *program, int32_t number) {
    int32_t first = number;
    while (first >= 0 && !is_product(&program->nodes[first])) {
        int32_t in = program->nodes[first].input[0];
        if (in == 0 || only_mover(program, in) != first) return 0;
        first = in - 1;
    }
    return first != number && target_of(program, first) > number;
}

#endif
