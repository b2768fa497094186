/* memory.h - the caller's memory, handed out piece by piece
 *
 * `make` functions run twice: once over no memory, which only counts, and once over what the
 * caller gave. In the first run every piece is NULL and nothing is filled in.
 */
#ifndef CN_MEMORY_H
#define CN_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "compressnet.h"

#define MEMORY_LIMIT ((size_t)1 << 31) /* of one model; larger ones are refused */

typedef struct Arena {
    uint8_t *base; /* NULL while counting */
    size_t size, used;
    int failed;
} Arena;

static size_t aligned(size_t bytes) {
    return (bytes + CN_ALIGNMENT - 1) / CN_ALIGNMENT * CN_ALIGNMENT;
}

/* Room for `count` things of `each` bytes, or NULL. */
static void *take(Arena *arena, size_t count, size_t each) {
    if (count > MEMORY_LIMIT / each) {
        arena->failed = 1;
        return NULL;
    }
    size_t start = arena->used, bytes = aligned(count * each);
    if (arena->base != NULL && bytes > arena->size - start) arena->failed = 1;
    if (arena->failed || start + bytes > MEMORY_LIMIT) {
        arena->failed = 1;
        return NULL;
    }
    arena->used = start + bytes;
    return arena->base == NULL ? NULL : arena->base + start;
}

#endif
