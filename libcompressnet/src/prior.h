/* prior.h - entropy models: a block's symbols to a payload and back; FORMAT.md, "Entropy model"
 *
 * Group by group; within a group image by image. `prior_masked.h` and `prior_context.h` turn what
 * is known of an image into a group's outputs; the rest is the same for both.
 */
#ifndef CN_PRIOR_H
#define CN_PRIOR_H

#include "layer.h"
#include "mixture.h"

#define OUTPUTS 5
#define SYMBOLS_LIMIT (1 << 22)
#define UNITS_LIMIT (1 << 16)
#define PHASES 4
#define PYRAMID_LEVELS 4
#define PYRAMID_PHASES (1 + (PHASES - 1) * PYRAMID_LEVELS)

/* The places of a group: in every `step`-th row and column from a first one. */
typedef struct Lattice {
    int32_t row, column, step, phase, is_pyramid;
} Lattice;

typedef struct Group {
    int32_t symbols, first; /* how many, and the place of the first in `order` */
    /* masked */
    Layer layers[3];        /* hidden1, hidden2, output */
    size_t bias[3];         /* where their sums' start lies in the scratch */
    int32_t units, first_unit;
    /* convolutional */
    Lattice at;
    int32_t slice;          /* whose layers code it */
} Group;

/* A slice of channels of a convolutional model; its pyramid is the last one. */
typedef struct Slice {
    int32_t channels, first; /* how many, and the first one's number */
    Layer layers[3];         /* first, hidden, output */
    size_t bias[3];
    const int32_t *phase, *row, *column; /* (phases,lanes), (rows,lanes), (columns,lanes) */
} Slice;

struct cn_prior {
    const cn_core *core;
    int32_t symbols, groups, segments, is_masked;
    const int32_t *order;   /* (D,) */
    const int32_t *segment; /* (D,) of each symbol, in the order of coding */
    const int16_t *table, *inverse_gain, *scale_offset, *bound;
    int32_t shift, low, high;
    Tables tables;
    Format seen, hidden;    /* how dequantized symbols, and hidden units, are kept */
    const Group *group;
    int32_t units, most_symbols, most_units; /* in all; of a group or slice at most */
    int32_t channels, rows, columns, padded, pitch, slices; /* convolutional: the grid */
    int32_t has_pyramid;
    const Slice *slice;
    size_t sums, outputs, windows, known, values; /* parts of the scratch; known: of each image */
    size_t around, window;  /* another: what places of a pyramid see, `window` bytes each */
    size_t gains;           /* another: of each symbol, in the order of coding */
    size_t hidden2;         /* where an image's second hidden layer lies, after what it knows */
};

/* What a pass does with each symbol. */
typedef enum Task { WRITE, READ, COUNT, LIST } Task;

typedef struct Pass {
    const cn_prior *prior;
    Task task;
    int32_t quality;
    int16_t *symbols; /* (images,D) */
    size_t images;
    uint8_t *scratch;
    Encoder encoder;
    Decoder decoder;
    Bits *bits; /* (images,), or NULL */
    int32_t *frequencies;
    size_t room, count;
    cn_status status;
} Pass;

static uint8_t *known_of(const Pass *pass, size_t image) {
    return pass->scratch + pass->prior->values + image * pass->prior->known;
}

/* At a quality, of each symbol: what turns its means, its scales and itself into steps; and 0s. */
static int32_t *gains_of(const Pass *pass, int kind) {
    size_t padded = (size_t)(pass->prior->symbols + MIXED);
    return (int32_t *)(void *)(pass->scratch + pass->prior->gains) + (size_t)kind * padded;
}

static void start_gains(const Pass *pass) {
    const cn_prior *p = pass->prior;
    const int16_t *tables[3] = {p->inverse_gain, p->scale_offset, p->table};
    for (int kind = 0; kind < 3; kind++)
        for (int32_t i = 0; i < p->symbols + MIXED; i++)
            gains_of(pass, kind)[i] =
                i < p->symbols ? tables[kind][pass->quality * p->segments + p->segment[i]] : 0;
}

/* Symbols dequantized, as they are kept. */
INLINE void dequantize(const Pass *pass, int32_t place, const int32_t *symbols, int32_t *kept) {
    const cn_prior *p = pass->prior;
    const int32_t *factor = gains_of(pass, 2) + place;
    int32_t shift = p->shift, half = shift > 0 ? 1 << (shift - 1) : 0;
    for (int s = 0; s < MIXED; s++) {
        if (shift >= 0) kept[s] = clamped((symbols[s] * factor[s] + half) >> shift, p->low, p->high);
        else kept[s] = requantized(symbols[s] * factor[s], shift, 0, p->low, p->high);
        kept[s] -= p->seen.offset;
    }
}

static void list_frequencies(Pass *pass, const Mixtures *m, int32_t s) {
    size_t alphabet = (size_t)(2 * m->bound + 1);
    if (pass->room - pass->count < alphabet) {
        pass->status = CN_MEMORY;
        return;
    }
    for (int32_t k = -m->bound; k <= m->bound; k++)
        pass->frequencies[pass->count++] = (int32_t)(left_of(m, s, k + 1) - left_of(m, s, k));
}

/* Up to MIXED symbols of an image from `place` on in the order of coding, their outputs as
 * `make_mixtures` wants them: coded, counted or listed. `kept` gets them dequantized. */
static void code_symbols(Pass *pass, size_t image, int32_t place, int32_t count, const int32_t *outputs,
                         ptrdiff_t stride, ptrdiff_t step, int32_t bound, int32_t *kept) {
    const cn_prior *p = pass->prior;
    int16_t *symbols = pass->symbols + image * (size_t)p->symbols;
    const int32_t *gain = gains_of(pass, 0) + place, *offset = gains_of(pass, 1) + place;
    Mixtures m;
    if (step == 1) make_mixtures(&m, &p->tables, outputs, stride, 1, count, gain, offset, bound);
    else make_mixtures(&m, &p->tables, outputs, stride, step, count, gain, offset, bound);
    if (pass->task == READ) {
        find_likely(&m);
        find_edges(&m);
        for (int32_t s = 0; s < count; s++) {
            decode_mixture(&pass->decoder, &m, s);
            symbols[p->order[place + s]] = (int16_t)m.k[s];
        }
        dequantize(pass, place, m.k, kept);
        return;
    }
    for (int32_t s = 0; s < MIXED; s++) {
        int32_t symbol = s < count ? symbols[p->order[place + s]] : 0;
        if (symbol < -bound || symbol > bound) pass->status = CN_ARGUMENT;
        m.k[s] = clamped(symbol, -bound, bound);
    }
    find_edges(&m);
    dequantize(pass, place, m.k, kept);
    for (int32_t s = 0; s < count && pass->status == CN_OK; s++) {
        if (pass->task == WRITE) encode(&pass->encoder, m.left[s], m.right[s] - m.left[s]);
        if (pass->task == LIST) list_frequencies(pass, &m, s);
        if (pass->bits != NULL) add_bits(&pass->bits[image], m.right[s] - m.left[s]);
    }
}

/* A group whose bound is 0: its symbols are 0. */
static void code_zeros(Pass *pass, int32_t first, int32_t count) {
    const cn_prior *p = pass->prior;
    for (size_t image = 0; image < pass->images; image++) {
        int16_t *symbols = pass->symbols + image * (size_t)p->symbols;
        for (int32_t i = first; i < first + count; i++) {
            if (pass->task == READ) symbols[p->order[i]] = 0;
            else if (symbols[p->order[i]] != 0) pass->status = CN_ARGUMENT;
        }
    }
}

/* How many groups there are up to the last one whose symbols are not all 0. */
static int32_t active_groups(const cn_prior *prior, int32_t quality) {
    int32_t count = prior->groups;
    while (count > 0 && prior->bound[quality * prior->groups + count - 1] == 0) count--;
    return count;
}

#endif
