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
#define SYMBOLS_LIMIT (1 << 14)
#define UNITS_LIMIT (1 << 16)
#define PHASES 4

typedef struct Group {
    int32_t symbols, first; /* how many, and the place of the first in `order` */
    /* masked */
    Layer layers[3];        /* hidden1, hidden2, output */
    size_t bias[3];         /* where their sums' start lies in the scratch */
    int32_t units, first_unit;
} Group;

/* A slice of channels of a convolutional model. */
typedef struct Slice {
    int32_t channels, first; /* how many, and the first one's number */
    Layer layers[3];         /* first, hidden, output */
    size_t bias[3];
    const int32_t *phase, *row, *column; /* (4,lanes), (rows,lanes), (columns,lanes) */
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
    const Slice *slice;
    size_t sums, outputs, windows, known, values; /* parts of the scratch; known: of each image */
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

static int32_t dequantized(const Pass *pass, int32_t place, int32_t symbol) {
    const cn_prior *p = pass->prior;
    int32_t factor = p->table[pass->quality * p->segments + p->segment[place]];
    return requantized(symbol * factor, p->shift, 0, p->low, p->high);
}

static void list_frequencies(Pass *pass, const Mixture *m) {
    size_t alphabet = (size_t)(2 * m->bound + 1);
    if (pass->room - pass->count < alphabet) {
        pass->status = CN_MEMORY;
        return;
    }
    for (int32_t k = -m->bound; k <= m->bound; k++)
        pass->frequencies[pass->count++] = (int32_t)(left_of(m, k + 1) - left_of(m, k));
}

/* One symbol: coded, counted or listed. `place` is its place in the order of coding. */
INLINE int32_t code_symbol(Pass *pass, size_t image, int32_t place, const int32_t *outputs, ptrdiff_t stride,
                           int32_t bound) {
    const cn_prior *p = pass->prior;
    size_t at = (size_t)(pass->quality * p->segments + p->segment[place]);
    Mixture m = mixture_of(&p->tables, outputs, stride, p->inverse_gain[at], p->scale_offset[at], bound);
    int16_t *symbol = pass->symbols + image * (size_t)p->symbols + p->order[place];
    uint32_t frequency = 1;
    if (pass->task == READ) {
        *symbol = (int16_t)decode_mixture(&pass->decoder, &m, &frequency);
        return *symbol;
    }
    if (*symbol < -bound || *symbol > bound) {
        pass->status = CN_ARGUMENT;
        return 0;
    }
    uint32_t left = left_of(&m, *symbol);
    frequency = left_of(&m, *symbol + 1) - left;
    if (pass->task == WRITE) encode(&pass->encoder, left, frequency);
    if (pass->task == LIST) list_frequencies(pass, &m);
    if (pass->bits != NULL) add_bits(&pass->bits[image], frequency);
    return *symbol;
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
