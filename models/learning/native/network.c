/* Layers of a stack of TabNets (models/learning/stacked_network.py), forwards and backwards. */
#include "kernels.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Parts of a sum: the widest registers hold 16 numbers of 32 bits. */
#define LANES 16

/* The same arithmetic for wider registers, where the linker can choose among versions. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

/* Of the exponential's series: as many terms as the longest needs. */
static const double one_over_factorial[] = {
    1,           1,           1.0 / 2,       1.0 / 6,        1.0 / 24,
    1.0 / 120,   1.0 / 720,   1.0 / 5040,    1.0 / 40320,    1.0 / 362880,
    1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800, 1.0 / 87178291200,
};

#define root_float32 sqrtf
#define root_float64 sqrt
#define logarithm_float32 logf
#define logarithm_float64 log

#define REAL float
#define BITS uint32_t
#define NAME float32
#define LARGEST 87.0f
#define ROUNDER 12582912.0f
#define LOG2_HIGH 0.693359375f
#define LOG2_LOW -2.12194440e-4f
#define TERMS 7
#define BIAS 127u
#define MANTISSA 23
#include "network.h"
#undef REAL
#undef BITS
#undef NAME
#undef LARGEST
#undef ROUNDER
#undef LOG2_HIGH
#undef LOG2_LOW
#undef TERMS
#undef BIAS
#undef MANTISSA

#define REAL double
#define BITS uint64_t
#define NAME float64
#define LARGEST 708.0
#define ROUNDER 6755399441055744.0
#define LOG2_HIGH 6.93147180369123816490e-01
#define LOG2_LOW 1.90821492927058770002e-10
#define TERMS 14
#define BIAS 1023u
#define MANTISSA 52
#include "network.h"
