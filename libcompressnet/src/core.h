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
};

#endif
