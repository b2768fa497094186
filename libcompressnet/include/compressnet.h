/* compressnet.h - the compiled core of compressnet, a codec for collections of small images
 *
 * MIT licence, see LICENSE
 *
 * ABOUT
 *
 * Four things, all in integers, the same results on every machine:
 *
 *   networks        cn_network_*    images to symbols, symbols to images
 *   entropy models  cn_prior_*      symbols to a payload and back (lossy blocks)
 *   pixel models    cn_pixels_*     images to a payload and back (lossless blocks)
 *   adaptive models cn_adaptive_*   the same, learning from images instead of being trained
 *
 * docs/FORMAT.md defines what they compute. This library reads no files and parses no codecs: its
 * caller does, proves that a codec keeps the bounds of FORMAT.md, "Exactness" and "Limits", and
 * hands over its arrays.
 *
 * SYNOPSIS
 *
 *   const cn_core *core = cn_core_find(NULL);             the best variant that this CPU can run
 *
 *   size_t size = cn_network_size(core, &program);        0: the program cannot be run
 *   cn_network *network;
 *   cn_network_make(core, &program, malloc(size), size, &network);
 *   void *scratch = malloc(cn_network_scratch(network));  one for each thread
 *   cn_network_run(network, quality, CN_I16, symbols, CN_U8, pixels, images, scratch);
 *
 * Priors and pixel models are made and used in the same way; adaptive models change as they learn.
 *
 * MEMORY AND THREADS
 *
 * The caller owns all memory; nothing here allocates, and there is no global state. Memory must be
 * aligned to CN_ALIGNMENT bytes. What `make` writes into `memory` holds no pointer to what it was
 * made of, which may go; it is never written again, so that any number of threads may use it at
 * once, each with a scratch of its own.
 *
 * ERRORS
 *
 * A function that can fail returns a cn_status. What a payload says is never trusted: any bytes
 * give some result or CN_PAYLOAD, and nothing outside of the arrays given is read or written. What
 * `make` gets is checked as far as memory depends on it (CN_ARGUMENT), not for exactness.
 */
#ifndef COMPRESSNET_H
#define COMPRESSNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define CN_API __declspec(dllexport)
#elif defined(__GNUC__)
#define CN_API __attribute__((visibility("default")))
#else
#define CN_API
#endif

#define CN_INTERFACE 5  /* changes when anything below does */
#define CN_ALIGNMENT 64 /* of memory and scratch, in bytes */

typedef enum cn_status {
    CN_OK = 0,
    CN_ARGUMENT = 1, /* what was handed over does not fit together, or is beyond a limit */
    CN_MEMORY = 2,   /* the memory, or the room for the result, is too small */
    CN_PAYLOAD = 3,  /* the payload cannot come from these frequencies */
    CN_LIMIT = 4     /* reading the payload takes more than was allowed */
} cn_status;

/* VARIANTS
 *
 * The same code compiled for several CPUs. All of them give the same bytes. */

typedef struct cn_core cn_core;

CN_API int32_t cn_interface(void); /* CN_INTERFACE of the library that was loaded */
CN_API const char *cn_core_names(void); /* of all that were compiled, the best first, by spaces */
CN_API const cn_core *cn_core_find(const char *name); /* NULL: the best one. NULL: cannot run it */
CN_API const char *cn_core_name(const cn_core *core);

/* NETWORKS
 *
 * A program is nodes over registers: register 0 is the input, node i writes register i + 1, the
 * last one's result is the output. Shapes are channels, height, width; a vector of D is D, 1, 1. */

enum cn_op {
    CN_CONV = 0,     /* attributes: stride, padding */
    CN_DENSE = 1,    /*             none */
    CN_ADD = 2,      /*             none */
    CN_GAIN = 3,     /*             none */
    CN_CONCAT = 4,   /*             none */
    CN_SLICE = 5,    /*             start, stop */
    CN_RESHAPE = 6,  /*             channels, height, width */
    CN_SHUFFLE = 7,  /*             factor */
    CN_UNSHUFFLE = 8, /*            factor */
    CN_CROP = 9,     /*             height, width */
    CN_EXTEND = 10   /*             rows, columns */
};

typedef struct cn_node {
    int32_t op;              /* one of cn_op */
    int32_t inputs;          /* how many */
    const int32_t *input;    /* (inputs,) numbers of registers */
    int32_t attributes[3];
    int32_t shape[3];        /* of the result */
    int32_t low, high;       /* of the result's values; the clamp, where the op has one */
    int32_t leaky;           /* 1: the activation is leaky, 0: linear */
    int32_t kernel[2];       /* conv: height, width */
    int32_t bias_rows;       /* conv, dense: 1 or 12 */
    int32_t segments;        /* gain */
    const int8_t *weight;    /* conv (O,I,h,w), dense (O,I) */
    const int32_t *bias;     /* (bias_rows,O) */
    const int8_t *shift;     /* (O,); gain (1,) */
    const int16_t *table;    /* gain (100,segments) */
    const int16_t *bound;    /* gain (100,segments), or NULL */
    const int32_t *repeats;  /* gain (segments,) */
    int32_t like;            /* conv, dense: the node of the program's `like` that has the same arrays, or -1 */
} cn_node;

typedef struct cn_network cn_network;

typedef struct cn_program {
    const cn_node *nodes;
    int32_t count;
    int32_t shape[3];  /* of the input: channels, height, width */
    int32_t low, high; /* of the input's values */
    const cn_network *like; /* made of such nodes for images of another size, or NULL; weights are not
                             * copied but read where it has them, so it has to live as long */
} cn_program;

typedef enum cn_type { CN_U8 = 0, CN_I16 = 1, CN_I32 = 2 } cn_type;

CN_API size_t cn_network_size(const cn_core *core, const cn_program *program);
CN_API cn_status cn_network_make(const cn_core *core, const cn_program *program, void *memory,
                                 size_t size, cn_network **network);
CN_API size_t cn_network_scratch(const cn_network *network);

/* Runs images at a quality of 0 to 99. `in` and `out` are channels last, (images,H,W,C), for
 * vectors (images,D). Inputs must lie in the program's range, outputs in that of their type; what
 * does not is clamped. */
CN_API cn_status cn_network_run(const cn_network *network, int32_t quality, cn_type in_type,
                                const void *in, cn_type out_type, void *out, size_t images,
                                void *scratch);

/* ENTROPY MODELS
 *
 * Of a block's symbols; see FORMAT.md, "Entropy model". Symbols are (images,D) in their natural
 * order. Bits are the ideal code length of each image in units of 2^-32 bits, where not NULL. */

typedef struct cn_dense {
    int32_t outputs, inputs; /* flat masked layers: inputs is 0 */
    int32_t bias_rows;       /* 1, 12 or 16 */
    const int8_t *weight;    /* (O,I) */
    const int32_t *bias;     /* (bias_rows,O) */
    const int8_t *shift;     /* (O,) */
} cn_dense;

typedef struct cn_slice {
    int32_t channels, units;
    const int8_t *weight;  /* (U,E,3,3) */
    const int32_t *bias;   /* (12,U) */
    const int32_t *phase;  /* (4,U); of a pyramid (13,U) */
    const int32_t *row;    /* (rows,U) */
    const int32_t *column; /* (columns,U) */
    const int8_t *shift;   /* (U,) */
    cn_dense hidden, output;
} cn_slice;

typedef struct cn_prior cn_prior;

typedef struct cn_prior_model {
    int32_t symbols, groups, segments;
    const int32_t *order;         /* (D,) */
    const int32_t *group_symbols; /* (G,) */
    const int32_t *repeats;       /* (S,) of the decoder's first gain, as the next four */
    const int16_t *table;         /* (100,S) */
    int32_t shift, low, high;
    const int16_t *inverse_gain, *scale_offset; /* (100,S) */
    const int16_t *bound;         /* (100,G), 0 to 127 */
    const uint16_t *cdf;          /* (3073,) */
    const int32_t *reciprocal;    /* (81,) */
    const uint8_t *weight;        /* (256,) */
    const int32_t *group_units;   /* (G,); NULL where the model is convolutional */
    cn_dense masked[3];           /* hidden1, hidden2, output; flat weights */
    int32_t grid[3];              /* channels, rows, columns, where it is convolutional */
    int32_t slices;
    const cn_slice *slice;
    const cn_slice *pyramid;      /* of the first slice's first phase, with its channels; or NULL */
    const cn_prior *like;         /* made of the same slices for another grid, or NULL; as for networks */
} cn_prior_model;

CN_API size_t cn_prior_size(const cn_core *core, const cn_prior_model *model);
CN_API cn_status cn_prior_make(const cn_core *core, const cn_prior_model *model, void *memory,
                               size_t size, cn_prior **prior);
CN_API size_t cn_prior_scratch(const cn_prior *prior, size_t images);

/* Writes a block. `capacity` of 2 * D bytes an image and 16 more is always enough; symbols beyond
 * their bound are refused (CN_ARGUMENT). */
CN_API cn_status cn_prior_write(const cn_prior *prior, int32_t quality, const int16_t *symbols,
                                size_t images, uint8_t *payload, size_t capacity, size_t *bytes,
                                uint64_t *bits, void *scratch);
CN_API cn_status cn_prior_read(const cn_prior *prior, int32_t quality, const uint8_t *payload,
                               size_t bytes, int16_t *symbols, size_t images, void *scratch);
CN_API cn_status cn_prior_bits(const cn_prior *prior, int32_t quality, const int16_t *symbols,
                               size_t images, uint64_t *bits, void *scratch);
/* All frequencies of given symbols, in the order of coding: what a codec's probe is a hash of.
 * `count` is how many were written. */
CN_API cn_status cn_prior_frequencies(const cn_prior *prior, int32_t quality,
                                      const int16_t *symbols, size_t images, int32_t *frequencies,
                                      size_t capacity, size_t *count, void *scratch);

/* PIXEL MODELS
 *
 * See FORMAT.md, "Lossless payload". Images are (images,H,W,C), each coded alone. */

typedef struct cn_plane {
    int32_t background;
    int32_t near_rows, far_rows, across_rows; /* of the templates */
    const int8_t *near, *far, *across;        /* (R,3): dy, first, last */
    int32_t near_columns, far_columns, across_columns, seen_columns;
    const int8_t *near_table, *far_table;     /* (257,columns) */
    const int8_t *across_table;               /* (planes before,257,columns) */
    const int8_t *seen_table;                 /* (257,columns) */
    const int32_t *seen_bias;                 /* (columns,) */
    const int8_t *seen_shift;                 /* (columns,) */
    const int32_t *row, *column;              /* (H,U), (W,U), or (1,U) for any size */
    const int32_t *quiet;                     /* (H,W), or (1,1) for any size */
    int32_t layers;
    const cn_dense *layer;                    /* (layers,) */
    cn_dense flag, high, low1, low2;
} cn_plane;

typedef struct cn_pixel_model {
    int32_t channels;
    int32_t height, width;  /* 0, 0: any size */
    const cn_plane *planes; /* (channels,) */
} cn_pixel_model;

typedef struct cn_pixels cn_pixels;

CN_API size_t cn_pixels_size(const cn_core *core, const cn_pixel_model *model);
CN_API cn_status cn_pixels_make(const cn_core *core, const cn_pixel_model *model, void *memory,
                                size_t size, cn_pixels **pixels);
/* 0: images are larger than those that the model is for, or have more than 2^16 values. A model
 * for one size codes smaller images too, as its probe wants: they lie in its upper left corner. */
CN_API size_t cn_pixels_scratch(const cn_pixels *pixels, int32_t height, int32_t width);

/* Writes images, one payload after the other; `lengths` gets the bytes of each. A `capacity` of
 * 8 * H * W * C + 16 bytes an image is always enough. */
CN_API cn_status cn_pixels_write(const cn_pixels *pixels, int32_t height, int32_t width,
                                 const uint8_t *images, size_t count, uint8_t *payload,
                                 size_t capacity, size_t *lengths, uint64_t *bits, void *scratch);
CN_API cn_status cn_pixels_read(const cn_pixels *pixels, int32_t height, int32_t width,
                                const uint8_t *payload, const size_t *lengths, uint8_t *images,
                                size_t count, void *scratch);

/* ADAPTIVE MODELS
 *
 * See FORMAT.md, "Adaptive payload". A model learns from images of any sizes, channels and depths
 * while it codes them (`learn`), or codes each image alone, beginning with what it has learned, and
 * is then as it was before. Its memory is changed in both cases: it serves one thread at a time, and
 * `copy` makes another one. What is in its memory has no pointers but that to its core. */

typedef struct cn_adaptive_settings {
    int32_t table_bits;         /* 2^10 to 2^22 buckets of 16 bytes */
    uint32_t flags, bytes, histograms; /* bit sets: which contexts are used */
    const uint16_t *squash;     /* (4096,) */
    const int16_t *stretch;     /* (4096,) */
    const uint16_t *logarithm;  /* (4096,) */
} cn_adaptive_settings;

typedef struct cn_picture {
    int32_t height, width; /* 1 to 4096 */
    int32_t channels;      /* 1 to 4: L, LA, RGB, RGBA */
    int32_t deep;          /* 1: two bytes a value, the high bytes of all channels first */
    uint8_t *values;       /* (H,W,bytes) */
} cn_picture;

typedef struct cn_adaptive cn_adaptive;

/* `pixels`: of all images that it is to learn, and of the largest one that it is to code alone. */
CN_API size_t cn_adaptive_size(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels);
CN_API cn_status cn_adaptive_make(const cn_core *core, const cn_adaptive_settings *settings,
                                  size_t pixels, void *memory, size_t size, cn_adaptive **model);
CN_API size_t cn_adaptive_copy_size(const cn_adaptive *model, size_t pixels);
CN_API cn_status cn_adaptive_copy(const cn_adaptive *model, size_t pixels, void *memory, size_t size,
                                  cn_adaptive **copy);

/* How many bytes a payload may have in pixels that are not foretold, which take the most time, besides
 * 64 for each byte of its own; at first, any number. Reading one that has more gives CN_LIMIT, and a
 * model that was learning is then of no use. Writing fills a payload that is too short for what it
 * holds up with zeros, which change nothing. */
CN_API void cn_adaptive_allow(cn_adaptive *model, size_t bytes);

/* Pictures in one payload. `ends` gets how many bytes were written after each; the last one is the
 * payload's length, which may be less than ends before it, as zeros at the end are left out. A
 * `capacity` of 14 bytes a byte and 16 more is always enough: a decision takes up to 12 bits. */
CN_API cn_status cn_adaptive_learn_write(cn_adaptive *model, const cn_picture *pictures,
                                         size_t count, uint8_t *payload, size_t capacity,
                                         size_t *ends);
CN_API cn_status cn_adaptive_learn_read(cn_adaptive *model, const cn_picture *pictures,
                                        size_t count, const uint8_t *payload, size_t bytes);

/* Pictures of one size, each in a payload of its own. `scratch` is for this size. */
CN_API size_t cn_adaptive_scratch(const cn_adaptive *model, const cn_picture *picture);
CN_API cn_status cn_adaptive_write(cn_adaptive *model, const cn_picture *pictures, size_t count,
                                   uint8_t *payload, size_t capacity, size_t *lengths,
                                   void *scratch);
CN_API cn_status cn_adaptive_read(cn_adaptive *model, const cn_picture *pictures, size_t count,
                                  const uint8_t *payload, const size_t *lengths, void *scratch);

#ifdef __cplusplus
}
#endif
#endif
