/* vector.h - vectors of 32-bit integers, and the dot products that differ from CPU to CPU
 *
 * All but the dot products is written in the vector extensions of GCC and Clang. Where a variant
 * is emulated (CN_EMULATE), its dot products are plain loops, so that every variant's layouts can
 * be tested on any CPU.
 */
#ifndef CN_VECTOR_H
#define CN_VECTOR_H

#include <stdint.h>
#include <string.h>

#if defined(CN_VARIANT_AVX512VNNI)
#define CN_NAME avx512vnni
#define LANES 16
#define BYTES 1 /* whether there are dot products of bytes */
#elif defined(CN_VARIANT_AVXVNNI)
#define CN_NAME avxvnni
#define LANES 8
#define BYTES 1
#elif defined(CN_VARIANT_AVX2)
#define CN_NAME avx2
#define LANES 8
#define BYTES 1
#define PAIR_LIMIT INT16_MAX /* of the products of two bytes side by side: their sum saturates */
#elif defined(CN_VARIANT_SSE2)
#define CN_NAME sse2
#define LANES 4
#define BYTES 0
#elif defined(CN_VARIANT_NEONDOT)
#define CN_NAME neondot
#define LANES 4
#define BYTES 1
#define BYTE_ZERO 128 /* its bytes are signed */
#elif defined(CN_VARIANT_NEON)
#define CN_NAME neon
#define LANES 4
#define BYTES 0
#elif defined(CN_VARIANT_SIMD128)
#define CN_NAME simd128
#define LANES 4
#define BYTES 0
#else
#define CN_NAME plain
#define LANES 4
#define BYTES 0
#endif

#ifndef BYTE_ZERO
#define BYTE_ZERO 0
#endif
#ifndef PAIR_LIMIT
#define PAIR_LIMIT 0 /* none */
#endif

#if !defined(CN_EMULATE)
#if defined(CN_VARIANT_AVX512VNNI)
#define X86_512 1
#elif defined(CN_VARIANT_AVXVNNI) || defined(CN_VARIANT_AVX2)
#define X86_256 1
#elif defined(CN_VARIANT_SSE2)
#define X86_128 1
#elif defined(CN_VARIANT_NEON) || defined(CN_VARIANT_NEONDOT)
#define ARM_128 1
#endif
#if defined(__AVX2__) || defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif
#endif

#define INLINE static inline __attribute__((always_inline))

typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int16_t shorts __attribute__((vector_size(2 * LANES)));
typedef int8_t bytes __attribute__((vector_size(LANES)));
typedef uint8_t ubytes __attribute__((vector_size(LANES)));

INLINE ints load_ints(const void *from) {
    ints v;
    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store_ints(int32_t *to, ints v) { memcpy(to, &v, sizeof v); }

INLINE ints splat_ints(int32_t value) {
    ints zeros = {0};
    return zeros + value;
}

/* 4 bytes, which are one integer, two or four, in every lane. */
INLINE ints broadcast(const void *from) {
    int32_t value;
    memcpy(&value, from, 4);
    return splat_ints(value);
}

INLINE ints load_shorts(const int16_t *from) {
    shorts v;
    memcpy(&v, from, sizeof v);
    return __builtin_convertvector(v, ints);
}

/* As many pairs of 8 bits as there are lanes, each number as 16 bits. */
INLINE ints load_pairs(const int8_t *from) {
#if defined(X86_512)
    return (ints)_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)from));
#elif defined(X86_256)
    return (ints)_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
#elif defined(X86_128)
    __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)from);
    return (ints)_mm_srai_epi16(_mm_unpacklo_epi8(v, v), 8);
#else
    typedef int8_t pairs __attribute__((vector_size(2 * LANES)));
    typedef int16_t wide __attribute__((vector_size(4 * LANES)));
    pairs v;
    memcpy(&v, from, sizeof v);
    return (ints)__builtin_convertvector(v, wide);
#endif
}

/* Of integers that fit. Compilers make much of this narrowing where they are not told how. */
INLINE void store_shorts(int16_t *to, ints v) {
#if defined(X86_256)
    __m128i narrow = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
#elif defined(X86_128)
    __m128i all = _mm_packs_epi32((__m128i)v, (__m128i)v);
    int64_t narrow = _mm_cvtsi128_si64(all);
#else
    shorts narrow = __builtin_convertvector(v, shorts);
#endif
    memcpy(to, &narrow, 2 * LANES);
}

INLINE ints load_bytes(const uint8_t *from) {
#if BYTE_ZERO
    bytes v;
#else
    ubytes v;
#endif
    memcpy(&v, from, sizeof v);
    return __builtin_convertvector(v, ints);
}

INLINE void store_bytes(uint8_t *to, ints v) {
#if defined(X86_256)
    __m128i half = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    int64_t narrow = _mm_cvtsi128_si64(_mm_packus_epi16(half, half));
#else
    bytes narrow = __builtin_convertvector(v, bytes);
#endif
    memcpy(to, &narrow, LANES);
}

/* Four vectors, one after the other. */
INLINE void store_bytes_4(uint8_t *to, const ints *v) {
#if defined(X86_256)
    __m256i low = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]);
    __m256i high = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256i narrow = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
    memcpy(to, &narrow, sizeof narrow);
#else
    for (int i = 0; i < 4; i++) store_bytes(to + i * LANES, v[i]);
#endif
}

INLINE ints choose(ints mask, ints a, ints b) { return (mask & a) | (~mask & b); }
INLINE ints smaller(ints a, ints b) { return choose(a < b, a, b); }
INLINE ints larger(ints a, ints b) { return choose(a > b, a, b); }

INLINE floats splat(float value) { return value - (floats){0}; }

INLINE floats load_floats(const float *from) {
    floats v;
    memcpy(&v, from, sizeof v);
    return v;
}

#if defined(X86_512)
#define FLOAT_OP(op, a, b) (floats)_mm512_##op##_ps((__m512)(a), (__m512)(b))
#elif defined(X86_256)
#define FLOAT_OP(op, a, b) (floats)_mm256_##op##_ps((__m256)(a), (__m256)(b))
#elif defined(X86_128)
#define FLOAT_OP(op, a, b) (floats)_mm_##op##_ps((__m128)(a), (__m128)(b))
#elif defined(ARM_128)
#define FLOAT_OP(op, a, b) (floats)v##op##q_f32((float32x4_t)(a), (float32x4_t)(b))
#endif

INLINE floats smaller_float(floats a, floats b) {
#if defined(FLOAT_OP)
    return FLOAT_OP(min, a, b);
#else
    return (floats)choose(a < b, (ints)a, (ints)b);
#endif
}

INLINE floats larger_float(floats a, floats b) {
#if defined(FLOAT_OP)
    return FLOAT_OP(max, a, b);
#else
    return (floats)choose(a > b, (ints)a, (ints)b);
#endif
}

INLINE ints floor_of(floats v) {
#if defined(X86_512)
    return (ints)_mm512_cvt_roundps_epi32((__m512)v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
#elif defined(X86_256)
    return (ints)_mm256_cvttps_epi32(_mm256_floor_ps((__m256)v));
#elif defined(ARM_128)
    return (ints)vcvtmq_s32_f32((float32x4_t)v);
#else
    ints toward_zero = __builtin_convertvector(v, ints);
    return toward_zero + (__builtin_convertvector(toward_zero, floats) > v);
#endif
}

/* The low 16 bits of each lane. */
INLINE ints low_half(ints a) {
    typedef uint32_t words __attribute__((vector_size(4 * LANES)));
    return (ints)((words)a << 16) >> 16;
}

/* sums + a * w, where each lane of a and w holds two 16-bit integers. */
INLINE ints dot_shorts(ints sums, ints a, ints w) {
#if defined(CN_EMULATE) || defined(CN_VARIANT_PLAIN)
    return sums + (a >> 16) * (w >> 16) + low_half(a) * low_half(w);
#elif defined(CN_VARIANT_AVX512VNNI)
    return (ints)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)a, (__m512i)w);
#elif defined(CN_VARIANT_AVXVNNI)
    return (ints)_mm256_dpwssd_avx_epi32((__m256i)sums, (__m256i)a, (__m256i)w);
#elif defined(CN_VARIANT_AVX2)
    return sums + (ints)_mm256_madd_epi16((__m256i)a, (__m256i)w);
#elif defined(CN_VARIANT_SSE2)
    return sums + (ints)_mm_madd_epi16((__m128i)a, (__m128i)w);
#elif defined(CN_VARIANT_NEON) || defined(CN_VARIANT_NEONDOT)
    int16x8_t x = vreinterpretq_s16_s32((int32x4_t)a), y = vreinterpretq_s16_s32((int32x4_t)w);
    int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    int32x4_t high = vmull_high_s16(x, y);
    return sums + (ints)vpaddq_s32(low, high);
#elif defined(CN_VARIANT_SIMD128)
    return sums + (ints)wasm_i32x4_dot_i16x8((v128_t)a, (v128_t)w);
#endif
}

#if BYTES
/* sums + a * w, where each lane holds four bytes: w signed, a as this variant keeps bytes. */
INLINE ints dot_bytes(ints sums, ints a, ints w) {
#if defined(CN_EMULATE)
    for (int i = 0; i < LANES; i++) {
        int32_t one = a[i], other = w[i];
        for (int k = 0; k < 4; k++) {
            int32_t x = BYTE_ZERO ? (int8_t)(one >> 8 * k) : (uint8_t)(one >> 8 * k);
            sums[i] += x * (int8_t)(other >> 8 * k);
        }
    }
    return sums;
#elif defined(CN_VARIANT_AVX512VNNI)
    return (ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)a, (__m512i)w);
#elif defined(CN_VARIANT_AVXVNNI)
    return (ints)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)a, (__m256i)w);
#elif defined(CN_VARIANT_AVX2)
    __m256i pairs = _mm256_maddubs_epi16((__m256i)a, (__m256i)w);
    return sums + (ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#else
    int8x16_t x = vreinterpretq_s8_s32((int32x4_t)a), y = vreinterpretq_s8_s32((int32x4_t)w);
    return (ints)vdotq_s32((int32x4_t)sums, y, x);
#endif
}
#endif

INLINE int32_t clamped(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

#endif
