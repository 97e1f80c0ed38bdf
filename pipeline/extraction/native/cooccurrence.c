/* What the features of a GLCM are made of. p(i, j, s) is the probability of the levels i and j at
 * step s; the steps run fastest.
 *
 * glcm_sums: p_{x+y}(k, s) = sum of p(i, j, s) over i + j = k, and p_{x-y}(k, s) over |i - j| = k.
 *
 * glcm_products: Q(i, j, s) = sum over k of p(i, k, s) p(j, k, s) / (px(i, s) py(k, s) + eps), whose
 * second largest eigenvalue is the square of the maximal correlation coefficient. Eigenvalues near
 * zero are rounding, so that the sum runs over k as PyRadiomics' does; zeros that are left out would
 * add nothing. */
#include "kernels.h"

void glcm_sums(const double *p, ptrdiff_t levels, ptrdiff_t steps, const int32_t *level,
               double *sums, double *differences)
{
    for (ptrdiff_t i = 0; i < levels; i++)
        for (ptrdiff_t j = 0; j < levels; j++) {
            const double *from = p + (i * levels + j) * steps;
            const ptrdiff_t apart = level[i] < level[j] ? level[j] - level[i] : level[i] - level[j];
            double *sum = sums + (level[i] + level[j]) * steps;
            double *difference = differences + apart * steps;
            for (ptrdiff_t s = 0; s < steps; s++) {
                sum[s] += from[s];
                difference[s] += from[s];
            }
        }
}

static int all_zero(const double *values, ptrdiff_t count)
{
    for (ptrdiff_t n = 0; n < count; n++)
        if (values[n] != 0.0)
            return 0;
    return 1;
}

WIDE_VECTORS void glcm_products(const double *p, const double *px, const double *py,
                                ptrdiff_t levels, ptrdiff_t steps, double eps, double *q)
{
    for (ptrdiff_t i = 0; i < levels; i++)
        for (ptrdiff_t k = 0; k < levels; k++) {
            const double *first = p + (i * levels + k) * steps;
            if (all_zero(first, steps))
                continue;
            for (ptrdiff_t j = 0; j < levels; j++) {
                const double *second = p + (j * levels + k) * steps;
                double *to = q + (i * levels + j) * steps;
                for (ptrdiff_t s = 0; s < steps; s++)
                    to[s] += first[s] * second[s] / (px[i * steps + s] * py[k * steps + s] + eps);
            }
        }
}
