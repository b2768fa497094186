/* prior_masked.h - the masked MLP: groups of symbols from all groups before them */
#ifndef CN_PRIOR_MASKED_H
#define CN_PRIOR_MASKED_H

#include "prior.h"

typedef struct FlatContext {
    const int8_t *weight; /* of the group, (rows,seen) */
    int32_t seen;
} FlatContext;

static int32_t flat_weight(const void *context, int32_t output, int32_t run, int32_t element) {
    const FlatContext *flat = context;
    (void)run;
    return element < flat->seen ? flat->weight[(size_t)output * (size_t)flat->seen + (size_t)element] : 0;
}

/* One layer of a group: `rows` outputs from the first `seen` values. Advances `weight`, `first`. */
static void make_group_layer(Arena *arena, const cn_dense *dense, int32_t rows, int32_t seen, int32_t is_output,
                             Format input, size_t *weight, int32_t *first, int32_t all, Layer *layer) {
    FlatContext flat = {dense->weight + *weight, seen};
    LayerPlan plan = {.outputs = rows, .input = input, .runs = 1, .elements = padded_to_step(seen, input.kind),
                      .offsets = NO_OFFSET, .weight_at = flat_weight, .context = &flat,
                      .bias_rows = dense->bias_rows, .bias = dense->bias, .shift = dense->shift, .first = *first,
                      .all_outputs = all, .leaky = !is_output, .low = is_output ? -OUTPUT_LIMIT : HIDDEN_LOW,
                      .high = is_output ? OUTPUT_LIMIT : HIDDEN_HIGH};
    make_layer(arena, &plan, layer);
    *weight += (size_t)rows * (size_t)seen;
    *first += rows;
}

static int check_masked(const cn_prior_model *model) {
    int64_t units = 0;
    for (int32_t g = 0; g < model->groups; g++) {
        if (model->group_units[g] < 1 || model->group_units[g] > UNITS_LIMIT) return 0;
        units += model->group_units[g];
    }
    for (int k = 0; k < 3; k++) {
        const cn_dense *d = &model->masked[k];
        if (d->weight == NULL || d->bias == NULL || d->shift == NULL) return 0;
        if (d->bias_rows != 1 && d->bias_rows != ANCHORS) return 0;
        if (d->outputs != (k < 2 ? units : OUTPUTS * model->symbols)) return 0;
    }
    return units <= UNITS_LIMIT;
}

static void make_masked(Arena *arena, const cn_prior_model *model, cn_prior *prior, Group *groups) {
    Format seen = format_of(model->low, model->high), hidden = format_of(HIDDEN_LOW, HIDDEN_HIGH);
    size_t weight[3] = {0, 0, 0};
    int32_t first[3] = {0, 0, 0}, symbols = 0, units = 0, most = 0;
    for (int32_t g = 0; g < model->groups; g++) {
        int32_t n = model->group_symbols[g], u = model->group_units[g];
        int32_t rows[3] = {u, u, OUTPUTS * n}, reads[3] = {symbols, units + u, units + u};
        for (int k = 0; k < 3; k++)
            make_group_layer(arena, &model->masked[k], rows[k], reads[k], k == 2, k == 0 ? seen : hidden, &weight[k],
                             &first[k], model->masked[k].outputs, groups == NULL ? NULL : &groups[g].layers[k]);
        if (groups != NULL) {
            groups[g].units = u;
            groups[g].first_unit = units;
        }
        symbols += n;
        units += u;
        most = u > most ? u : most;
    }
    if (prior == NULL) return;
    prior->units = units;
    prior->most_units = most;
    /* an image's symbols, its first hidden layer, its second; with room for reading whole steps */
    size_t seen_bytes = aligned((size_t)symbols * (size_t)element_bytes(seen.kind) + 4 * LANES);
    size_t hidden_bytes = aligned((size_t)units * (size_t)element_bytes(hidden.kind) + 4 * LANES);
    prior->hidden2 = seen_bytes + hidden_bytes;
    prior->known = seen_bytes + 2 * hidden_bytes;
}

#define BATCH 16 /* images that a group's layers run over together */

/* Both hidden layers of a group, and its outputs where `outputs` is not NULL: (count,5 * n). */
static void run_masked(const Pass *pass, const Group *group, size_t image, size_t count, int32_t *outputs) {
    const cn_prior *p = pass->prior;
    const uint8_t *inputs[BATCH];
    uint8_t *results[BATCH];
    size_t first_unit = (size_t)group->first_unit * (size_t)element_bytes(p->hidden.kind);
    size_t hidden1 = 2 * p->hidden2 - p->known; /* the second layer is as long as the first */
    size_t starts[3] = {0, hidden1, p->hidden2};
    for (int k = 0; k < (outputs == NULL ? 2 : 3); k++) {
        for (size_t i = 0; i < count; i++) {
            uint8_t *known = known_of(pass, image + i);
            inputs[i] = known + starts[k];
            results[i] = k == 2 ? (uint8_t *)(outputs + i * (size_t)(OUTPUTS * group->symbols))
                                : known + starts[k + 1] + first_unit;
        }
        const int32_t *bias = (const int32_t *)(const void *)(pass->scratch + group->bias[k]);
        Format format = k == 2 ? (Format){INT, 0, -OUTPUT_LIMIT, OUTPUT_LIMIT} : p->hidden;
        run_layer(&group->layers[k], bias, count, inputs, format, results);
    }
}

static void start_masked(const Pass *pass) {
    const cn_prior *p = pass->prior;
    for (size_t image = 0; image < pass->images; image++) fill_zeros(p->seen, known_of(pass, image), p->known);
    for (int32_t g = 0; g < p->groups; g++)
        for (int k = 0; k < 3; k++)
            bias_at(&p->group[g].layers[k], pass->quality, (int32_t *)(void *)(pass->scratch + p->group[g].bias[k]));
}

static void code_masked(Pass *pass, int32_t number) {
    const cn_prior *p = pass->prior;
    const Group *group = &p->group[number];
    int32_t bound = p->bound[pass->quality * p->groups + number], n = group->symbols;
    int32_t *outputs = (int32_t *)(void *)(pass->scratch + p->outputs);
    if (bound == 0) code_zeros(pass, group->first, n);
    for (size_t image = 0; image < pass->images; image += BATCH) {
        size_t count = pass->images - image < BATCH ? pass->images - image : BATCH;
        run_masked(pass, group, image, count, bound == 0 ? NULL : outputs);
        for (size_t i = 0; bound != 0 && i < count; i++) {
            for (int32_t first = 0; first < n; first += MIXED) {
                int32_t some = n - first < MIXED ? n - first : MIXED, kept[MIXED];
                const int32_t *five = outputs + i * (size_t)(OUTPUTS * n) + first;
                code_symbols(pass, image + i, group->first + first, some, five, n, 1, bound, kept);
                for (int32_t s = 0; s < some; s++)
                    put(p->seen.kind, known_of(pass, image + i), (size_t)(group->first + first + s), kept[s]);
            }
        }
    }
}

#endif
