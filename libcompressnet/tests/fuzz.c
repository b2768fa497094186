/* fuzz.c - libFuzzer: payloads of any bytes
 *
 * Compiled with one of FUZZ_MASKED, FUZZ_CONTEXT, FUZZ_PIXELS and FUZZ_ADAPTIVE, which are entropy
 * models of both kinds, pixel models and adaptive models. The first bytes of an input choose a model
 * and its use, the rest is the payload. All variants that this CPU can run must give the same, and
 * what was read must come back when it is written and read again.
 */
#include <stdlib.h>

#include "models.h"

#define CHOICES 4 /* bytes of an input before its payload */
#define MODELS 256
#define VARIANTS 8
#define MOST_ARRAYS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *arrays[MOST_ARRAYS];
static int array_count;

/* Memory of its own for each array, so that a step beyond it is seen. */
static void *room(size_t bytes) {
    size_t whole = (bytes + CN_ALIGNMENT - 1) / CN_ALIGNMENT * CN_ALIGNMENT;
    void *place = bytes % CN_ALIGNMENT ? malloc(bytes) : aligned_alloc(CN_ALIGNMENT, whole + CN_ALIGNMENT * !bytes);
    if (place == NULL || array_count == MOST_ARRAYS) abort();
    return arrays[array_count++] = place;
}

static void free_room(void) {
    while (array_count > 0) free(arrays[--array_count]);
}

static void expect(int holds) {
    if (!holds) abort();
}

/* The variants that this CPU can run. */
static int find_variants(const cn_core **cores) {
    int count = 0;
    for (const char *at = cn_core_names(); *at != 0;) {
        char name[32] = {0};
        size_t length = strcspn(at, " ");
        memcpy(name, at, length);
        at += length + (at[length] == ' ');
        if ((cores[count] = cn_core_find(name)) != NULL && count < VARIANTS - 1) count++;
    }
    return count;
}

#if defined(FUZZ_PIXELS)
static void write_again(const cn_pixels *pixels, int32_t height, int32_t width, size_t values, const uint8_t *image,
                        void *scratch) {
    size_t capacity = 8 * values + 16, length = 0;
    uint8_t *payload = room(capacity), *again = room(values);
    expect(cn_pixels_write(pixels, height, width, image, 1, payload, capacity, &length, NULL, scratch) == CN_OK);
    expect(cn_pixels_read(pixels, height, width, payload, &length, again, 1, scratch) == CN_OK);
    expect(memcmp(image, again, values) == 0);
}

/* Two images: the payload is cut where a choice says. */
static void fuzz(Random *r, const uint8_t *choices, const uint8_t *payload, size_t bytes) {
    cn_pixel_model m;
    const cn_core *cores[VARIANTS];
    random_pixels(r, &m);
    int32_t height = m.height ? m.height : choices[1] % 16 + 1, width = m.width ? m.width : choices[2] % 16 + 1;
    size_t values = (size_t)height * (size_t)width * (size_t)m.channels, lengths[2] = {bytes * choices[3] / 255, 0};
    lengths[1] = bytes - lengths[0];
    uint8_t *first = NULL;
    cn_status statuses[VARIANTS];
    for (int i = 0, count = find_variants(cores); i < count; i++) {
        cn_pixels *pixels = NULL;
        size_t size = cn_pixels_size(cores[i], &m);
        expect(size > 0 && cn_pixels_make(cores[i], &m, room(size), size, &pixels) == CN_OK);
        void *scratch = room(cn_pixels_scratch(pixels, height, width));
        uint8_t *images = room(2 * values);
        statuses[i] = cn_pixels_read(pixels, height, width, payload, lengths, images, 2, scratch);
        expect(statuses[i] == CN_OK || statuses[i] == CN_PAYLOAD);
        if (i == 0) first = images;
        expect(statuses[i] == statuses[0]);
        if (statuses[i] != CN_OK) continue;
        expect(memcmp(images, first, 2 * values) == 0);
        write_again(pixels, height, width, values, images, scratch);
    }
}
#elif defined(FUZZ_ADAPTIVE)
#define LEARNED 2

static cn_adaptive *make_adaptive(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels) {
    cn_adaptive *model = NULL;
    size_t size = cn_adaptive_size(core, settings, pixels);
    expect(size > 0 && cn_adaptive_make(core, settings, pixels, room(size), size, &model) == CN_OK);
    return model;
}

/* What was learned, to a payload and back, in models that know nothing yet. */
static void learn_again(const cn_core *core, const cn_adaptive_settings *settings, const cn_picture *pictures,
                        size_t pixels) {
    size_t ends[LEARNED], capacity = 16;
    cn_picture again[LEARNED];
    for (int i = 0; i < LEARNED; i++) {
        again[i] = pictures[i];
        again[i].values = room(bytes_of_picture(&pictures[i]));
        capacity += 14 * bytes_of_picture(&pictures[i]);
    }
    uint8_t *payload = room(capacity);
    cn_adaptive *writer = make_adaptive(core, settings, pixels), *reader = make_adaptive(core, settings, pixels);
    expect(cn_adaptive_learn_write(writer, pictures, LEARNED, payload, capacity, ends) == CN_OK);
    expect(cn_adaptive_learn_read(reader, again, LEARNED, payload, ends[LEARNED - 1]) == CN_OK);
    for (int i = 0; i < LEARNED; i++)
        expect(memcmp(again[i].values, pictures[i].values, bytes_of_picture(&pictures[i])) == 0);
}

/* A picture alone, of any payload, twice; and once more from what is written of it. */
static void read_alone(cn_adaptive *model, cn_picture *picture, const uint8_t *payload, size_t bytes) {
    size_t values = bytes_of_picture(picture), capacity = 14 * values + 16, length = 0;
    uint8_t *written = room(capacity);
    cn_picture again = *picture;
    again.values = room(values);
    void *scratch = room(cn_adaptive_scratch(model, picture));
    expect(cn_adaptive_read(model, picture, 1, payload, &bytes, scratch) == CN_OK);
    expect(cn_adaptive_read(model, &again, 1, payload, &bytes, scratch) == CN_OK);
    expect(memcmp(again.values, picture->values, values) == 0);
    expect(cn_adaptive_write(model, picture, 1, written, capacity, &length, scratch) == CN_OK);
    memset(again.values, 0, values);
    expect(cn_adaptive_read(model, &again, 1, written, &length, scratch) == CN_OK);
    expect(memcmp(again.values, picture->values, values) == 0);
}

/* Two pictures are learned from the payload up to where a choice says, and one is read of the rest. */
static void fuzz(Random *r, const uint8_t *choices, const uint8_t *payload, size_t bytes) {
    cn_adaptive_settings settings;
    const cn_core *cores[VARIANTS];
    cn_picture pictures[LEARNED + 1], first[LEARNED + 1];
    Random shapes = {choices[1] | (uint64_t)choices[2] << 8};
    size_t cut = bytes * choices[3] / 255, learned = 0;
    random_adaptive(r, &settings);
    for (int i = 0, count = find_variants(cores); i < count; i++) {
        learned = 0;
        for (int k = 0; k <= LEARNED; k++) {
            Random shape = {shapes.state + (uint64_t)k};
            pictures[k] = random_picture(&shape, 12);
            if (k < LEARNED) learned += (size_t)pictures[k].height * (size_t)pictures[k].width;
        }
        size_t pixels = learned + (size_t)pictures[LEARNED].height * (size_t)pictures[LEARNED].width;
        cn_adaptive *model = make_adaptive(cores[i], &settings, pixels);
        expect(cn_adaptive_learn_read(model, pictures, LEARNED, payload, cut) == CN_OK);
        read_alone(model, &pictures[LEARNED], payload + cut, bytes - cut);
        if (i == 0) memcpy(first, pictures, sizeof first);
        for (int k = 0; k <= LEARNED; k++)
            expect(memcmp(pictures[k].values, first[k].values, bytes_of_picture(&pictures[k])) == 0);
        learn_again(cores[i], &settings, pictures, learned);
    }
}
#else
static void write_again(const cn_prior *prior, int32_t quality, size_t values, const int16_t *symbols, size_t images,
                        void *scratch) {
    size_t capacity = 2 * values + 16, length = 0;
    uint8_t *payload = room(capacity);
    int16_t *again = room(values * sizeof *again);
    expect(cn_prior_write(prior, quality, symbols, images, payload, capacity, &length, NULL, scratch) == CN_OK);
    expect(cn_prior_read(prior, quality, payload, length, again, images, scratch) == CN_OK);
    expect(memcmp(symbols, again, values * sizeof *again) == 0);
}

static void fuzz(Random *r, const uint8_t *choices, const uint8_t *payload, size_t bytes) {
    cn_prior_model m;
    const cn_core *cores[VARIANTS];
#if defined(FUZZ_MASKED)
    random_prior(r, 1, &m);
#else
    random_prior(r, 0, &m);
#endif
    int32_t quality = choices[1] % QUALITIES;
    size_t images = choices[2] % 20 + 1u, values = (size_t)m.symbols * images;
    int16_t *first = NULL;
    cn_status statuses[VARIANTS];
    for (int i = 0, count = find_variants(cores); i < count; i++) {
        cn_prior *prior = NULL;
        size_t size = cn_prior_size(cores[i], &m);
        expect(size > 0 && cn_prior_make(cores[i], &m, room(size), size, &prior) == CN_OK);
        void *scratch = room(cn_prior_scratch(prior, images));
        int16_t *symbols = room(values * sizeof *symbols);
        statuses[i] = cn_prior_read(prior, quality, payload, bytes, symbols, images, scratch);
        expect(statuses[i] == CN_OK || statuses[i] == CN_PAYLOAD);
        if (i == 0) first = symbols;
        expect(statuses[i] == statuses[0]);
        if (statuses[i] != CN_OK) continue;
        expect(memcmp(symbols, first, values * sizeof *symbols) == 0);
        write_again(prior, quality, values, symbols, images, scratch);
    }
}
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < CHOICES) return 0;
    Random r = {data[0] % MODELS};
    size_t bytes = size - CHOICES;
    uint8_t *payload = malloc(bytes + !bytes); /* so that a step beyond its end is seen */
    if (payload == NULL) abort();
    memcpy(payload, data + CHOICES, bytes);
    fuzz(&r, data, payload, bytes);
    free(payload);
    free_room();
    return 0;
}
