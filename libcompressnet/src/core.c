/* core.c - everything, compiled once for each variant of CPU */
#include "core.h"

#include "network.h"
#include "prior_pass.h"
#include "pixels_pass.h"

#define JOIN(a, b) a##b
#define CORE_OF(name) JOIN(cn_core_, name)
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)

static size_t network_size(const cn_core *core, const cn_program *program) {
    Arena arena = {NULL, 0, 0, 0};
    if (check_program(program) != CN_OK) return 0;
    make_network(&arena, core, program);
    return arena.failed ? 0 : arena.used;
}

static cn_status network_make(const cn_core *core, const cn_program *program, void *memory, size_t size,
                              cn_network **network) {
    Arena arena = {memory, size, 0, 0};
    if (check_program(program) != CN_OK) return CN_ARGUMENT;
    *network = make_network(&arena, core, program);
    return *network == NULL ? CN_MEMORY : CN_OK;
}

static size_t network_scratch(const cn_network *network) { return network->scratch; }

static size_t pixels_size(const cn_core *core, const cn_pixel_model *model) {
    Arena arena = {NULL, 0, 0, 0};
    if (!check_pixels(model)) return 0;
    make_pixels(&arena, core, model);
    return arena.failed ? 0 : arena.used;
}

static cn_status pixels_make(const cn_core *core, const cn_pixel_model *model, void *memory, size_t size,
                             cn_pixels **pixels) {
    Arena arena = {memory, size, 0, 0};
    if (!check_pixels(model)) return CN_ARGUMENT;
    *pixels = make_pixels(&arena, core, model);
    return *pixels == NULL ? CN_MEMORY : CN_OK;
}

const cn_core CORE_OF(CN_NAME) = {
    .name = TEXT_OF(CN_NAME),
    .network_size = network_size,
    .network_make = network_make,
    .network_scratch = network_scratch,
    .network_run = run_network,
    .prior_size = prior_size,
    .prior_make = prior_make,
    .prior_scratch = prior_scratch,
    .prior_write = prior_write,
    .prior_read = prior_read,
    .prior_bits = prior_bits,
    .prior_frequencies = prior_frequencies,
    .pixels_size = pixels_size,
    .pixels_make = pixels_make,
    .pixels_scratch = pixels_scratch_bytes,
    .pixels_write = write_pixels,
    .pixels_read = read_pixels,
};
