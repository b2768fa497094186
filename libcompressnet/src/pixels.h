/* pixels.h - pixel models made ready; FORMAT.md, "Lossless payload"
 *
 * Most neighbours of most pixels are background. So the first layer begins with the sums that it
 * has where all of them are, and adds what differs from that: for each neighbour that is something
 * else, or outside of the image, the differences of its row of the table, two columns a step.
 */
#ifndef CN_PIXELS_H
#define CN_PIXELS_H

#include "layer.h"
#include "softmax.h"

#define PLANES 4
#define CODES 257
#define OUTSIDE 256
#define HALF_BITS 4
#define RELATIVE 12
#define RELATIVE_LIMIT 31
#define COUNT_LIMIT 3
#define REACH_LIMIT 8
#define TEMPLATE_LIMIT (2 * REACH_LIMIT + 1)
#define COLUMNS_LIMIT 32
#define INPUTS_LIMIT 4096
#define LAYERS_LIMIT 8
#define WIDTH_LIMIT 1024
#define SEEN_LIMIT (1 << 22)
#define IMAGE_SIDE_LIMIT 4096
#define VALUES_LIMIT (1 << 16)          /* of an image */
#define BLOCK (LANES > 8 ? 4 : 8)       /* vectors of the first layer that are summed together */
#define WORD 64                         /* neighbours in a word of bits */
#define TEMPLATES (PLANES + 1)          /* of a plane: near, far, and across in each plane before */
#define TEMPLATE_WORDS 6                /* that the largest template takes */
#define TOGETHER 4                      /* steps that are listed together */
#define STEP_BYTES (BLOCK * LANES * 2)  /* weights of a block for a step */

typedef struct Dense {
    Layer layer;
    const int32_t *bias; /* (bias_rows,vectors,LANES), with what the inputs' offset adds */
} Dense;

/* A neighbour: what its code adds to the first layer. */
typedef struct Tap {
    const int32_t *table; /* (257,steps): how far two columns are from the background's */
    int32_t steps, place; /* of the first layer; where the first one's weights lie in a block */
    int32_t plane, dy, dx;
} Tap;

/* A row of a template: neighbours that lie side by side. */
typedef struct Range {
    int32_t plane, dy, first, count;
    int32_t tap; /* the first one's number */
} Range;

typedef struct Plane {
    int32_t background;
    int32_t lanes;           /* of the first layer: its units, up to whole blocks */
    int32_t ranges, words, near_words; /* words: of a bit for each tap; those of near come first */
    const Range *range;
    const Tap *tap;          /* (64 * words,) */
    int32_t above, below, left, right; /* how far they reach */
    Layer first;             /* its activation; its weights are these: */
    const int8_t *weight;    /* (blocks,steps,BLOCK,LANES) pairs */
    int32_t steps;
    const int32_t *start;    /* (lanes,): its sums where all is background */
    const int32_t *row, *column; /* (rows,lanes), (columns,lanes): what is added to them */
    const int32_t *quiet;
    Layer seen;              /* the activation of the sums over values; */
    const int32_t *seen_bias; /* (vectors,LANES) what these begin with */
    const int16_t *seen_table; /* (257,vectors,LANES) */
    int32_t seen_step, seen_steps;
    int32_t layers, hidden, has_counts; /* layers: with the first; hidden: units of the last */
    const Dense *layer;      /* (layers,), the first one left out */
    Dense flag, high, low1, low2;
} Plane;

struct cn_pixels {
    const cn_core *core;
    int32_t channels, height, width; /* 0, 0: any size */
    const Plane *plane;      /* (channels,) */
    const int32_t *exp;
    Format format;           /* of hidden values */
};

/* CHECKING ONE */

static int check_dense(const cn_dense *d, int32_t outputs, int32_t inputs, int32_t bias_rows) {
    if ((d->weight == NULL && inputs > 0) || d->bias == NULL || d->shift == NULL || d->bias_rows != bias_rows) return 0;
    if (d->outputs < 1 || d->outputs > WIDTH_LIMIT || d->inputs != inputs) return 0;
    for (int32_t i = 0; i < d->outputs; i++)
        if (d->shift[i] < -SHIFT_LIMIT || d->shift[i] > SHIFT_LIMIT) return 0;
    return outputs == 0 || d->outputs == outputs;
}

/* How many neighbours a template has, or -1. */
static int32_t check_template(const int8_t *rows, int32_t count, int causal) {
    int32_t neighbours = 0;
    if (count < 0 || count > TEMPLATE_LIMIT || (count > 0 && rows == NULL)) return -1;
    for (int32_t i = 0; i < count; i++) {
        int32_t dy = rows[3 * i], first = rows[3 * i + 1], last = rows[3 * i + 2];
        if (dy < -REACH_LIMIT || dy > (causal ? 0 : REACH_LIMIT)) return -1;
        if (first < -REACH_LIMIT || first > last || last > REACH_LIMIT || (causal && dy == 0 && last >= 0)) return -1;
        neighbours += last - first + 1;
    }
    return neighbours;
}

static int check_tables(const int8_t *tables, int32_t count, int32_t columns, int32_t limit) {
    return columns >= 0 && columns <= limit && (count * columns == 0 || tables != NULL);
}

static int check_plane(const cn_pixel_model *model, int32_t number) {
    const cn_plane *p = &model->planes[number];
    int32_t near = check_template(p->near, p->near_rows, 1), far = check_template(p->far, p->far_rows, 1);
    int32_t across = check_template(p->across, p->across_rows, 0);
    if (p->background < 0 || p->background > 255 || near < 0 || far < 1 || across < 0) return 0;
    if (!check_tables(p->near_table, 1, p->near_columns, COLUMNS_LIMIT) ||
        !check_tables(p->far_table, 1, p->far_columns, COLUMNS_LIMIT) ||
        !check_tables(p->across_table, number, p->across_columns, COLUMNS_LIMIT) ||
        !check_tables(p->seen_table, 1, p->seen_columns, WIDTH_LIMIT))
        return 0;
    if (p->seen_columns > 0 && (p->seen_bias == NULL || p->seen_shift == NULL)) return 0;
    for (int32_t i = 0; i < p->seen_columns; i++) {
        if (p->seen_bias[i] < -SEEN_LIMIT || p->seen_bias[i] > SEEN_LIMIT) return 0;
        if (p->seen_shift[i] < -SHIFT_LIMIT || p->seen_shift[i] > SHIFT_LIMIT) return 0;
    }
    int32_t inputs = near * p->near_columns + far * p->far_columns + number * across * p->across_columns;
    inputs += p->seen_columns;
    if (inputs > INPUTS_LIMIT || p->row == NULL || p->column == NULL || p->quiet == NULL) return 0;
    int64_t places = model->height == 0 ? 1 : (int64_t)model->height * model->width;
    for (int64_t i = 0; i < places; i++)
        if (p->quiet[i] < 1 || p->quiet[i] >= 1 << TOTAL_BITS) return 0;
    if (p->layers < 1 || p->layers > LAYERS_LIMIT || p->layer == NULL) return 0;
    for (int32_t i = 0; i < p->layers; i++) {
        if (!check_dense(&p->layer[i], 0, inputs, 1)) return 0;
        inputs = p->layer[i].outputs;
    }
    int32_t counts = p->low1.inputs == inputs + RELATIVE ? 0 : ALPHABET;
    return check_dense(&p->flag, 1, inputs, 1) && check_dense(&p->high, ALPHABET, inputs, 1) &&
           check_dense(&p->low1, 0, inputs + RELATIVE + counts, ALPHABET) &&
           check_dense(&p->low2, ALPHABET, p->low1.outputs, 1);
}

static int check_size(int32_t height, int32_t width) {
    return height >= 1 && width >= 1 && height <= IMAGE_SIDE_LIMIT && width <= IMAGE_SIDE_LIMIT;
}

static int check_pixels(const cn_pixel_model *model) {
    if (model->channels < 1 || model->channels > PLANES || model->planes == NULL) return 0;
    if ((model->height != 0 || model->width != 0) && !check_size(model->height, model->width)) return 0;
    for (int32_t i = 0; i < model->channels; i++)
        if (!check_plane(model, i)) return 0;
    return 1;
}

/* MAKING ONE */

static int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

static void make_unit(Arena *arena, const cn_dense *dense, int32_t narrow, int is_output, Dense *made) {
    LayerPlan plan = dense_plan(dense, format_of_row(HIDDEN_LOW, HIDDEN_HIGH), is_output);
    plan.narrow = narrow;
    make_layer(arena, &plan, made == NULL ? NULL : &made->layer);
    int32_t lanes = whole_vectors(dense->outputs);
    int32_t *bias = take(arena, (size_t)(dense->bias_rows * lanes), sizeof *bias);
    if (made == NULL || bias == NULL) return;
    for (int32_t i = 0; i < dense->bias_rows * lanes; i++)
        bias[i] = made->layer.bias[i] + made->layer.fold[i % lanes];
    made->bias = bias;
}

/* A layer of hidden units of which only the activation is used. */
static void make_activation(Arena *arena, int32_t units, int32_t lanes, const int8_t *shift, Layer *layer) {
    float *scale = take(arena, (size_t)lanes, sizeof *scale);
    if (layer == NULL || scale == NULL) return;
    for (int32_t i = 0; i < lanes; i++) scale[i] = i < units ? two_to_minus(shift[i]) : 1;
    *layer = (Layer){.outputs = units, .vectors = lanes / LANES, .scale = scale, .low = HIDDEN_LOW, .high = HIDDEN_HIGH,
                     .negative = 1.0f / (1 << LEAKY_SHIFT)};
}

/* The rows of a table less that of the background, two columns of 16 bits in one number. */
static const int32_t *copy_differences(Arena *arena, const int8_t *table, int32_t columns, int32_t background) {
    int32_t steps = (columns + 1) / 2;
    int32_t *copy = take(arena, (size_t)(CODES * steps + TOGETHER), sizeof *copy);
    for (int32_t i = 0; copy != NULL && i < CODES * steps; i++) {
        int16_t pair[2] = {0, 0};
        for (int32_t column = i % steps * 2, k = 0; k < 2 && column + k < columns; k++)
            pair[k] = (int16_t)(table[i / steps * columns + column + k] - table[background * columns + column + k]);
        memcpy(copy + i, pair, sizeof pair);
    }
    return copy;
}

/* What one table is for: a template over a plane. */
typedef struct Template {
    const int8_t *rows, *table;
    int32_t count, plane, columns, background;
} Template;

/* Those of a plane: near, far, and across in each plane before. */
static Template template_of(const cn_pixel_model *model, int32_t number, int32_t i) {
    const cn_plane *p = &model->planes[number];
    if (i == 0) return (Template){p->near, p->near_table, p->near_rows, number, p->near_columns, p->background};
    if (i == 1) return (Template){p->far, p->far_table, p->far_rows, number, p->far_columns, p->background};
    size_t start = (size_t)(i - 2) * CODES * (size_t)p->across_columns;
    return (Template){p->across, p->across_columns == 0 ? NULL : p->across_table + start, p->across_rows, i - 2,
                      p->across_columns, model->planes[i - 2].background};
}

/* The first layer while it is made, input by input. */
typedef struct FirstLayer {
    const cn_dense *dense;
    Plane *plane;
    int8_t *weight;
    int32_t *start;
    Range *range;
    Tap *tap;
    int32_t steps, input, step, taps;
} FirstLayer;

/* The weights of the next inputs. `always`: what these are where nothing differs. */
static void pack_inputs(FirstLayer *first, int32_t columns, const int8_t *always) {
    const cn_dense *dense = first->dense;
    for (int32_t column = 0; column < columns; column++, first->input++) {
        int32_t step = first->step + column / 2;
        for (int32_t unit = 0; unit < dense->outputs; unit++) {
            int8_t weight = dense->weight[(size_t)unit * (size_t)dense->inputs + (size_t)first->input];
            int32_t block = unit / (BLOCK * LANES), lane = unit % (BLOCK * LANES);
            size_t place = (size_t)(block * first->steps + step) * STEP_BYTES;
            first->weight[place + (size_t)(2 * lane + column % 2)] = weight;
            if (always != NULL) first->start[unit] += weight * always[column];
        }
    }
    first->step += (columns + 1) / 2;
}

/* A template's neighbours, from a new word of taps on. */
static void pack_template(FirstLayer *first, const Template *t, const int32_t *differences) {
    Plane *plane = first->plane;
    first->taps = (first->taps + WORD - 1) / WORD * WORD;
    for (int32_t i = 0; i < t->count; i++) {
        const int8_t *row = t->rows + 3 * i;
        Range range = {t->plane, row[0], row[1], row[2] - row[1] + 1, 0};
        if (first->taps % WORD + range.count > WORD) first->taps = (first->taps + WORD - 1) / WORD * WORD;
        range.tap = first->taps;
        for (int32_t k = 0; k < range.count; k++) {
            int32_t place = first->step * STEP_BYTES;
            first->tap[first->taps++] = (Tap){differences, (t->columns + 1) / 2, place, t->plane, row[0], row[1] + k};
            pack_inputs(first, t->columns, t->columns == 0 ? NULL : t->table + t->background * t->columns);
        }
        first->range[plane->ranges++] = range;
        plane->above = most(plane->above, -row[0]);
        plane->below = most(plane->below, row[0]);
        plane->left = most(plane->left, -row[1]);
        plane->right = most(plane->right, row[2]);
    }
    plane->words = (first->taps + WORD - 1) / WORD;
}

static void make_first(Arena *arena, const cn_pixel_model *model, int32_t number, Plane *plane) {
    const cn_plane *p = &model->planes[number];
    const cn_dense *dense = &p->layer[0];
    int32_t units = dense->outputs, padded = (units + BLOCK * LANES - 1) / (BLOCK * LANES) * BLOCK * LANES;
    int32_t templates = 2 + number, steps = (p->seen_columns + 1) / 2, ranges = 0;
    const int32_t *differences[TEMPLATES];
    for (int32_t i = 0; i < templates; i++) {
        Template t = template_of(model, number, i);
        differences[i] = copy_differences(arena, t.table, t.columns, t.background);
        steps += check_template(t.rows, t.count, i < 2) * ((t.columns + 1) / 2);
        ranges += t.count;
    }
    size_t weight_bytes = (size_t)(steps * padded * 2);
    FirstLayer first = {.dense = dense, .plane = plane, .steps = steps};
    first.weight = take(arena, weight_bytes, sizeof *first.weight);
    first.start = take(arena, (size_t)padded, sizeof *first.start);
    first.range = take(arena, (size_t)ranges, sizeof *first.range);
    first.tap = take(arena, (size_t)(templates * TEMPLATE_WORDS * WORD), sizeof *first.tap);
    const int32_t *row = copy_padded(arena, p->row, model->height == 0 ? 1 : model->height, units, padded);
    const int32_t *column = copy_padded(arena, p->column, model->width == 0 ? 1 : model->width, units, padded);
    make_activation(arena, units, padded, dense->shift, plane == NULL ? NULL : &plane->first);
    if (plane == NULL || arena->failed) return;
    memset(first.weight, 0, weight_bytes);
    memset(first.start, 0, (size_t)padded * sizeof *first.start);
    memcpy(first.start, dense->bias, (size_t)units * sizeof *first.start);
    for (int32_t i = 0; i < templates; i++) {
        Template t = template_of(model, number, i);
        pack_template(&first, &t, differences[i]);
        if (i == 0) plane->near_words = plane->words;
    }
    plane->seen_step = first.step;
    plane->seen_steps = (p->seen_columns + 1) / 2;
    pack_inputs(&first, p->seen_columns, NULL);
    plane->lanes = padded;
    plane->steps = steps;
    plane->weight = first.weight;
    plane->start = first.start;
    plane->range = first.range;
    plane->tap = first.tap;
    plane->row = row;
    plane->column = column;
}

static void make_seen(Arena *arena, const cn_plane *p, Plane *plane) {
    int32_t columns = p->seen_columns, lanes = whole_vectors(columns);
    int16_t *table = take(arena, (size_t)(CODES * lanes), sizeof *table);
    const int32_t *bias = copy_padded(arena, p->seen_bias, 1, columns, lanes);
    make_activation(arena, columns, lanes, p->seen_shift, plane == NULL ? NULL : &plane->seen);
    if (plane == NULL || table == NULL) return;
    for (int32_t i = 0; i < CODES * lanes; i++)
        table[i] = i % lanes < columns ? p->seen_table[i / lanes * columns + i % lanes] : 0;
    plane->seen_table = table;
    plane->seen_bias = bias;
}

static void make_plane(Arena *arena, const cn_pixel_model *model, int32_t number, Plane *plane) {
    const cn_plane *p = &model->planes[number];
    size_t places = model->height == 0 ? 1 : (size_t)(model->height * model->width);
    int32_t *quiet = take(arena, places, sizeof *quiet);
    Dense *layers = take(arena, (size_t)p->layers, sizeof *layers);
    if (plane != NULL && quiet != NULL) {
        memcpy(quiet, p->quiet, places * sizeof *quiet);
        *plane = (Plane){.background = p->background, .quiet = quiet, .layers = p->layers, .layer = layers,
                         .hidden = p->flag.inputs, .has_counts = p->low1.inputs > p->flag.inputs + RELATIVE};
    }
    make_first(arena, model, number, plane);
    make_seen(arena, p, plane);
    for (int32_t i = 1; i < p->layers; i++) make_unit(arena, &p->layer[i], 0, 0, layers == NULL ? NULL : &layers[i]);
    make_unit(arena, &p->flag, 0, 1, plane == NULL ? NULL : &plane->flag);
    make_unit(arena, &p->high, 0, 1, plane == NULL ? NULL : &plane->high);
    make_unit(arena, &p->low1, p->flag.inputs, 0, plane == NULL ? NULL : &plane->low1);
    make_unit(arena, &p->low2, 0, 1, plane == NULL ? NULL : &plane->low2);
}

static cn_pixels *make_pixels(Arena *arena, const cn_core *core, const cn_pixel_model *model) {
    cn_pixels *pixels = take(arena, 1, sizeof *pixels);
    Plane *planes = take(arena, (size_t)model->channels, sizeof *planes);
    int32_t *exp = take(arena, EXP_STEPS, sizeof *exp);
    for (int32_t i = 0; i < model->channels; i++) make_plane(arena, model, i, planes == NULL ? NULL : &planes[i]);
    if (pixels == NULL || arena->failed) return NULL;
    fill_exp(exp);
    *pixels = (cn_pixels){core, model->channels, model->height, model->width, planes, exp,
                          format_of_row(HIDDEN_LOW, HIDDEN_HIGH)};
    return pixels;
}

#endif
