/* core.h - what each variant gives to the one that chooses among them */
#ifndef CN_CORE_H
#define CN_CORE_H

#include "compressnet.h"

struct cn_core {
    const char *name;
    size_t (*network_size)(const cn_core *, const cn_program *);
    cn_status (*network_make)(const cn_core *, const cn_program *, void *, size_t, cn_network **);
    size_t (*network_scratch)(const cn_network *);
    cn_status (*network_run)(const cn_network *, int32_t, cn_type, const void *, cn_type, void *, size_t, void *);
    size_t (*prior_size)(const cn_core *, const cn_prior_model *);
    cn_status (*prior_make)(const cn_core *, const cn_prior_model *, void *, size_t, cn_prior **);
    size_t (*prior_scratch)(const cn_prior *, size_t);
    cn_status (*prior_write)(const cn_prior *, int32_t, const int16_t *, size_t, uint8_t *, size_t, size_t *,
                             uint64_t *, void *);
    cn_status (*prior_read)(const cn_prior *, int32_t, const uint8_t *, size_t, int16_t *, size_t, void *);
    cn_status (*prior_bits)(const cn_prior *, int32_t, const int16_t *, size_t, uint64_t *, void *);
    cn_status (*prior_frequencies)(const cn_prior *, int32_t, const int16_t *, size_t, int32_t *, size_t, size_t *,
                                   void *);
    size_t (*pixels_size)(const cn_core *, const cn_pixel_model *);
    cn_status (*pixels_make)(const cn_core *, const cn_pixel_model *, void *, size_t, cn_pixels **);
    size_t (*pixels_scratch)(const cn_pixels *, int32_t, int32_t);
    cn_status (*pixels_write)(const cn_pixels *, int32_t, int32_t, const uint8_t *, size_t, uint8_t *, size_t, size_t *,
                              uint64_t *, void *);
    cn_status (*pixels_read)(const cn_pixels *, int32_t, int32_t, const uint8_t *, const size_t *, uint8_t *, size_t,
                             void *);
    size_t (*adaptive_size)(const cn_core *, const cn_adaptive_settings *, size_t);
    cn_status (*adaptive_make)(const cn_core *, const cn_adaptive_settings *, size_t, void *, size_t, cn_adaptive **);
    size_t (*adaptive_copy_size)(const cn_adaptive *, size_t);
    cn_status (*adaptive_copy)(const cn_adaptive *, size_t, void *, size_t, cn_adaptive **);
    void (*adaptive_allow)(cn_adaptive *, size_t);
    cn_status (*adaptive_learn_write)(cn_adaptive *, const cn_picture *, size_t, uint8_t *, size_t, size_t *);
    cn_status (*adaptive_learn_read)(cn_adaptive *, const cn_picture *, size_t, const uint8_t *, size_t);
    size_t (*adaptive_scratch)(const cn_adaptive *, const cn_picture *);
    cn_status (*adaptive_write)(cn_adaptive *, const cn_picture *, size_t, uint8_t *, size_t, size_t *, void *);
    cn_status (*adaptive_read)(cn_adaptive *, const cn_picture *, size_t, const uint8_t *, const size_t *, void *);
};

#endif
