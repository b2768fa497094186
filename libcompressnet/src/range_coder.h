/* range_coder.h - symbols to bytes and back; FORMAT.md, "Range coder"
 *
 * The coder is that of Martin (1979) with 32-bit words and 64-bit state; frequencies sum to 2^24.
 */
#ifndef CN_RANGE_CODER_H
#define CN_RANGE_CODER_H

#include <stddef.h>
#include <stdint.h>

#include "compressnet.h"
#include "vector.h"

#define TOTAL_BITS 24

typedef struct Encoder {
    uint64_t lower, range;
    uint8_t *bytes;
    size_t count, capacity;
    int full; /* the room was too small */
} Encoder;

static void start_encoder(Encoder *encoder, uint8_t *bytes, size_t capacity) {
    *encoder = (Encoder){0, UINT64_MAX, bytes, 0, capacity, 0};
}

/* Adds 1 to what was written: a carry runs through all bytes that are 255. */
static void carry(Encoder *encoder) {
    for (size_t i = encoder->count; i > 0;)
        if (++encoder->bytes[--i] != 0) return;
}

INLINE void encode(Encoder *encoder, uint32_t left, uint32_t frequency) {
    uint64_t scale = encoder->range >> TOTAL_BITS, lower = encoder->lower + scale * left;
    if (lower < encoder->lower) carry(encoder);
    encoder->range = scale * frequency;
    while (encoder->range < (uint64_t)1 << 32) {
        if (encoder->capacity - encoder->count < 4) {
            encoder->full = 1;
            encoder->count = 0;
        } else {
            for (int i = 0; i < 4; i++) encoder->bytes[encoder->count++] = (uint8_t)(lower >> (56 - 8 * i));
        }
        lower <<= 32;
        encoder->range <<= 32;
    }
    encoder->lower = lower;
}

/* Ends the payload: the shortest bytes in the last interval, followed by endless zeros. */
static cn_status finish_encoder(Encoder *encoder, size_t *count) {
    uint64_t point = 0, last = encoder->lower + encoder->range - 1; /* may have wrapped round */
    int carries = 0, length = 0;
    for (; length <= 8; length++) {
        uint64_t rest = length == 0 ? UINT64_MAX : length == 8 ? 0 : UINT64_MAX >> (8 * length);
        point = (encoder->lower + rest) & ~rest;
        carries = encoder->lower > UINT64_MAX - rest;
        if (point - encoder->lower <= last - encoder->lower) break;
    }
    if (encoder->full || encoder->capacity - encoder->count < (size_t)length) return CN_MEMORY;
    if (carries) carry(encoder);
    for (int i = 0; i < length; i++) encoder->bytes[encoder->count++] = (uint8_t)(point >> (56 - 8 * i));
    while (encoder->count > 0 && encoder->bytes[encoder->count - 1] == 0) encoder->count--;
    *count = encoder->count;
    return CN_OK;
}

typedef struct Decoder {
    uint64_t off, range; /* off: how far the payload's point lies above the interval's lower end */
    const uint8_t *bytes;
    size_t count, next;
    int wrong; /* the payload cannot come from the frequencies that it was read with */
} Decoder;

INLINE uint32_t next_word(Decoder *decoder) {
    uint32_t word = 0;
    if (decoder->count - decoder->next >= 4) {
        const uint8_t *b = decoder->bytes + decoder->next;
        word = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        decoder->next += 4;
        return word;
    }
    for (int i = 0; i < 4; i++) {
        word <<= 8;
        if (decoder->next < decoder->count) word |= decoder->bytes[decoder->next++];
    }
    return word;
}

static void start_decoder(Decoder *decoder, const uint8_t *bytes, size_t count) {
    *decoder = (Decoder){0, UINT64_MAX, bytes, count, 0, 0};
    decoder->off = (uint64_t)next_word(decoder) << 32;
    decoder->off |= next_word(decoder);
}

/* The unit of the frequencies: a symbol is the one with scale * left <= off < scale * (left + F). */
INLINE uint64_t scale_of(Decoder *decoder) {
    uint64_t scale = decoder->range >> TOTAL_BITS;
    if (decoder->off >= scale << TOTAL_BITS) {
        decoder->wrong = 1;
        decoder->off = 0;
    }
    return scale;
}

INLINE void decode(Decoder *decoder, uint64_t scale, uint32_t left, uint32_t frequency) {
    decoder->off -= scale * left;
    decoder->range = scale * frequency;
    while (decoder->range < (uint64_t)1 << 32) {
        decoder->off = decoder->off << 32 | next_word(decoder);
        decoder->range <<= 32;
    }
}

/* Ideal code lengths: a product of frequencies, as a mantissa in [2^31, 2^32) and an exponent. */
typedef struct Bits {
    uint32_t mantissa;
    int64_t exponent;
} Bits;

#define NO_BITS ((Bits){UINT32_C(1) << 31, 0})

/* One more symbol of a frequency of 2^24. */
INLINE void add_bits(Bits *bits, uint32_t frequency) {
    uint64_t product = (uint64_t)bits->mantissa * frequency;
    int zeros = __builtin_clzll(product);
    bits->mantissa = (uint32_t)(product << zeros >> 32);
    bits->exponent += TOTAL_BITS + 31 - (63 - zeros);
}

/* In units of 2^-32 bits. */
static uint64_t bits_of(const Bits *bits) {
    uint64_t x = bits->mantissa, fraction = 0;
    for (int i = 0; i < 32; i++) { /* log2 of x * 2^-31, digit by digit: square, and see if it is 2 */
        x = x * x >> 31;
        fraction <<= 1;
        if (x >= UINT64_C(1) << 32) {
            x >>= 1;
            fraction |= 1;
        }
    }
    return ((uint64_t)bits->exponent << 32) - fraction;
}

#endif
