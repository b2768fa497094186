/* softmax.h - logits to frequencies, in integers; FORMAT.md, "Frequencies from logits" */
#ifndef CN_SOFTMAX_H
#define CN_SOFTMAX_H

#include "range_coder.h"

#define EXP_STEPS 1024
#define LEAST_FREQUENCY 16
#define ALPHABET 16

/* (1024,): 2^20 e^(-i/64), rounded. No value lies within 10^-4 of where its rounding turns, and
 * the product's error stays below 10^-6. */
static void fill_exp(int32_t *exp) {
    double value = 1 << 20;
    for (int i = 0; i < EXP_STEPS; i++, value *= 0.98449643700540840) exp[i] = (int32_t)(value + 0.5);
}

static int32_t exp_of(const int32_t *exp, int32_t below) { return exp[below < EXP_STEPS ? below : EXP_STEPS - 1]; }

/* The frequency of 0 for the logits 0 and `logit`. */
static uint32_t zero_frequency(const int32_t *exp, int32_t logit) {
    uint64_t least = (uint64_t)exp_of(exp, logit < 0 ? -logit : logit);
    uint64_t shares = ((uint64_t)1 << TOTAL_BITS) - 2 * LEAST_FREQUENCY;
    uint32_t frequency = LEAST_FREQUENCY + (uint32_t)(least * shares / (least + (1 << 20)));
    return logit > 0 ? frequency : (1u << TOTAL_BITS) - frequency;
}

/* The frequencies of 16 logits. Products are below 2^53 and no quotient is so close below a whole
 * number that it would be rounded up to it: floor(x / y) is exact. */
static void softmax(const int32_t *exp, const int32_t *logits, uint32_t *frequencies) {
    int32_t best = 0, shares[ALPHABET], sum = 0;
    for (int k = 1; k < ALPHABET; k++)
        if (logits[k] > logits[best]) best = k;
    for (int k = 0; k < ALPHABET; k++) sum += shares[k] = exp_of(exp, logits[best] - logits[k]);
    uint32_t left = 1u << TOTAL_BITS;
    for (int k = 0; k < ALPHABET; k++) {
        double all = (1 << TOTAL_BITS) - LEAST_FREQUENCY * ALPHABET;
        frequencies[k] = LEAST_FREQUENCY + (uint32_t)(int32_t)(shares[k] * all / sum);
        left -= frequencies[k];
    }
    frequencies[best] += left;
}

#endif
