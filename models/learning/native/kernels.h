/* What module.c calls. Arrays are C-contiguous; within a channel the rows lie along memory. */
#ifndef VERTEBROMICS_STACKED_KERNELS_H
#define VERTEBROMICS_STACKED_KERNELS_H

#include <stddef.h>

/* Sizes of a stack. A gate has `channels` values that it lets through and as many that open it. */
typedef struct {
    ptrdiff_t networks, channels, rows;
} sizes_t;

/* Batch normalisation: of the batch itself (training), which also moves the running statistics,
 * or by the running statistics. */
typedef struct {
    int training;
    double epsilon, momentum;
} norm_t;

/* Relaxation of the prior, and what keeps the logarithm finite. */
typedef struct {
    double gamma, epsilon;
} attention_t;

/* Adam's step: its constants, and the norm to which a network's gradient is cut. */
typedef struct {
    double first, second, epsilon, longest;
} adam_t;

#define DECLARE(REAL, NAME)                                                                        \
    void gate_forward_##NAME(sizes_t, norm_t, const REAL *x, const REAL *gain, const REAL *bias,   \
                             REAL *mean, REAL *variance, const REAL *added, double scale,          \
                             REAL *out, REAL *centre, REAL *inverse);                              \
    void gate_backward_##NAME(sizes_t, int training, const REAL *slope, const REAL *x,             \
                              const REAL *gain, const REAL *bias, const REAL *centre,              \
                              const REAL *inverse, double scale, int was_added, REAL *to_x,        \
                              REAL *to_gain, REAL *to_bias, REAL *to_added);                       \
    int attend_forward_##NAME(sizes_t, norm_t, attention_t, const REAL *x, const REAL *gain,       \
                              const REAL *bias, REAL *mean, REAL *variance, const REAL *prior,     \
                              const REAL *rows, REAL *mask, REAL *next, REAL *masked,              \
                              REAL *sparsity, REAL *centre, REAL *inverse);                        \
    int attend_backward_##NAME(sizes_t, int training, attention_t, const REAL *to_next,            \
                               const REAL *to_masked, const REAL *to_sparsity, const REAL *x,      \
                               const REAL *gain, const REAL *bias, const REAL *prior,              \
                               const REAL *rows, const REAL *mask, const REAL *centre,             \
                               const REAL *inverse, REAL *to_x, REAL *to_gain, REAL *to_bias,      \
                               REAL *to_prior, REAL *to_rows);                                     \
    void adam_step_##NAME(ptrdiff_t networks, ptrdiff_t count, adam_t, const REAL *slopes,         \
                          const REAL *rates, const REAL *roots, const REAL *decay, REAL *weights,  \
                          REAL *first, REAL *second, REAL *norms);

DECLARE(float, float32)
DECLARE(double, float64)

#endif
