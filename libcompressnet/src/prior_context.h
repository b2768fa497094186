/* prior_context.h - the convolutional entropy model: slices of channels, in four phases each */
#ifndef CN_PRIOR_CONTEXT_H
#define CN_PRIOR_CONTEXT_H

#include "prior.h"

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

static int check_context(const cn_prior_model *model) {
    const int32_t *g = model->grid;
    int64_t channels = 0;
    if (g[0] < 1 || g[1] < 2 || g[2] < 2 || g[0] > SYMBOLS_LIMIT || g[1] > SYMBOLS_LIMIT || g[2] > SYMBOLS_LIMIT) return 0;
    if ((int64_t)g[0] * g[1] * g[2] != model->symbols || model->slices < 1 || model->slices > g[0]) return 0;
    if (model->slice == NULL || model->groups != PHASES * model->slices) return 0;
    for (int32_t i = 0; i < model->slices; i++) {
        const cn_slice *s = &model->slice[i];
        if (s->channels < 1 || s->channels > g[0] || s->units < 1 || s->units > UNITS_LIMIT) return 0;
        if (s->weight == NULL || s->bias == NULL || s->phase == NULL || s->row == NULL || s->column == NULL) return 0;
        if (!is_dense(&s->hidden, s->units, s->units) || !is_dense(&s->output, OUTPUTS * s->channels, s->units)) return 0;
        for (int32_t p = 0; p < PHASES; p++) {
            int32_t rows = (g[1] - PHASE_FIRST[p][0] + 1) / 2, columns = (g[2] - PHASE_FIRST[p][1] + 1) / 2;
            if (model->group_symbols[PHASES * i + p] != s->channels * rows * columns) return 0;
        }
        channels += s->channels;
    }
    return channels == g[0];
}

static void make_context(Arena *arena, const cn_prior_model *model, cn_prior *prior) {
    Format seen = format_of(model->low, model->high), hidden = format_of(HIDDEN_LOW, HIDDEN_HIGH);
    int32_t padded = padded_to_step(model->grid[0], seen.kind), pitch = (model->grid[2] + 2) * padded;
    int32_t offsets[3] = {0, pitch, 2 * pitch}, first = 0, most = 0;
    Slice *slices = take(arena, (size_t)model->slices, sizeof *slices);
    const cn_prior *like = model->like;
    if (like != NULL && (like->slices != model->slices || like->padded != padded || like->seen.offset != seen.offset))
        like = NULL;
    for (int32_t i = 0; i < model->slices; i++) {
        const cn_slice *s = &model->slice[i];
        Slice *made = slices == NULL ? NULL : &slices[i];
        SliceContext context = {s, first + s->channels, padded};
        const Layer *layers = like == NULL ? NULL : like->slice[i].layers;
        LayerPlan plan = {.like = layers, .outputs = s->units, .input = seen, .runs = 3, .elements = 3 * padded, .offsets = offsets,
                          .weight_at = slice_weight, .context = &context, .bias_rows = ANCHORS, .bias = s->bias,
                          .shift = s->shift, .all_outputs = s->units, .leaky = 1, .low = HIDDEN_LOW,
                          .high = HIDDEN_HIGH};
        make_layer(arena, &plan, made == NULL ? NULL : &made->layers[0]);
        for (int k = 1; k < 3; k++) {
            Layer *layer = made == NULL ? NULL : &made->layers[k];
            if (layers == NULL) make_dense(arena, k == 1 ? &s->hidden : &s->output, hidden, k == 2, layer);
            else if (layer != NULL) *layer = layers[k];
        }
        const int32_t *phase = copy_padded(arena, s->phase, PHASES, s->units, whole_vectors(s->units));
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
    if (prior == NULL) return;
    prior->slice = slices;
    prior->slices = model->slices;
    prior->channels = model->grid[0];
    prior->rows = model->grid[1];
    prior->columns = model->grid[2];
    prior->padded = padded;
    prior->pitch = pitch;
    prior->most_units = most;
    prior->known = aligned((size_t)((model->grid[1] + 2) * pitch) * (size_t)element_bytes(seen.kind) + 4 * LANES);
}

static void start_context(const Pass *pass) {
    const cn_prior *p = pass->prior;
    for (size_t image = 0; image < pass->images; image++) fill_zeros(p->seen, known_of(pass, image), p->known);
    for (int32_t i = 0; i < p->slices; i++)
        for (int k = 0; k < 3; k++)
            bias_at(&p->slice[i].layers[k], pass->quality, (int32_t *)(void *)(pass->scratch + p->slice[i].bias[k]));
}

/* The first hidden layer at some places of a phase: `together` rows (y,x) of the grid. */
static void run_first(const Pass *pass, const Slice *slice, int32_t phase, const uint8_t *known, int together,
                      const int32_t (*places)[2], uint8_t *const *hidden) {
    const cn_prior *p = pass->prior;
    const Layer *layer = &slice->layers[0];
    const int32_t *bias = (const int32_t *)(const void *)(pass->scratch + slice->bias[0]);
    int32_t sums[8 * WIDE * LANES], lanes = layer->vectors * LANES;
    const uint8_t *inputs[8];
    for (int i = 0; i < together; i++)
        inputs[i] = known + (ptrdiff_t)(places[i][0] * p->pitch + places[i][1] * p->padded) * element_bytes(p->seen.kind);
    for (int32_t block = 0; block < layer->vectors; block += WIDE) {
        products_of(layer, together, block, WIDE, inputs, sums);
        for (int i = 0; i < together; i++) {
            for (int32_t v = block; v < layer->vectors && v < block + WIDE; v++) {
                ints sum = load_ints(sums + (i * WIDE + v - block) * LANES) + load_ints(bias + v * LANES);
                sum += load_ints(slice->phase + phase * lanes + v * LANES);
                sum += load_ints(slice->row + places[i][0] * lanes + v * LANES);
                sum += load_ints(slice->column + places[i][1] * lanes + v * LANES);
                store_kept(p->hidden.kind, hidden[i], (size_t)v * LANES, requantize(layer, v, sum) - p->hidden.offset);
            }
        }
    }
}

/* The outputs at all places of a phase, (places,5 * channels). */
static void run_context(const Pass *pass, const Slice *slice, int32_t phase, const uint8_t *known, int32_t *outputs) {
    const cn_prior *p = pass->prior;
    int32_t first_row = PHASE_FIRST[phase][0], first_column = PHASE_FIRST[phase][1];
    int32_t columns = (p->columns - first_column + 1) / 2, count = (p->rows - first_row + 1) / 2 * columns;
    size_t hidden_bytes = p->windows;
    for (int32_t at = 0; at < count;) {
        int together = rows_together((size_t)(count - at));
        int32_t places[8][2];
        uint8_t *first[8], *second[8], *results[8];
        for (int i = 0; i < together; i++) {
            places[i][0] = first_row + 2 * ((at + i) / columns);
            places[i][1] = first_column + 2 * ((at + i) % columns);
            first[i] = pass->scratch + p->sums + (size_t)(2 * i) * hidden_bytes;
            second[i] = first[i] + hidden_bytes;
            results[i] = (uint8_t *)(outputs + (size_t)(at + i) * (size_t)(OUTPUTS * slice->channels));
        }
        run_first(pass, slice, phase, known, together, places, first);
        run_layer(&slice->layers[1], (const int32_t *)(const void *)(pass->scratch + slice->bias[1]), (size_t)together,
                  (const uint8_t *const *)first, p->hidden, second);
        run_layer(&slice->layers[2], (const int32_t *)(const void *)(pass->scratch + slice->bias[2]), (size_t)together,
                  (const uint8_t *const *)second, (Format){INT, 0, -OUTPUT_LIMIT, OUTPUT_LIMIT}, results);
        at += together;
    }
}

static void code_context(Pass *pass, int32_t number) {
    const cn_prior *p = pass->prior;
    const Slice *slice = &p->slice[number / PHASES];
    int32_t phase = number % PHASES, bound = p->bound[pass->quality * p->groups + number];
    int32_t *outputs = (int32_t *)(void *)(pass->scratch + p->outputs);
    const Group *group = &p->group[number];
    if (bound == 0) {
        code_zeros(pass, group->first, group->symbols);
        return; /* what is not known is 0 */
    }
    int32_t columns = (p->columns - PHASE_FIRST[phase][1] + 1) / 2, count = group->symbols / slice->channels;
    for (size_t image = 0; image < pass->images; image++) {
        uint8_t *known = known_of(pass, image);
        run_context(pass, slice, phase, known, outputs);
        for (int32_t c = 0; c < slice->channels; c++) {
            for (int32_t first = 0; first < count; first += MIXED) {
                ptrdiff_t step = OUTPUTS * slice->channels;
                int32_t some = count - first < MIXED ? count - first : MIXED, kept[MIXED];
                int32_t place = group->first + c * count + first;
                code_symbols(pass, image, place, some, outputs + first * step + c, slice->channels, step, bound, kept);
                for (int32_t s = 0; s < some; s++) {
                    int32_t y = PHASE_FIRST[phase][0] + 2 * ((first + s) / columns);
                    int32_t x = PHASE_FIRST[phase][1] + 2 * ((first + s) % columns);
                    put(p->seen.kind, known, (size_t)((y + 1) * p->pitch + (x + 1) * p->padded + slice->first + c),
                        kept[s]);
                }
            }
        }
    }
}

#endif
