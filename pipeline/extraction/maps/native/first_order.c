/* The first-order features of one neighbourhood. Definitions: PyRadiomics' documentation, and IBSI
 * (doi:10.1148/radiol.2020191145) sections 3.3 and 3.4. */
#include "voxelwise.h"

#include <float.h>
#include <math.h>

/* A quantile of sorted values, interpolated linearly from the nearer neighbour, as numpy does. */
static double quantile(const double *ordered, int count, double q)
{
    const double place = q * (count - 1);
    const int below = (int)place;
    const double a = ordered[below], b = ordered[below + 1 < count ? below + 1 : count - 1];
    const double share = place - below;
    return share < 0.5 ? a + (b - a) * share : b - (b - a) * (1 - share);
}

void first_order(const kernel_t *k, const neighbourhood_t *n, const double *grey, double *out)
{
    double ordered[MOST_CELLS], total = 0, energy = 0;
    int count = 0;
    ordered[0] = 0;
    for (ptrdiff_t c = 0; c < k->cells; c++) {
        if (!n->bin[c])
            continue;
        const double value = grey[k->offset[c]], shifted = value + k->shift;
        int at = count++;
        while (at > 0 && ordered[at - 1] > value) {
            ordered[at] = ordered[at - 1];
            at--;
        }
        ordered[at] = value;
        total += value;
        energy += shifted * shifted;
    }
    /* Where all values are equal, rounding of the mean must not look like a spread. */
    const int flat = ordered[0] == ordered[count - 1];
    const double mean = flat ? ordered[0] : total / count;
    const double p10 = quantile(ordered, count, 0.1), p90 = quantile(ordered, count, 0.9);
    double m2 = 0, m3 = 0, m4 = 0, apart = 0, inner = 0, inner_apart = 0;
    int within = 0;
    for (int v = 0; v < count; v++) {
        const double deviation = ordered[v] - mean, square = deviation * deviation;
        m2 += square;
        m3 += square * deviation;
        m4 += square * square;
        apart += fabs(deviation);
        if (ordered[v] - p10 >= 0 && ordered[v] - p90 <= 0) {
            inner += ordered[v];
            within++;
        }
    }
    m2 /= count;
    m3 /= count;
    m4 /= count;
    inner = within ? inner / within : NAN;
    for (int v = 0; v < count; v++)
        if (ordered[v] - p10 >= 0 && ordered[v] - p90 <= 0)
            inner_apart += fabs(ordered[v] - inner);
    double entropy = 0, uniformity = 0;
    for (int i = 0; i < n->levels; i++) {
        const double p = n->count[i] / (double)count;
        entropy -= p * log2(p + DBL_EPSILON);
        uniformity += p * p;
    }
    out[0] = p10;
    out[1] = p90;
    out[2] = energy;
    out[3] = entropy;
    out[4] = quantile(ordered, count, 0.75) - quantile(ordered, count, 0.25);
    out[5] = m2 != 0 ? m4 / (m2 * m2) : 0.0;
    out[6] = ordered[count - 1];
    out[7] = mean;
    out[8] = apart / count;
    out[9] = quantile(ordered, count, 0.5);
    out[10] = ordered[0];
    out[11] = ordered[count - 1] - ordered[0];
    out[12] = within ? inner_apart / within : NAN;
    out[13] = sqrt(energy / count);
    out[14] = m2 != 0 ? m3 / pow(m2, 1.5) : 0.0;
    out[15] = sqrt(m2);
    out[16] = energy; /* times the voxel's volume, which is not known here: TotalEnergy */
    out[17] = uniformity;
    out[18] = m2;
}
