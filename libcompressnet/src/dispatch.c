/* dispatch.c - chooses a variant, and hands every call on to it
 *
 * Compiled with CN_HAS_NAME for each variant that was compiled (core.c with CN_VARIANT_NAME).
 */
#include "core.h"

#include <string.h>

#if defined(CN_HAS_AVX512VNNI)
extern const cn_core cn_core_avx512vnni;
#endif
#if defined(CN_HAS_AVXVNNI)
extern const cn_core cn_core_avxvnni;
#endif
#if defined(CN_HAS_AVX2)
extern const cn_core cn_core_avx2;
#endif
#if defined(CN_HAS_SSE2)
extern const cn_core cn_core_sse2;
#endif
#if defined(CN_HAS_NEONDOT)
extern const cn_core cn_core_neondot;
#endif
#if defined(CN_HAS_NEON)
extern const cn_core cn_core_neon;
#endif
#if defined(CN_HAS_SIMD128)
extern const cn_core cn_core_simd128;
#endif
#if defined(CN_HAS_PLAIN)
extern const cn_core cn_core_plain;
#endif

#if defined(CN_HAS_AVX512VNNI) || defined(CN_HAS_AVXVNNI) || defined(CN_HAS_AVX2)
#include <cpuid.h>

/* Which registers the operating system keeps (XCR0). */
static unsigned kept_registers(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return a;
}

static int has_avx2(void) {
    unsigned a, b, c, d;
    if ((kept_registers() & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    return (b & bit_AVX2) && (b & bit_BMI) && (b & bit_BMI2) && __get_cpuid(0x80000001, &a, &b, &c, &d) &&
           (c & (1u << 5)); /* LZCNT */
}
#endif

#if defined(CN_HAS_AVXVNNI)
static int has_avxvnni(void) {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4));
}
#endif

#if defined(CN_HAS_AVX512VNNI)
static int has_avx512vnni(void) {
    unsigned a, b, c, d;
    if (!has_avx2() || (kept_registers() & 0xE6) != 0xE6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    return (b & bit_AVX512F) && (b & bit_AVX512BW) && (b & bit_AVX512DQ) && (b & bit_AVX512VL) &&
           (c & (1u << 11));
}
#endif

#if defined(CN_HAS_NEONDOT)
#if defined(__linux__)
#include <sys/auxv.h>
static int has_neondot(void) { return (getauxval(AT_HWCAP) & (1ul << 20)) != 0; /* ASIMDDP */ }
#elif defined(__APPLE__)
static int has_neondot(void) { return 1; /* every Apple processor of 64 bits that runs macOS */ }
#else
static int has_neondot(void) { return 0; }
#endif
#endif

#if defined(CN_EMULATE)
#define RUNS(test) ((test) || 1) /* its layouts run on any CPU */
#else
#define RUNS(test) (test)
#endif

/* The variant of a number, the best first, or NULL where there are no more. `*runs`: whether this
 * CPU has what it needs. */
static const cn_core *variant(int number, int *runs) {
    *runs = 1;
#if defined(CN_HAS_AVX512VNNI)
    if (number-- == 0) return *runs = RUNS(has_avx512vnni()), &cn_core_avx512vnni;
#endif
#if defined(CN_HAS_AVXVNNI)
    if (number-- == 0) return *runs = RUNS(has_avxvnni()), &cn_core_avxvnni;
#endif
#if defined(CN_HAS_AVX2)
    if (number-- == 0) return *runs = RUNS(has_avx2()), &cn_core_avx2;
#endif
#if defined(CN_HAS_SSE2)
    if (number-- == 0) return &cn_core_sse2;
#endif
#if defined(CN_HAS_NEONDOT)
    if (number-- == 0) return *runs = RUNS(has_neondot()), &cn_core_neondot;
#endif
#if defined(CN_HAS_NEON)
    if (number-- == 0) return &cn_core_neon;
#endif
#if defined(CN_HAS_SIMD128)
    if (number-- == 0) return &cn_core_simd128;
#endif
#if defined(CN_HAS_PLAIN)
    if (number-- == 0) return &cn_core_plain;
#endif
    return NULL;
}

int32_t cn_interface(void) { return CN_INTERFACE; }

const char *cn_core_names(void) {
    return ""
#if defined(CN_HAS_AVX512VNNI)
           "avx512vnni "
#endif
#if defined(CN_HAS_AVXVNNI)
           "avxvnni "
#endif
#if defined(CN_HAS_AVX2)
           "avx2 "
#endif
#if defined(CN_HAS_SSE2)
           "sse2 "
#endif
#if defined(CN_HAS_NEONDOT)
           "neondot "
#endif
#if defined(CN_HAS_NEON)
           "neon "
#endif
#if defined(CN_HAS_SIMD128)
           "simd128 "
#endif
#if defined(CN_HAS_PLAIN)
           "plain "
#endif
        ;
}

const cn_core *cn_core_find(const char *name) {
    int runs;
    const cn_core *core;
    for (int i = 0; (core = variant(i, &runs)) != NULL; i++)
        if (runs && (name == NULL || strcmp(core->name, name) == 0)) return core;
    return NULL;
}

const char *cn_core_name(const cn_core *core) { return core->name; }

/* A made model begins with the core that made it. */
static const cn_core *maker(const void *model) {
    const cn_core *core;
    memcpy(&core, model, sizeof core);
    return core;
}

size_t cn_network_size(const cn_core *core, const cn_program *program) { return core->network_size(core, program); }

cn_status cn_network_make(const cn_core *core, const cn_program *program, void *memory, size_t size,
                          cn_network **network) {
    return core->network_make(core, program, memory, size, network);
}

size_t cn_network_scratch(const cn_network *network) { return maker(network)->network_scratch(network); }

cn_status cn_network_run(const cn_network *network, int32_t quality, cn_type in_type, const void *in,
                         cn_type out_type, void *out, size_t images, void *scratch) {
    return maker(network)->network_run(network, quality, in_type, in, out_type, out, images, scratch);
}

size_t cn_prior_size(const cn_core *core, const cn_prior_model *model) { return core->prior_size(core, model); }

cn_status cn_prior_make(const cn_core *core, const cn_prior_model *model, void *memory, size_t size,
                        cn_prior **prior) {
    return core->prior_make(core, model, memory, size, prior);
}

size_t cn_prior_scratch(const cn_prior *prior, size_t images) { return maker(prior)->prior_scratch(prior, images); }

cn_status cn_prior_write(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                         uint8_t *payload, size_t capacity, size_t *bytes, uint64_t *bits, void *scratch) {
    return maker(prior)->prior_write(prior, quality, symbols, images, payload, capacity, bytes, bits, scratch);
}

cn_status cn_prior_read(const cn_prior *prior, int32_t quality, const uint8_t *payload, size_t bytes,
                        int16_t *symbols, size_t images, void *scratch) {
    return maker(prior)->prior_read(prior, quality, payload, bytes, symbols, images, scratch);
}

cn_status cn_prior_bits(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                        uint64_t *bits, void *scratch) {
    return maker(prior)->prior_bits(prior, quality, symbols, images, bits, scratch);
}

cn_status cn_prior_frequencies(const cn_prior *prior, int32_t quality, const int16_t *symbols, size_t images,
                               int32_t *frequencies, size_t capacity, size_t *count, void *scratch) {
    return maker(prior)->prior_frequencies(prior, quality, symbols, images, frequencies, capacity, count, scratch);
}

size_t cn_pixels_size(const cn_core *core, const cn_pixel_model *model) { return core->pixels_size(core, model); }

cn_status cn_pixels_make(const cn_core *core, const cn_pixel_model *model, void *memory, size_t size,
                         cn_pixels **pixels) {
    return core->pixels_make(core, model, memory, size, pixels);
}

size_t cn_pixels_scratch(const cn_pixels *pixels, int32_t height, int32_t width) {
    return maker(pixels)->pixels_scratch(pixels, height, width);
}

cn_status cn_pixels_write(const cn_pixels *pixels, int32_t height, int32_t width, const uint8_t *images, size_t count,
                          uint8_t *payload, size_t capacity, size_t *lengths, uint64_t *bits, void *scratch) {
    return maker(pixels)->pixels_write(pixels, height, width, images, count, payload, capacity, lengths, bits, scratch);
}

cn_status cn_pixels_read(const cn_pixels *pixels, int32_t height, int32_t width, const uint8_t *payload,
                         const size_t *lengths, uint8_t *images, size_t count, void *scratch) {
    return maker(pixels)->pixels_read(pixels, height, width, payload, lengths, images, count, scratch);
}

size_t cn_adaptive_size(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels) {
    return core->adaptive_size(core, settings, pixels);
}

cn_status cn_adaptive_make(const cn_core *core, const cn_adaptive_settings *settings, size_t pixels, void *memory,
                           size_t size, cn_adaptive **model) {
    return core->adaptive_make(core, settings, pixels, memory, size, model);
}

size_t cn_adaptive_copy_size(const cn_adaptive *model, size_t pixels) {
    return maker(model)->adaptive_copy_size(model, pixels);
}

cn_status cn_adaptive_copy(const cn_adaptive *model, size_t pixels, void *memory, size_t size, cn_adaptive **copy) {
    return maker(model)->adaptive_copy(model, pixels, memory, size, copy);
}

void cn_adaptive_allow(cn_adaptive *model, size_t bytes) { maker(model)->adaptive_allow(model, bytes); }

cn_status cn_adaptive_learn_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                                  size_t capacity, size_t *ends) {
    return maker(model)->adaptive_learn_write(model, pictures, count, payload, capacity, ends);
}

cn_status cn_adaptive_learn_read(cn_adaptive *model, const cn_picture *pictures, size_t count, const uint8_t *payload,
                                 size_t bytes) {
    return maker(model)->adaptive_learn_read(model, pictures, count, payload, bytes);
}

size_t cn_adaptive_scratch(const cn_adaptive *model, const cn_picture *picture) {
    return maker(model)->adaptive_scratch(model, picture);
}

cn_status cn_adaptive_write(cn_adaptive *model, const cn_picture *pictures, size_t count, uint8_t *payload,
                            size_t capacity, size_t *lengths, void *scratch) {
    return maker(model)->adaptive_write(model, pictures, count, payload, capacity, lengths, scratch);
}

cn_status cn_adaptive_read(cn_adaptive *model, const cn_picture *pictures, size_t count, const uint8_t *payload,
                           const size_t *lengths, void *scratch) {
    return maker(model)->adaptive_read(model, pictures, count, payload, lengths, scratch);
}
