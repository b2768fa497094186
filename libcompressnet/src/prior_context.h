/* prior_context.h - the convolutional entropy model: slices of channels, in four phases each,
 * the first one's first phase from coarse to fine if there is a pyramid */
#ifndef CN_PRIOR_CONTEXT_H
#define CN_PRIOR_CONTEXT_H

#include "prior.h"

#define LATTICES_LIMIT (PHASES + (PHASES - 1) * 23) /* rows and columns are at most SYMBOLS_LIMIT */

static const int32_t PHASE_FIRST[PHASES][2] = {{0, 0}, {1, 1}, {0, 1}, {1, 0}};

typedef struct SliceContext {
    const cn_slice *slice;
    int32_t channels, padded; /* channels: up to the slice's last one */
} SliceContext;

static int32_t slice_weight(const void *context, int32_t output, int32_t run, int32_t element) {
    const SliceContext *c = context;
    int32_t channel = element % c->padded, x = element / c->padded;
    return channel < c->channels ? c->slice->weight[((output * c->channels + channel) * 3 + run) * 3 + x] : 0;
}

static int is_dense(const cn_dense *d, int32_t outputs, int32_t inputs) {
    return d->weight != NULL && d->bias != NULL && d->shift != NULL && d->bias_rows == 1 && d->outputs == outputs &&
           d->inputs == inputs;
}

/* The groups of a slice, in order of coding. Gives how many. */
static int32_t slice_lattices(int32_t rows, int32_t columns, int has_pyramid, Lattice *found) {
    int32_t count = 0, step = 2;
    while (has_pyramid && (step < rows || step < columns)) step *= 2;
    found[count++] = (Lattice){0, 0, step, 0, has_pyramid};
    for (int32_t distance = step / 2; distance >= 1; step = distance, distance /= 2) {
        int32_t is_pyramid = has_pyramid && distance > 1, level = 0;
        while (is_pyramid && level < PYRAMID_LEVELS - 1 && 4 << level <= distance) level++;
        for (int32_t p = 1; p < PHASES; p++) {
            int32_t row = PHASE_FIRST[p][0] * distance, column = PHASE_FIRST[p][1] * distance;
            if (row >= rows || column >= columns) continue;
            found[count++] = (Lattice){row, column, step, (PHASES - 1) * level + p, is_pyramid};
        }
    }
    return count;
}

static int32_t columns_of(const Lattice *at, int32_t columns) { return (columns - at->column + at->step - 1) / at->step; }

static int32_t places_of(const Lattice *at, int32_t rows, int32_t columns) {
    return (rows - at->row + at->step - 1) / at->step * columns_of(at, columns);
}

static int is_slice(const cn_slice *s, int32_t most) {
    if (s->channels < 1 || s->channels > most || s->units < 1 || s->units > UNITS_LIMIT) return 0;
    if (s->weight == NULL || s->bias == NULL || s->phase == NULL || s->row == NULL || s->column == NULL) return 0;
    return is_dense(&s->hidden, s->units, s->units) && is_dense(&s->output, OUTPUTS * s->channels, s->units);
}

static int check_context(const cn_prior_model *model) {
    const int32_t *g = model->grid;
    int64_t channels = 0;
    int32_t group = 0;
    if (g[0] < 1 || g[1] < 2 || g[2] < 2 || g[0] > SYMBOLS_LIMIT || g[1] > SYMBOLS_LIMIT || g[2] > SYMBOLS_LIMIT) return 0;
    if ((int64_t)g[0] * g[1] * g[2] != model->symbols || model->slices < 1 || model->slices > g[0]) return 0;
    if (model->slice == NULL) return 0;
    for (int32_t i = 0; i < model->slices; i++) {
        const cn_slice *s = &model->slice[i];
        Lattice at[LATTICES_LIMIT];
        if (!is_slice(s, g[0])) return 0;
        int32_t count = slice_lattices(g[1], g[2], i == 0 && model->pyramid != NULL, at);
        if (count > model->groups - group) return 0;
        for (int32_t k = 0; k < count; k++)
            if (model->group_symbols[group++] != s->channels * places_of(&at[k], g[1], g[2])) return 0;
        channels += s->channels;
    }
    if (model->pyramid != NULL && (!is_slice(model->pyramid, g[0]) || model->pyramid->channels != model->slice->channels))
        return 0;
    return channels == g[0] && group == model->groups;
}

/* Which layers code each group, and where its places are. */
static void place_groups(const cn_prior_model *model, Group *groups) {
    for (int32_t i = 0, group = 0; i < model->slices; i++) {
        Lattice at[LATTICES_LIMIT];
        int32_t count = slice_lattices(model->grid[1], model->grid[2], i == 0 && model->pyramid != NULL, at);
        for (int32_t k = 0; k < count; k++, group++) {
            groups[group].at = at[k];
            groups[group].slice = at[k].is_pyramid ? model->slices : i;
        }
    }
}

static void make_context(Arena *arena, const cn_prior_model *model, cn_prior *prior, Group *groups) {
    Format seen = format_of(model->low, model->high), hidden = format_of(HIDDEN_LOW, HIDDEN_HIGH);
    int32_t padded = padded_to_step(model->grid[0], seen.kind), pitch = (model->grid[2] + 2) * padded;
    int32_t offsets[3] = {0, pitch, 2 * pitch}, around[3] = {0, 3 * padded, 6 * padded}, first = 0, most = 0;
    int32_t has_pyramid = model->pyramid != NULL, count = model->slices + has_pyramid;
    Slice *slices = take(arena, (size_t)count, sizeof *slices);
    const cn_prior *like = model->like;
    if (like != NULL && (like->slices != count || like->has_pyramid != has_pyramid || like->padded != padded ||
                         like->seen.offset != seen.offset))
        like = NULL;
    for (int32_t i = 0; i < count; i++) {
        int is_pyramid = i == model->slices;
        const cn_slice *s = is_pyramid ? model->pyramid : &model->slice[i];
        first = is_pyramid ? 0 : first;
        Slice *made = slices == NULL ? NULL : &slices[i];
        SliceContext context = {s, first + s->channels, padded};
        const Layer *layers = like == NULL ? NULL : like->slice[i].layers;
        LayerPlan plan = {.like = layers, .outputs = s->units, .input = seen, .runs = 3, .elements = 3 * padded,
                          .offsets = is_pyramid ? around : offsets,
                          .weight_at = slice_weight, .context = &context, .bias_rows = ANCHORS, .bias = s->bias,
                          .shift = s->shift, .all_outputs = s->units, .leaky = 1, .low = HIDDEN_LOW,
                          .high = HIDDEN_HIGH};
        make_layer(arena, &plan, made == NULL ? NULL : &made->layers[0]);
        for (int k = 1; k < 3; k++) {
            Layer *layer = made == NULL ? NULL : &made->layers[k];
            if (layers == NULL) make_dense(arena, k == 1 ? &s->hidden : &s->output, hidden, k == 2, layer);
            else if (layer != NULL) *layer = layers[k];
        }
        int32_t phases = is_pyramid ? PYRAMID_PHASES : PHASES;
        const int32_t *phase = copy_padded(arena, s->phase, phases, s->units, whole_vectors(s->units));
        const int32_t *row = copy_padded(arena, s->row, model->grid[1], s->units, whole_vectors(s->units));
        const int32_t *column = copy_padded(arena, s->column, model->grid[2], s->units, whole_vectors(s->units));
        if (made != NULL) {
            made->channels = s->channels;
            made->first = first;
            made->phase = phase;
            made->row = row;
            made->column = column;
        }
        first += s->channels;
        most = s->units > most ? s->units : most;
    }
    if (groups != NULL) place_groups(model, groups);
    if (prior == NULL) return;
    prior->slice = slices;
    prior->slices = count;
    prior->has_pyramid = has_pyramid;
    prior->channels = model->grid[0];
    prior->rows = model->grid[1];
    prior->columns = model->grid[2];
    prior->padded = padded;
    prior->pitch = pitch;
    prior->most_units = most;
    prior->window = has_pyramid ? aligned((size_t)(9 * padded * element_bytes(seen.kind)) + 4 * LANES) : 0;
    prior->known = aligned((size_t)((model->grid[1] + 2) * pitch) * (size_t)element_bytes(seen.kind) + 4 * LANES);
}

static void start_context(const Pass *pass) {
    const cn_prior *p = pass->prior;
    for (size_t image = 0; image < pass->images; image++) fill_zeros(p->seen, known_of(pass, image), p->known);
    for (int32_t i = 0; i < p->slices; i++)
        for (int k = 0; k < 3; k++)
            bias_at(&p->slice[i].layers[k], pass->quality, (int32_t *)(void *)(pass->scratch + p->slice[i].bias[k]));
}

/* What a place of a pyramid sees: 3x3 places at a distance, copied side by side. The canvas begins
 * with its border, which is zero as all beyond the grid. */
static void copy_around(const cn_prior *p, const uint8_t *known, const int32_t place[2], int32_t distance, uint8_t *to) {
    size_t bytes = (size_t)(p->padded * element_bytes(p->seen.kind));
    for (int32_t i = 0; i < 9; i++) {
        int32_t y = place[0] + (i / 3 - 1) * distance, x = place[1] + (i % 3 - 1) * distance;
        int is_inside = y >= 0 && y < p->rows && x >= 0 && x < p->columns;
        size_t at = is_inside ? (size_t)(y + 1) * (size_t)(p->columns + 2) + (size_t)(x + 1) : 0;
        memcpy(to + (size_t)i * bytes, known + at * bytes, bytes);
    }
}

/* The first hidden layer at some places of a group: `together` rows (y,x) of the grid. */
static void run_first(const Pass *pass, const Slice *slice, const Lattice *at, const uint8_t *known, int together,
                      const int32_t (*places)[2], uint8_t *const *hidden) {
    const cn_prior *p = pass->prior;
    const Layer *layer = &slice->layers[0];
    const int32_t *bias = (const int32_t *)(const void *)(pass->scratch + slice->bias[0]);
    int32_t sums[8 * WIDE * LANES], lanes = layer->vectors * LANES;
    const uint8_t *inputs[8];
    for (int i = 0; i < together; i++) {
        inputs[i] = known + (ptrdiff_t)(places[i][0] * p->pitch + places[i][1] * p->padded) * element_bytes(p->seen.kind);
        if (at->is_pyramid) {
            uint8_t *window = pass->scratch + p->around + (size_t)i * p->window;
            copy_around(p, known, places[i], at->step / 2, window);
            inputs[i] = window;
        }
    }
    for (int32_t block = 0; block < layer->vectors; block += WIDE) {
        products_of(layer, together, block, WIDE, inputs, sums);
        for (int i = 0; i < together; i++) {
            for (int32_t v = block; v < layer->vectors && v < block + WIDE; v++) {
                ints sum = load_ints(sums + (i * WIDE + v - block) * LANES) + load_ints(bias + v * LANES);
                sum += load_ints(slice->phase + at->phase * lanes + v * LANES);
                sum += load_ints(slice->row + places[i][0] * lanes + v * LANES);
                sum += load_ints(slice->column + places[i][1] * lanes + v * LANES);
                store_kept(p->hidden.kind, hidden[i], (size_t)v * LANES, requantize(layer, v, sum) - p->hidden.offset);
            }
        }
    }
}

/* The outputs at all places of a group, (places,5 * channels). */
static void run_context(const Pass *pass, const Slice *slice, const Lattice *lattice, const uint8_t *known,
                        int32_t *outputs) {
    const cn_prior *p = pass->prior;
    int32_t columns = columns_of(lattice, p->columns), count = places_of(lattice, p->rows, p->columns);
    size_t hidden_bytes = p->windows;
    for (int32_t at = 0; at < count;) {
        int together = rows_together((size_t)(count - at));
        int32_t places[8][2];
        uint8_t *first[8], *second[8], *results[8];
        for (int i = 0; i < together; i++) {
            places[i][0] = lattice->row + lattice->step * ((at + i) / columns);
            places[i][1] = lattice->column + lattice->step * ((at + i) % columns);
            first[i] = pass->scratch + p->sums + (size_t)(2 * i) * hidden_bytes;
            second[i] = first[i] + hidden_bytes;
            results[i] = (uint8_t *)(outputs + (size_t)(at + i) * (size_t)(OUTPUTS * slice->channels));
        }
        run_first(pass, slice, lattice, known, together, places, first);
        run_layer(&slice->layers[1], (const int32_t *)(const void *)(pass->scratch + slice->bias[1]), (size_t)together,
                  (const uint8_t *const *)first, p->hidden, second);
        run_layer(&slice->layers[2], (const int32_t *)(const void *)(pass->scratch + slice->bias[2]), (size_t)together,
                  (const uint8_t *const *)second, (Format){INT, 0, -OUTPUT_LIMIT, OUTPUT_LIMIT}, results);
        at += together;
    }
}

static void code_context(Pass *pass, int32_t number) {
    const cn_prior *p = pass->prior;
    const Group *group = &p->group[number];
    const Lattice *at = &group->at;
    const Slice *slice = &p->slice[group->slice];
    int32_t bound = p->bound[pass->quality * p->groups + number];
    int32_t *outputs = (int32_t *)(void *)(pass->scratch + p->outputs);
    if (bound == 0) {
        code_zeros(pass, group->first, group->symbols);
        return; /* what is not known is 0 */
    }
    int32_t columns = columns_of(at, p->columns), count = group->symbols / slice->channels;
    for (size_t image = 0; image < pass->images; image++) {
        uint8_t *known = known_of(pass, image);
        run_context(pass, slice, at, known, outputs);
        for (int32_t c = 0; c < slice->channels; c++) {
            for (int32_t first = 0; first < count; first += MIXED) {
                ptrdiff_t step = OUTPUTS * slice->channels;
                int32_t some = count - first < MIXED ? count - first : MIXED, kept[MIXED];
                int32_t place = group->first + c * count + first;
                code_symbols(pass, image, place, some, outputs + first * step + c, slice->channels, step, bound, kept);
                for (int32_t s = 0; s < some; s++) {
                    int32_t y = at->row + at->step * ((first + s) / columns);
                    int32_t x = at->column + at->step * ((first + s) % columns);
                    put(p->seen.kind, known, (size_t)((y + 1) * p->pitch + (x + 1) * p->padded + slice->first + c),
                        kept[s]);
                }
            }
        }
    }
}

#endif
