/* network.h - integer networks, image by image; FORMAT.md, "Networks" */
#ifndef CN_NETWORK_H
#define CN_NETWORK_H

#include "registers.h"

typedef struct Step {
    int32_t op; /* as a node's; -1: done by the node before */
    int32_t first, second, target; /* registers */
    int32_t low, high, leaky;
    /* conv, dense */
    Layer layer;
    size_t bias;          /* where its sums' start lies in the scratch */
    int32_t positions;    /* places of the result, rows times columns */
    const int32_t *from;  /* (positions,) the window's first element */
    const int32_t *place; /* (positions,) where the result's first output goes */
    const int32_t *lane;  /* (outputs,) how far from there each output goes, rising */
    const int32_t *order; /* (outputs,) which output each lane is */
    /* gain */
    const int16_t *table, *bound; /* (100,segments) */
    const int32_t *repeats;
    int32_t segments, shift;
    /* what only moves values: pieces of one register each */
    int32_t moves;
    const struct Move *move;
} Step;

typedef struct Move {
    int32_t from; /* register */
    int32_t count;
    const int32_t *source, *target; /* (count,) elements */
} Move;

struct cn_network {
    const cn_core *core;
    int32_t count;
    const Step *steps;
    const Register *registers; /* (count + 1,) */
    const size_t *starts;      /* (count + 1,) of the registers in the scratch */
    size_t scratch;
};

/* MAKING ONE */

typedef struct WindowContext {
    const cn_node *node;
    Register input;
} WindowContext;

/* The weight of an element of a window's row: element (x,c) of row i. */
static int32_t window_weight(const void *context, int32_t output, int32_t run, int32_t element) {
    const WindowContext *window = context;
    const cn_node *node = window->node;
    int32_t c = element % window->input.padded, x = element / window->input.padded;
    if (c >= window->input.channels) return 0;
    int64_t channels = window->input.channels, height = window->input.height, width = window->input.width;
    if (node->op == CN_CONV) {
        height = node->kernel[0];
        width = node->kernel[1];
    }
    if (x >= width) return 0;
    return node->weight[((output * channels + c) * height + run) * width + x];
}

/* Sorts lanes by where they go, so that neighbours are stored together. */
static void sort_lanes(int32_t *order, int32_t *lane, int32_t count) {
    for (int32_t gap = count / 2; gap > 0; gap /= 2) {
        for (int32_t i = gap; i < count; i++) {
            int32_t held = lane[i], number = order[i], j = i;
            for (; j >= gap && lane[j - gap] > held; j -= gap) {
                lane[j] = lane[j - gap];
                order[j] = order[j - gap];
            }
            lane[j] = held;
            order[j] = number;
        }
    }
}

/* The step of another network that has the same arrays, and inputs that are kept alike; or NULL. */
static const Step *like_step(const cn_program *program, const cn_node *node, const Register *in) {
    const cn_network *like = program->like;
    if (like == NULL || node->like < 0 || node->like >= like->count) return NULL;
    const Step *step = &like->steps[node->like];
    const Register *other = &like->registers[step->first];
    int is_alike = step->op == node->op && other->format.kind == in->format.kind &&
                   other->format.offset == in->format.offset && other->padded == in->padded;
    return is_alike ? step : NULL;
}

static void make_product(Arena *arena, const cn_program *program, int32_t number, Step *step) {
    const cn_node *node = &program->nodes[number];
    Register in = register_of(program, node->input[0]);
    int32_t to = target_of(program, number), is_conv = node->op == CN_CONV;
    Register target = register_of(program, to);
    int32_t outputs = node->shape[0], area = node->shape[1] * node->shape[2];
    int32_t runs = is_conv ? node->kernel[0] : in.height;
    int32_t *from = take(arena, (size_t)area, sizeof *from), *place = take(arena, (size_t)area, sizeof *place);
    int32_t *lane = take(arena, (size_t)outputs, sizeof *lane), *order = take(arena, (size_t)outputs, sizeof *order);
    int32_t *offsets = take(arena, (size_t)runs, sizeof *offsets);
    WindowContext window = {node, in};
    const Step *like = like_step(program, node, &in);
    LayerPlan plan = {.like = like == NULL ? NULL : &like->layer,
                      .outputs = outputs, .input = in.format, .runs = runs,
                      .elements = (is_conv ? node->kernel[1] : in.width) * in.padded,
                      .offsets = offsets, .weight_at = window_weight, .context = &window,
                      .bias_rows = node->bias_rows, .bias = node->bias, .shift = node->shift,
                      .all_outputs = outputs, .order = order, .leaky = node->leaky, .low = node->low,
                      .high = node->high};
    if (step != NULL && offsets != NULL) {
        int32_t stride = is_conv ? node->attributes[0] : 1, padding = is_conv ? node->attributes[1] : 0;
        for (int32_t i = 0; i < runs; i++) offsets[i] = i * in.pitch;
        for (int32_t i = 0; i < area; i++) {
            int32_t y = i / node->shape[2] * stride - padding + in.border;
            int32_t x = i % node->shape[2] * stride - padding + in.border;
            from[i] = y * in.pitch + x * in.padded;
            place[i] = (int32_t)final_place(program, number + 1, to, &target, i);
        }
        for (int32_t c = 0; c < outputs; c++) {
            order[c] = c;
            lane[c] = (int32_t)final_place(program, number + 1, to, &target, (int64_t)c * area) - place[0];
        }
        sort_lanes(order, lane, outputs);
        if (like != NULL && memcmp(order, like->order, (size_t)outputs * sizeof *order) != 0) arena->failed = 1;
        step->positions = area;
        step->from = from;
        step->place = place;
        step->lane = lane;
        step->order = order;
        step->target = to;
    }
    make_layer(arena, &plan, step == NULL ? NULL : &step->layer);
}

/* The number in `in` of value `flat` of what a moving node gives. */
static int64_t source_of(const cn_node *node, const int32_t *in, int64_t flat) {
    const int32_t *out = node->shape, *a = node->attributes;
    int64_t c = flat / ((int64_t)out[1] * out[2]), y = flat / out[2] % out[1], x = flat % out[2], f = a[0];
    switch (node->op) {
    case CN_SLICE: return flat + a[0];
    case CN_SHUFFLE: return ((c * f * f + y % f * f + x % f) * in[1] + y / f) * in[2] + x / f;
    case CN_UNSHUFFLE: return (c / (f * f) * in[1] + y * f + c / f % f) * in[2] + x * f + c % f;
    case CN_CROP:
    case CN_EXTEND: return (c * in[1] + (y < in[1] ? y : in[1] - 1)) * in[2] + (x < in[2] ? x : in[2] - 1);
    default: return flat;
    }
}

static void make_moves(Arena *arena, const cn_program *program, int32_t number, Step *step) {
    const cn_node *node = &program->nodes[number];
    Register out = register_of(program, number + 1);
    Move *moves = take(arena, (size_t)node->inputs, sizeof *moves);
    int64_t start = 0;
    for (int32_t k = 0; k < node->inputs; k++) {
        Register in = register_of(program, node->input[k]);
        const int32_t *shape = shape_of(program, node->input[k]);
        int64_t count = node->op == CN_CONCAT ? values_of(shape) : values_of(node->shape);
        int32_t *source = take(arena, (size_t)count, sizeof *source);
        int32_t *target = take(arena, (size_t)count, sizeof *target);
        if (step != NULL && moves != NULL && target != NULL) {
            for (int64_t i = 0; i < count; i++) {
                source[i] = (int32_t)place_of(&in, source_of(node, shape, i));
                target[i] = (int32_t)place_of(&out, start + i);
            }
            moves[k] = (Move){node->input[k], (int32_t)count, source, target};
        }
        start += count;
    }
    if (step == NULL) return;
    step->moves = node->inputs;
    step->move = moves;
}

static void make_gain(Arena *arena, const cn_node *node, Step *step) {
    size_t values = (size_t)node->segments * QUALITIES;
    int16_t *table = take(arena, values, sizeof *table);
    int16_t *bound = node->bound == NULL ? NULL : take(arena, values, sizeof *bound);
    int32_t *repeats = take(arena, (size_t)node->segments, sizeof *repeats);
    if (step == NULL || repeats == NULL) return;
    memcpy(table, node->table, values * sizeof *table);
    if (bound != NULL) memcpy(bound, node->bound, values * sizeof *bound);
    memcpy(repeats, node->repeats, (size_t)node->segments * sizeof *repeats);
    step->table = table;
    step->bound = bound;
    step->repeats = repeats;
    step->segments = node->segments;
    step->shift = node->shift[0];
}

static void make_step(Arena *arena, const cn_program *program, int32_t number, int is_done, Step *step) {
    const cn_node *node = &program->nodes[number];
    if (step != NULL)
        *step = (Step){.op = is_done ? -1 : node->op, .first = node->input[0],
                       .second = node->input[node->inputs > 1 ? 1 : 0], .target = number + 1,
                       .low = node->low, .high = node->high, .leaky = node->leaky};
    if (is_done) return;
    if (is_product(node)) make_product(arena, program, number, step);
    else if (node->op == CN_GAIN) make_gain(arena, node, step);
    else if (node->op != CN_ADD) make_moves(arena, program, number, step);
}

static void place_registers(const cn_program *program, cn_network *network, Step *steps, Register *registers,
                            size_t *starts) {
    size_t used = 0;
    for (int32_t i = 0; i <= program->count; i++) {
        registers[i] = register_of(program, i);
        starts[i] = used;
        used += aligned(registers[i].elements * (size_t)element_bytes(registers[i].format.kind) + 4 * LANES);
    }
    for (int32_t i = 0; i < program->count; i++) {
        steps[i].bias = used;
        used += aligned((size_t)(steps[i].layer.vectors * LANES) * sizeof(int32_t));
    }
    network->scratch = used;
}

static cn_network *make_network(Arena *arena, const cn_core *core, const cn_program *program) {
    cn_network *network = take(arena, 1, sizeof *network);
    Step *steps = take(arena, (size_t)program->count, sizeof *steps);
    Register *registers = take(arena, (size_t)program->count + 1, sizeof *registers);
    size_t *starts = take(arena, (size_t)program->count + 1, sizeof *starts);
    for (int32_t i = 0; i < program->count; i++)
        make_step(arena, program, i, is_done_before(program, i), steps == NULL ? NULL : &steps[i]);
    if (network == NULL || steps == NULL || arena->failed) return NULL;
    *network = (cn_network){core, program->count, steps, registers, starts, 0};
    place_registers(program, network, steps, registers, starts);
    return network;
}

/* RUNNING ONE */

/* Results of the rows of a tile, to where they go. `local` is what no store can change. */
INLINE void store_tile(Kind kind, const Step *step, int rows, const int32_t *sums, const int32_t *bias, int32_t offset,
                       int32_t block, int32_t last, const int32_t *places, uint8_t *target) {
    const Layer local = {.outputs = step->layer.outputs, .scale = step->layer.scale,
                         .negative = step->layer.negative, .low = step->layer.low, .high = step->layer.high};
    const int32_t *lane = step->lane + block * LANES;
    for (int32_t v = block; v < last; v++, lane += LANES, sums += LANES) {
        int32_t left = local.outputs - v * LANES, first = lane[0];
        int is_run = left >= LANES && lane[LANES - 1] - first == LANES - 1;
        ints start = load_ints(bias + v * LANES);
        for (int p = 0; p < rows; p++) {
            ints kept = requantize(&local, v, load_ints(sums + p * WIDE * LANES) + start) - offset;
            if (is_run) store_kept(kind, target, (size_t)(places[p] + first), kept);
            else
                for (int32_t i = 0; i < LANES && i < left; i++) put(kind, target, (size_t)(places[p] + lane[i]), kept[i]);
        }
    }
}

static void run_product(const Step *step, const uint8_t *input, Format format, uint8_t *target, const int32_t *bias) {
    int32_t sums[8 * WIDE * LANES];
    int32_t bytes_of = element_bytes(step->layer.kind), offset = format.offset;
    for (int32_t at = 0; at < step->positions;) {
        int rows = rows_together((size_t)(step->positions - at));
        const int32_t *places = step->place + at;
        const uint8_t *inputs[8];
        for (int p = 0; p < rows; p++) inputs[p] = input + (ptrdiff_t)step->from[at + p] * bytes_of;
        for (int32_t block = 0, next; block < step->layer.vectors; block = next) {
            next = block + products_of(&step->layer, rows, block, rows == 1 ? 2 * WIDE : WIDE, inputs, sums);
            if (format.kind == BYTE) store_tile(BYTE, step, rows, sums, bias, offset, block, next, places, target);
            if (format.kind == SHORT) store_tile(SHORT, step, rows, sums, bias, offset, block, next, places, target);
            if (format.kind == INT) store_tile(INT, step, rows, sums, bias, offset, block, next, places, target);
        }
        at += rows;
    }
}

INLINE ints load_kept(Kind kind, const uint8_t *from, size_t index) {
    if (kind == BYTE) return load_bytes(from + index);
    return kind == SHORT ? load_shorts((const int16_t *)from + index) : load_ints((const int32_t *)from + index);
}

/* Residual addition; channels beyond the last one are added too, and mean nothing. */
static void run_add(const Step *step, const Register *registers, uint8_t *const *memory) {
    const Register *a = &registers[step->first], *b = &registers[step->second], *out = &registers[step->target];
    int32_t padded = a->padded < b->padded ? a->padded : b->padded;
    if (out->padded < padded) padded = out->padded;
    int32_t pixels = padded == a->padded && padded == b->padded && padded == out->padded ? 1 : a->width;
    int32_t values = pixels == 1 ? padded * a->width : a->channels;
    for (int32_t y = 0; y < a->height; y++) {
        for (int32_t x = 0; x < pixels; x++) {
            size_t from = pixel_at(a, y, x), other = pixel_at(b, y, x), to = pixel_at(out, y, x);
            int32_t i = 0;
            for (; i + LANES <= values; i += LANES) {
                ints sum = load_kept(a->format.kind, memory[step->first], from + (size_t)i) + a->format.offset;
                sum += load_kept(b->format.kind, memory[step->second], other + (size_t)i) + b->format.offset;
                if (step->leaky) sum = choose(sum < 0, (sum + (1 << (LEAKY_SHIFT - 1))) >> LEAKY_SHIFT, sum);
                sum = larger(smaller(sum, splat_ints(step->high)), splat_ints(step->low));
                store_kept(out->format.kind, memory[step->target], to + (size_t)i, sum - out->format.offset);
            }
            for (; i < values; i++) {
                int32_t sum = get(a->format.kind, memory[step->first], from + (size_t)i) + a->format.offset;
                sum += get(b->format.kind, memory[step->second], other + (size_t)i) + b->format.offset;
                sum = requantized(sum, 0, step->leaky, step->low, step->high);
                put(out->format.kind, memory[step->target], to + (size_t)i, sum - out->format.offset);
            }
        }
    }
}

static void run_gain(const Step *step, const Register *registers, uint8_t *const *memory, int32_t quality) {
    Format in = registers[step->first].format, out = registers[step->target].format;
    const Register *from = &registers[step->first], *to = &registers[step->target];
    size_t source = place_of(from, 0), target = place_of(to, 0);
    for (int32_t s = 0; s < step->segments; s++) {
        int32_t factor = step->table[quality * step->segments + s];
        int32_t bound = step->bound == NULL ? INT32_MAX : step->bound[quality * step->segments + s];
        int32_t low = clamped(step->low, -bound, bound), high = clamped(step->high, -bound, bound);
        for (int32_t i = 0; i < step->repeats[s]; i++, source++, target++) {
            int32_t value = (get(in.kind, memory[step->first], source) + in.offset) * factor;
            put(out.kind, memory[step->target], target,
                requantized(value, step->shift, 0, low, high) - out.offset);
        }
    }
}

static void run_moves(const Step *step, const Register *registers, uint8_t *const *memory) {
    Format out = registers[step->target].format;
    uint8_t *to = memory[step->target];
    for (int32_t k = 0; k < step->moves; k++) {
        const Move *move = &step->move[k];
        Format in = registers[move->from].format;
        const uint8_t *from = memory[move->from];
        int32_t change = in.offset - out.offset;
        if (in.kind == SHORT && out.kind == SHORT) {
            for (int32_t i = 0; i < move->count; i++)
                ((int16_t *)to)[move->target[i]] = ((const int16_t *)from)[move->source[i]];
        } else {
            for (int32_t i = 0; i < move->count; i++)
                put(out.kind, to, (size_t)move->target[i], get(in.kind, from, (size_t)move->source[i]) + change);
        }
    }
}

/* The caller's values into register 0: (H,W,C). */
static void read_input(const Register *r, cn_type type, const void *in, size_t start, uint8_t *memory) {
    for (int32_t y = 0; y < r->height; y++) {
        for (int32_t x = 0; x < r->width; x++) {
            size_t to = pixel_at(r, y, x);
            for (int32_t c = 0; c < r->channels; c++, start++) {
                int32_t value = type == CN_U8    ? ((const uint8_t *)in)[start]
                                : type == CN_I16 ? ((const int16_t *)in)[start]
                                                 : ((const int32_t *)in)[start];
                value = clamped(value, r->format.low, r->format.high);
                put(r->format.kind, memory, to + (size_t)c, value - r->format.offset);
            }
        }
    }
}

static void write_output(const Register *r, cn_type type, void *out, size_t start, const uint8_t *memory) {
    for (int32_t y = 0; y < r->height; y++) {
        for (int32_t x = 0; x < r->width; x++) {
            size_t from = pixel_at(r, y, x);
            for (int32_t c = 0; c < r->channels; c++, start++) {
                int32_t v = get(r->format.kind, memory, from + (size_t)c) + r->format.offset;
                if (type == CN_U8) ((uint8_t *)out)[start] = (uint8_t)clamped(v, 0, UINT8_MAX);
                if (type == CN_I16) ((int16_t *)out)[start] = (int16_t)clamped(v, INT16_MIN, INT16_MAX);
                if (type == CN_I32) ((int32_t *)out)[start] = v;
            }
        }
    }
}

/* What is kept for 0, in every element, borders and all. */
static void clear_register(const Register *r, uint8_t *memory) {
    fill_zeros(r->format, memory, r->elements * (size_t)element_bytes(r->format.kind) + 4 * LANES);
}

static void run_step(const cn_network *network, const Step *step, int32_t quality, uint8_t *const *memory,
                     const uint8_t *scratch) {
    const Register *registers = network->registers;
    switch (step->op) {
    case -1: break;
    case CN_CONV:
    case CN_DENSE: {
        const int32_t *bias = (const int32_t *)(const void *)(scratch + step->bias);
        run_product(step, memory[step->first], registers[step->target].format, memory[step->target], bias);
        break;
    }
    case CN_ADD: run_add(step, registers, memory); break;
    case CN_GAIN: run_gain(step, registers, memory, quality); break;
    default: run_moves(step, registers, memory); break;
    }
}

static cn_status run_network(const cn_network *network, int32_t quality, cn_type in_type, const void *in,
                             cn_type out_type, void *out, size_t images, void *scratch) {
    if (quality < 0 || quality >= QUALITIES) return CN_ARGUMENT;
    uint8_t *base = scratch, *memory[NODES_LIMIT + 1];
    const Register *first = &network->registers[0], *last = &network->registers[network->count];
    for (int32_t i = 0; i <= network->count; i++) {
        memory[i] = base + network->starts[i];
        clear_register(&network->registers[i], memory[i]);
    }
    for (int32_t i = 0; i < network->count; i++)
        bias_at(&network->steps[i].layer, quality, (int32_t *)(void *)(base + network->steps[i].bias));
    size_t in_values = (size_t)first->channels * (size_t)(first->height * first->width);
    size_t out_values = (size_t)last->channels * (size_t)(last->height * last->width);
    for (size_t image = 0; image < images; image++) {
        read_input(first, in_type, in, image * in_values, memory[0]);
        for (int32_t i = 0; i < network->count; i++) run_step(network, &network->steps[i], quality, memory, base);
        write_output(last, out_type, out, image * out_values, memory[network->count]);
    }
    return CN_OK;
}

#endif
