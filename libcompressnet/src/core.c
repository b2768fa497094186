/* core.c - everything, compiled once for each variant of CPU */
#include "core.h"

#include "network.h"
#include "prior_pass.h"
#include "pixels_pass.h"
#include "adaptive_pass.h"

#define JOIN(a, b) a##b
#define CORE_OF(name) JOIN(cn_core_, name)
#define TEXT(name) #name
#define TEXT_OF(name) TEXT(name)

/* Both run the same code: over no memory, which counts, and over what the caller gave. */
#define SIZE_AND_MAKE(what, description)                                                                     \
    static size_t what##_size(const cn_core *core, const description *model) {                               \
        Arena arena = {NULL, 0, 0, 0};                                                                       \
        if (!check_##what(model)) return 0;                                                                  \
        make_##what(&arena, core, model);                                                                    \
        return arena.failed ? 0 : arena.used;                                                                \
    }                                                                                                        \
    static cn_status what##_make(const cn_core *core, const description *model, void *memory, size_t size,   \
                                 cn_##what **made) {                                                         \
        Arena arena = {memory, size, 0, 0};                                                                  \
        if (!check_##what(model)) return CN_ARGUMENT;                                                        \
        *made = make_##what(&arena, core, model);                                                            \
        return *made == NULL ? CN_MEMORY : CN_OK;                                                            \
    }

SIZE_AND_MAKE(network, cn_program)
SIZE_AND_MAKE(prior, cn_prior_model)
SIZE_AND_MAKE(pixels, cn_pixel_model)

static size_t network_scratch(const cn_network *network) { return network->scratch; }

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
    .adaptive_size = adaptive_size,
    .adaptive_make = adaptive_make,
    .adaptive_copy_size = adaptive_copy_size,
    .adaptive_copy = adaptive_copy,
    .adaptive_allow = adaptive_allow,
    .adaptive_learn_write = adaptive_learn_write,
    .adaptive_learn_read = adaptive_learn_read,
    .adaptive_scratch = adaptive_scratch,
    .adaptive_write = adaptive_write,
    .adaptive_read = adaptive_read,
};
