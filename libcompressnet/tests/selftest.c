/* selftest.c - what all entry points give for pseudo-random models, as one number for each variant
 *
 * All variants on all machines must give the same number. `selftest [MODELS]` prints a line for
 * each variant that this CPU can run; in WebAssembly, `selftest` is called instead.
 */
#include "models.h"

#define POOL (1 << 26)
#define FREQUENCIES (1 << 20)
#define IMAGES 19 /* at most */

static uint8_t pool[POOL] __attribute__((aligned(CN_ALIGNMENT)));
static size_t pool_used;
static uint64_t digest;
static int failures; /* results that contradict each other */

static void *room(size_t bytes) {
    void *place = pool + pool_used;
    pool_used += (bytes + CN_ALIGNMENT) / CN_ALIGNMENT * CN_ALIGNMENT;
    if (pool_used > POOL) __builtin_trap();
    return place;
}

/* FNV-1a. */
static void add_result(const void *from, size_t count) {
    const uint8_t *bytes = from;
    for (size_t i = 0; i < count; i++) digest = (digest ^ bytes[i]) * UINT64_C(0x100000001B3);
}

static void add_number(uint64_t number) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(number >> 8 * i);
    add_result(bytes, sizeof bytes);
}

/* Numbers are little-endian in memory on all machines that this runs on. */
static void expect(int holds) {
    failures += !holds;
    add_number((uint64_t)holds);
}

static void test_network(Random *r, const cn_core *core) {
    static const size_t SIZES[3] = {1, 2, 4};
    RandomProgram p;
    cn_network *network = NULL;
    random_program(r, &p);
    size_t size = cn_network_size(core, &p.program), images = (size_t)between(r, 1, 3);
    expect(size > 0);
    if (size == 0) return;
    expect(cn_network_make(core, &p.program, room(size), size, &network) == CN_OK);
    void *scratch = room(cn_network_scratch(network));
    int32_t in = values_at(&p, 0) * (int32_t)images, out = values_at(&p, p.program.count) * (int32_t)images;
    int32_t *values = ints_of(r, in, p.program.low, p.program.high), *results = room((size_t)out * 4);
    for (int i = 0; i < 6; i++) {
        cn_type in_type = i < 3 ? CN_I32 : (cn_type)between(r, 0, 2), out_type = (cn_type)(i % 3);
        int32_t quality = between(r, 0, 99);
        expect(cn_network_run(network, quality, in_type, values, out_type, results, images, scratch) == CN_OK);
        add_result(results, (size_t)out * SIZES[out_type]);
    }
}

static void test_symbols(Random *r, const cn_prior_model *m, const cn_prior *prior, int32_t quality) {
    size_t images = (size_t)between(r, 1, IMAGES), capacity = 2 * (size_t)m->symbols * images + 16, bytes = 0, count = 0;
    int16_t *symbols = room((size_t)m->symbols * images * 2), *again = room((size_t)m->symbols * images * 2);
    uint64_t bits[IMAGES], counted[IMAGES];
    uint8_t *payload = room(capacity);
    int32_t *frequencies = room(FREQUENCIES * sizeof *frequencies);
    void *scratch = room(cn_prior_scratch(prior, images));
    for (size_t image = 0; image < images; image++)
        for (int32_t g = 0, i = 0; g < m->groups; g++)
            for (int32_t k = 0, b = m->bound[quality * m->groups + g]; k < m->group_symbols[g]; k++, i++)
                symbols[image * (size_t)m->symbols + (size_t)m->order[i]] = (int16_t)between(r, -b, b);
    expect(cn_prior_write(prior, quality, symbols, images, payload, capacity, &bytes, bits, scratch) == CN_OK);
    add_result(payload, bytes);
    add_result(bits, images * sizeof *bits);
    expect(cn_prior_read(prior, quality, payload, bytes, again, images, scratch) == CN_OK);
    expect(memcmp(symbols, again, (size_t)m->symbols * images * 2) == 0);
    expect(cn_prior_bits(prior, quality, symbols, images, counted, scratch) == CN_OK);
    expect(memcmp(bits, counted, images * sizeof *bits) == 0);
    cn_status status = cn_prior_frequencies(prior, quality, symbols, images, frequencies, FREQUENCIES, &count, scratch);
    add_number(status);
    add_result(frequencies, count * sizeof *frequencies);
    for (size_t i = 0; i < capacity; i++) payload[i] = (uint8_t)draw(r);
    status = cn_prior_read(prior, quality, payload, capacity, again, images, scratch);
    add_number(status);
    if (status == CN_OK) add_result(again, (size_t)m->symbols * images * 2);
}

static void test_prior(Random *r, const cn_core *core, int is_masked) {
    cn_prior_model m;
    cn_prior *prior = NULL;
    random_prior(r, is_masked, &m);
    size_t size = cn_prior_size(core, &m);
    expect(size > 0);
    if (size == 0) return;
    expect(cn_prior_make(core, &m, room(size), size, &prior) == CN_OK);
    for (int i = 0; i < 3; i++) test_symbols(r, &m, prior, between(r, 0, 99));
}

/* An image: background, with values here and there. */
static void draw_image(Random *r, const cn_pixel_model *m, uint8_t *image, int32_t pixels) {
    int32_t rare = between(r, 0, 4);
    for (int32_t i = 0; i < pixels * m->channels; i++)
        image[i] = (uint8_t)(between(r, 0, rare) ? m->planes[0].background : between(r, 0, 255));
}

static void test_pixels(Random *r, const cn_core *core) {
    cn_pixel_model m;
    cn_pixels *pixels = NULL;
    random_pixels(r, &m);
    size_t size = cn_pixels_size(core, &m), lengths[3], count = (size_t)between(r, 1, 3), all = 0;
    expect(size > 0);
    if (size == 0) return;
    expect(cn_pixels_make(core, &m, room(size), size, &pixels) == CN_OK);
    int32_t height = m.height ? m.height : between(r, 1, 20), width = m.width ? m.width : between(r, 1, 20);
    size_t values = (size_t)height * (size_t)width * (size_t)m.channels, capacity = count * (8 * values + 16);
    uint8_t *images = room(count * values), *again = room(count * values), *payload = room(capacity);
    uint64_t bits[3];
    void *scratch = room(cn_pixels_scratch(pixels, height, width));
    for (size_t i = 0; i < count; i++) draw_image(r, &m, images + i * values, height * width);
    cn_status status = cn_pixels_write(pixels, height, width, images, count, payload, capacity, lengths, bits, scratch);
    expect(status == CN_OK);
    add_result(bits, count * sizeof *bits);
    for (size_t i = 0; i < count; i++) all += lengths[i];
    add_number(all);
    add_result(payload, all);
    expect(cn_pixels_read(pixels, height, width, payload, lengths, again, count, scratch) == CN_OK);
    expect(memcmp(images, again, count * values) == 0);
    for (size_t i = 0; i < capacity; i++) payload[i] = (uint8_t)draw(r);
    for (size_t i = 0; i < count; i++) lengths[i] = capacity / count;
    status = cn_pixels_read(pixels, height, width, payload, lengths, again, count, scratch);
    add_number(status);
    if (status == CN_OK) add_result(again, count * values);
}

static cn_adaptive *make_adaptive(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels) {
    cn_adaptive *model = NULL;
    size_t size = cn_adaptive_size(core, settings, pixels);
    expect(size > 0 && cn_adaptive_make(core, settings, pixels, room(size), size, &model) == CN_OK);
    return model;
}

/* A picture alone: written, and read again, and the payload of any bytes, too. */
static void test_alone(Random *r, cn_adaptive *model, const cn_picture *picture) {
    size_t bytes = bytes_of_picture(picture), capacity = 14 * bytes + 16, length = 0;
    uint8_t *payload = room(capacity), *random = room(capacity);
    cn_picture again = *picture;
    again.values = room(bytes);
    void *scratch = room(cn_adaptive_scratch(model, picture));
    expect(cn_adaptive_write(model, picture, 1, payload, capacity, &length, scratch) == CN_OK);
    add_result(payload, length);
    for (size_t i = 0; i < capacity; i++) random[i] = (uint8_t)draw(r);
    expect(cn_adaptive_read(model, &again, 1, random, &capacity, scratch) == CN_OK);
    add_result(again.values, bytes);
    expect(cn_adaptive_read(model, &again, 1, payload, &length, scratch) == CN_OK);
    expect(memcmp(again.values, picture->values, bytes) == 0);
}

static void test_adaptive(Random *r, const cn_core *core) {
    cn_adaptive_settings settings;
    cn_picture pictures[4], again[4], more;
    size_t ends[4], pixels = 0, bytes = 0, size, count = (size_t)between(r, 1, 4);
    random_adaptive(r, &settings);
    for (size_t i = 0; i < count; i++) {
        pictures[i] = again[i] = random_picture(r, 12);
        again[i].values = room(bytes_of_picture(&pictures[i]));
        pixels += (size_t)pictures[i].height * (size_t)pictures[i].width;
        bytes += bytes_of_picture(&pictures[i]);
    }
    more = random_picture(r, 12);
    cn_adaptive *writer = make_adaptive(core, &settings, pixels + 144);
    cn_adaptive *reader = make_adaptive(core, &settings, pixels), *copy = NULL;
    if (writer == NULL || reader == NULL) return;
    uint8_t *payload = room(14 * bytes + 16);
    expect(cn_adaptive_learn_write(writer, pictures, count, payload, 14 * bytes + 16, ends) == CN_OK);
    for (size_t i = 0; i < count; i++) add_number(ends[i]);
    add_result(payload, ends[count - 1]);
    expect(cn_adaptive_learn_read(reader, again, count, payload, ends[count - 1]) == CN_OK);
    for (size_t i = 0; i < count; i++)
        expect(memcmp(again[i].values, pictures[i].values, bytes_of_picture(&pictures[i])) == 0);
    size = cn_adaptive_copy_size(reader, pixels + 144);
    expect(size > 0 && cn_adaptive_copy(reader, pixels + 144, room(size), size, &copy) == CN_OK);
    if (copy == NULL) return;
    test_alone(r, writer, &more);
    test_alone(r, copy, &more);
    test_alone(r, writer, &more);
    expect(cn_adaptive_learn_read(writer, &more, 1, payload, ends[0]) == CN_OK);
    add_result(more.values, bytes_of_picture(&more));
}

/* The digest over models of seeds 0 to models - 1; 0 where something failed. */
static uint64_t digest_of(const cn_core *core, int32_t models) {
    digest = UINT64_C(0xCBF29CE484222325);
    failures = 0;
    for (int32_t seed = 0; seed < models; seed++) {
        Random r = {(uint64_t)seed};
        pool_used = 0;
        switch (seed % 5) {
        case 0: test_network(&r, core); break;
        case 1: test_prior(&r, core, 1); break;
        case 2: test_prior(&r, core, 0); break;
        case 3: test_adaptive(&r, core); break;
        default: test_pixels(&r, core); break;
        }
    }
    return failures ? 0 : digest;
}

#if defined(__wasm__)
uint64_t selftest(int32_t models);
__attribute__((export_name("selftest"))) uint64_t selftest(int32_t models) {
    return digest_of(cn_core_find(NULL), models);
}
#else
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    int32_t models = count > 1 ? atoi(arguments[1]) : 500;
    char name[32];
    for (const char *names = cn_core_names(); sscanf(names, "%31s", name) == 1; names += strlen(name) + 1) {
        const cn_core *core = cn_core_find(name);
        if (core != NULL) printf("%s %016llx\n", name, (unsigned long long)digest_of(core, models));
    }
    return 0;
}
#endif
