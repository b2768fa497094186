/* prior_pass.h - entropy models made, and what is asked of them */
#ifndef CN_PRIOR_PASS_H
#define CN_PRIOR_PASS_H

#include "prior_context.h"
#include "prior_masked.h"

static int check_prior(const cn_prior_model *m) {
    int64_t symbols = 0, repeats = 0;
    if (m->symbols < 1 || m->symbols > SYMBOLS_LIMIT || m->groups < 1 || m->groups > m->symbols) return 0;
    if (m->segments < 1 || m->segments > m->symbols || m->shift > SHIFT_LIMIT || m->shift < -SHIFT_LIMIT) return 0;
    if (m->low > m->high || m->low < -LARGEST_HIGH || m->high > LARGEST_HIGH) return 0;
    for (int32_t i = 0; i < m->symbols; i++)
        if (m->order[i] < 0 || m->order[i] >= m->symbols) return 0;
    for (int32_t g = 0; g < m->groups; g++) {
        if (m->group_symbols[g] < 1) return 0;
        symbols += m->group_symbols[g];
    }
    for (int32_t s = 0; s < m->segments; s++) {
        if (m->repeats[s] < 0) return 0;
        repeats += m->repeats[s];
    }
    for (int32_t i = 0; i < QUALITIES * m->groups; i++)
        if (m->bound[i] < 0 || m->bound[i] > BOUND_LIMIT) return 0;
    if (symbols != m->symbols || repeats != m->symbols) return 0;
    return m->group_units != NULL ? check_masked(m) : check_context(m);
}

static void *copied(Arena *arena, const void *from, size_t count, size_t each) {
    void *copy = take(arena, count, each);
    if (copy != NULL) memcpy(copy, from, count * each);
    return copy;
}

/* Which segment each symbol belongs to, in the order of coding. */
static const int32_t *segments_of(Arena *arena, const cn_prior_model *m) {
    int32_t *natural = take(arena, (size_t)m->symbols, sizeof *natural);
    int32_t *segment = take(arena, (size_t)m->symbols, sizeof *segment);
    if (segment == NULL) return NULL;
    for (int32_t s = 0, i = 0; s < m->segments; s++)
        for (int32_t k = 0; k < m->repeats[s]; k++) natural[i++] = s;
    for (int32_t i = 0; i < m->symbols; i++) segment[i] = natural[m->order[i]];
    return segment;
}

/* Parts of the scratch: sums' starts, outputs, two hidden layers and windows of 8
 * rows, what images know. */
static void place_scratch(cn_prior *p, Group *groups, Slice *slices) {
    size_t used = 0, places = p->is_masked ? BATCH : (size_t)((p->rows + 1) / 2) * (size_t)((p->columns + 1) / 2);
    int32_t count = p->is_masked ? p->groups : p->slices, most = 0;
    for (int32_t i = 0; i < count; i++) {
        Layer *layers = p->is_masked ? groups[i].layers : slices[i].layers;
        size_t *bias = p->is_masked ? groups[i].bias : slices[i].bias;
        for (int k = 0; k < 3; k++) {
            bias[k] = used;
            used += aligned((size_t)(layers[k].vectors * LANES) * sizeof(int32_t));
        }
        most = layers[2].outputs > most ? layers[2].outputs : most;
    }
    p->outputs = used;
    used += aligned(places * (size_t)most * sizeof(int32_t) + 4 * LANES);
    p->sums = used;
    p->windows = aligned((size_t)p->most_units * 4 + 4 * LANES);
    used += p->is_masked ? 0 : 16 * p->windows;
    p->around = used;
    used += 8 * p->window;
    p->gains = used;
    p->values = used + aligned(3 * (size_t)(p->symbols + MIXED) * sizeof(int32_t));
}

static cn_prior *make_prior(Arena *arena, const cn_core *core, const cn_prior_model *m) {
    size_t by_segment = (size_t)QUALITIES * (size_t)m->segments, by_group = (size_t)QUALITIES * (size_t)m->groups;
    cn_prior *p = take(arena, 1, sizeof *p);
    Group *groups = take(arena, (size_t)m->groups, sizeof *groups);
    cn_prior made = {.core = core, .symbols = m->symbols, .groups = m->groups, .segments = m->segments,
                     .is_masked = m->group_units != NULL, .shift = m->shift, .low = m->low, .high = m->high,
                     .seen = format_of(m->low, m->high), .hidden = format_of(HIDDEN_LOW, HIDDEN_HIGH), .group = groups};
    made.order = copied(arena, m->order, (size_t)m->symbols, sizeof *m->order);
    made.table = copied(arena, m->table, by_segment, sizeof *m->table);
    made.inverse_gain = copied(arena, m->inverse_gain, by_segment, sizeof *m->inverse_gain);
    made.scale_offset = copied(arena, m->scale_offset, by_segment, sizeof *m->scale_offset);
    made.bound = copied(arena, m->bound, by_group, sizeof *m->bound);
    made.segment = segments_of(arena, m);
    memcpy(made.tables.cdf, m->cdf, sizeof made.tables.cdf);
    memcpy(made.tables.reciprocal, m->reciprocal, sizeof made.tables.reciprocal);
    memcpy(made.tables.weight, m->weight, sizeof made.tables.weight);
    for (int32_t g = 0, first = 0; groups != NULL && g < m->groups; first += m->group_symbols[g++])
        groups[g] = (Group){.symbols = m->group_symbols[g], .first = first};
    if (made.is_masked) make_masked(arena, m, p == NULL ? NULL : &made, groups);
    else make_context(arena, m, p == NULL ? NULL : &made, groups);
    const void *parts = made.is_masked ? (const void *)groups : made.slice;
    if (p == NULL || parts == NULL || arena->failed) return NULL;
    place_scratch(&made, groups, (Slice *)(uintptr_t)made.slice);
    *p = made;
    return p;
}

static size_t prior_scratch(const cn_prior *prior, size_t images) {
    size_t most = SIZE_MAX >> (sizeof(size_t) > 4 ? 24 : 1); /* far more than any block needs */
    if (images > most / (prior->known + sizeof(Bits))) return 0;
    return prior->values + images * prior->known + aligned(images * sizeof(Bits));
}

/* All groups of a block. Bits are counted where `bits` is not NULL. */
static cn_status run_pass(Pass *pass, uint64_t *bits) {
    const cn_prior *p = pass->prior;
    if (pass->quality < 0 || pass->quality >= QUALITIES) return CN_ARGUMENT;
    pass->bits = bits == NULL ? NULL : (Bits *)(void *)(pass->scratch + p->values + pass->images * p->known);
    for (size_t i = 0; bits != NULL && i < pass->images; i++) pass->bits[i] = NO_BITS;
    start_gains(pass);
    if (p->is_masked) start_masked(pass);
    else start_context(pass);
    int32_t active = active_groups(p, pass->quality);
    for (int32_t g = 0; g < p->groups && pass->status == CN_OK && !pass->decoder.wrong; g++) {
        if (g >= active) code_zeros(pass, p->group[g].first, p->group[g].symbols);
        else if (p->is_masked) code_masked(pass, g);
        else code_context(pass, g);
    }
    for (size_t i = 0; bits != NULL && i < pass->images; i++) bits[i] = bits_of(&pass->bits[i]);
    return pass->decoder.wrong ? CN_PAYLOAD : pass->status;
}

static cn_status prior_write(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                             uint8_t *payload, size_t capacity, size_t *bytes_written, uint64_t *bits,
                             void *scratch) {
    Pass pass = {.prior = prior, .task = WRITE, .quality = quality, .symbols = (int16_t *)(uintptr_t)symbols,
                 .images = images, .scratch = scratch};
    start_encoder(&pass.encoder, payload, capacity);
    cn_status status = run_pass(&pass, bits);
    return status == CN_OK ? finish_encoder(&pass.encoder, bytes_written) : status;
}

static cn_status prior_read(const cn_prior *prior, int32_t quality, const uint8_t *payload, size_t count,
                            int16_t *symbols, size_t images, void *scratch) {
    Pass pass = {.prior = prior, .task = READ, .quality = quality, .symbols = symbols, .images = images,
                 .scratch = scratch};
    start_decoder(&pass.decoder, payload, count);
    return run_pass(&pass, NULL);
}

static cn_status prior_bits(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                            uint64_t *bits, void *scratch) {
    Pass pass = {.prior = prior, .task = COUNT, .quality = quality, .symbols = (int16_t *)(uintptr_t)symbols,
                 .images = images, .scratch = scratch};
    return run_pass(&pass, bits);
}

static cn_status prior_frequencies(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                                   int32_t *frequencies, size_t capacity, size_t *count, void *scratch) {
    Pass pass = {.prior = prior, .task = LIST, .quality = quality, .symbols = (int16_t *)(uintptr_t)symbols,
                 .images = images, .scratch = scratch, .frequencies = frequencies, .room = capacity};
    cn_status status = run_pass(&pass, NULL);
    *count = pass.count;
    return status;
}

#endif
