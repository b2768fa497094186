/* string.c - compiled with -fno-builtin, lest loops become calls of what they are */
#include "string.h"

void *memcpy(void *to, const void *from, size_t count) {
    unsigned char *target = to;
    const unsigned char *source = from;
    for (size_t i = 0; i < count; i++) target[i] = source[i];
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    unsigned char *target = to;
    const unsigned char *source = from;
    if (target <= source) return memcpy(to, from, count);
    while (count-- > 0) target[count] = source[count];
    return to;
}

void *memset(void *to, int value, size_t count) {
    unsigned char *target = to;
    for (size_t i = 0; i < count; i++) target[i] = (unsigned char)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t count) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < count; i++)
        if (x[i] != y[i]) return x[i] - y[i];
    return 0;
}

int strcmp(const char *a, const char *b) {
    while (*a != 0 && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}
