/* The texture features of one neighbourhood.
 *
 * Definitions: PyRadiomics' documentation, and IBSI (doi:10.1148/radiol.2020191145). Both voxels of a
 * pair, and all voxels of a run or zone, lie in the neighbourhood and in the region. Where a value
 * that is nothing but rounding decides between a number and NaN (Imc2, Correlation, Busyness), sums
 * run in PyRadiomics' order.
 */
#include "voxelwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define EPS DBL_EPSILON /* what PyRadiomics adds to a probability before it takes the logarithm */

/* Lay out one neighbourhood: the levels of its cells, and which of them occur. `met` counts the cells
 * of each level and is 0 between uses. */
void look_around(const kernel_t *k, const int32_t *bin, ptrdiff_t place, int16_t *met,
                 neighbourhood_t *n)
{
    n->levels = n->voxels = 0;
    for (ptrdiff_t c = 0; c < k->cells; c++) {
        const int level = n->bin[c] = bin[place + k->offset[c]];
        if (!level)
            continue;
        n->voxels++;
        if (met[level]++)
            continue;
        int at = n->levels++;
        for (; at > 0 && n->level[at - 1] > level; at--)
            n->level[at] = n->level[at - 1];
        n->level[at] = level;
    }
    for (int i = 0; i < n->levels; i++) {
        n->count[i] = met[n->level[i]];
        met[n->level[i]] = (int16_t)i;
        n->square[i] = (double)n->level[i] * n->level[i];
        n->inverse[i] = 1 / n->square[i];
    }
    for (ptrdiff_t c = 0; c < k->cells; c++)
        n->number[c] = n->bin[c] ? met[n->bin[c]] : -1;
    for (int i = 0; i < n->levels; i++)
        met[n->level[i]] = 0;
}

/* A mean over the steps or directions in which a feature is defined. */
static void add(double *total, int *defined, const double *value, int features)
{
    for (int f = 0; f < features; f++)
        if (!isnan(value[f])) {
            total[f] += value[f];
            defined[f]++;
        }
}

static void divide(double *total, const int *defined, int features)
{
    for (int f = 0; f < features; f++)
        total[f] = defined[f] ? total[f] / defined[f] : NAN;
}

/* The features of one step's GLCM; p is (levels, levels). */
static void of_pairs(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, const double *p,
                     double *out)
{
    const int levels = n->levels, lowest = n->level[0], span = n->level[levels - 1] - lowest;
    double px[MOST_CELLS], py[MOST_CELLS];
    memset(px, 0, sizeof *px * (size_t)levels);
    memset(py, 0, sizeof *py * (size_t)levels);
    double ux = 0, uy = 0, autocorrelation = 0, energy = 0, entropy = 0, largest = 0;
    memset(s->sums, 0, sizeof *s->sums * (size_t)(2 * span + 1));
    memset(s->differences, 0, sizeof *s->differences * (size_t)(span + 1));
    for (int i = 0; i < levels; i++)
        for (int j = 0; j < levels; j++) {
            const double here = p[i * levels + j];
            if (here == 0)
                continue;
            const double a = n->level[i], b = n->level[j];
            px[i] += here;
            py[j] += here;
            ux += a * here;
            uy += b * here;
            autocorrelation += here * (a * b);
            energy += here * here;
            entropy += here * log2(here + EPS);
            if (here > largest)
                largest = here;
            s->sums[n->level[i] + n->level[j] - 2 * lowest] += here;
            s->differences[n->level[i] < n->level[j] ? n->level[j] - n->level[i]
                                                     : n->level[i] - n->level[j]] += here;
        }
    entropy = -entropy;
    double prominence = 0, shade = 0, tendency = 0, variance_x = 0, variance_y = 0, covariance = 0;
    double crossed = 0, independent = 0, of_x = 0, of_y = 0;
    for (int i = 0; i < levels; i++) {
        if (px[i] != 0)
            of_x += px[i] * log2(px[i] + EPS);
        if (py[i] != 0)
            of_y += py[i] * log2(py[i] + EPS);
        for (int j = 0; j < levels; j++) {
            const double here = p[i * levels + j], both = px[i] * py[j];
            if (both == 0)
                continue;
            const double logarithm = log2(both + EPS);
            independent += both * logarithm;
            if (here == 0)
                continue;
            const double a = n->level[i] - ux, b = n->level[j] - uy;
            const double apart = (double)(n->level[i] + n->level[j]) - ux - uy;
            const double squared = apart * apart;
            crossed += here * logarithm;
            tendency += here * squared;
            shade += here * (squared * apart);
            prominence += here * (squared * squared);
            variance_x += here * (a * a);
            variance_y += here * (b * b);
            covariance += here * a * b;
        }
    }
    crossed = -crossed;
    independent = -independent;
    of_x = -of_x;
    of_y = -of_y;
    const double sigmas = sqrt(variance_x) * sqrt(variance_y);
    double average = 0, contrast = 0, idm = 0, idmn = 0, id = 0, idn = 0, inverse = 0;
    double of_difference = 0, sum_average = 0, of_sum = 0, spread = 0;
    const double highest = k->highest;
    for (int d = 0; d <= span; d++) {
        const double here = s->differences[d], square = (double)d * d;
        if (here == 0)
            continue;
        average += d * here;
        contrast += square * here;
        idm += here / (1 + square);
        idmn += here / (1 + square / (highest * highest));
        id += here / (1 + d);
        idn += here / (1 + d / highest);
        if (d)
            inverse += here / square;
        of_difference += here * log2(here + EPS);
    }
    for (int d = 0; d <= span; d++)
        spread += s->differences[d] * ((d - average) * (d - average));
    for (int t = 0; t <= 2 * span; t++) {
        const double here = s->sums[t];
        if (here == 0)
            continue;
        sum_average += (t + 2 * lowest) * here;
        of_sum += here * log2(here + EPS);
    }
    const double larger = fmax(of_x, of_y);
    const double values[GLCM] = {
        autocorrelation, ux, prominence, shade, tendency,
        sigmas == 0 ? 1.0 : covariance / (sigmas + EPS),
        -of_difference, spread, energy, entropy,
        larger == 0 ? 0.0 : (entropy - crossed) / larger,
        independent == entropy ? 0.0 : sqrt(1 - exp(-2 * (independent - entropy))),
        largest, sum_average, -of_sum, variance_x,
        average, contrast, idm, idmn, id, idn, inverse,
    };
    memcpy(out, values, sizeof values);
}

/* Returns in how many steps there is a pair; `found` says in which. */
int glcm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out, uint8_t *found)
{
    const int levels = n->levels;
    int defined[GLCM] = {0}, steps = 0;
    double values[GLCM];
    memset(out, 0, sizeof *out * GLCM);
    for (ptrdiff_t step = 0; step < k->steps; step++) {
        double total = 0;
        memset(s->matrix, 0, sizeof *s->matrix * (size_t)(levels * levels));
        for (int m = k->start[step]; m < k->start[step + 1]; m++) {
            const int i = n->number[k->from[m]], j = n->number[k->to[m]];
            if (i < 0 || j < 0)
                continue;
            s->matrix[i * levels + j] += 1;
            total += 1;
            if (k->symmetrical) {
                s->matrix[j * levels + i] += 1;
                total += 1;
            }
        }
        found[step] = total != 0;
        if (total == 0)
            continue;
        steps++;
        for (int m = 0; m < levels * levels; m++)
            s->matrix[m] /= total;
        of_pairs(k, n, s, s->matrix, values);
        add(out, defined, values, GLCM);
    }
    divide(out, defined, GLCM);
    return steps;
}

/* Count something of a level and a size (from 1). Cells that are not 0 are listed, so that neither
 * clearing nor summing looks at the others. */
static void count(scratch_t *s, int number, int size)
{
    const int cell = number * MOST_CELLS + size - 1;
    if (!s->counts[cell])
        s->listed[s->length++] = cell;
    s->counts[cell]++;
}

/* The sixteen formulas of what was counted; clears it. Returns 0 if nothing was. */
static int of_sizes(const neighbourhood_t *n, scratch_t *s, double *out)
{
    int of_size[MOST_CELLS], of_level[MOST_CELLS], total = 0, voxels = 0, sizes = 0;
    if (!s->length)
        return 0;
    for (int m = 0; m < s->length; m++) {
        const int size = s->listed[m] % MOST_CELLS + 1;
        sizes = size > sizes ? size : sizes;
    }
    memset(of_size, 0, sizeof *of_size * (size_t)sizes);
    memset(of_level, 0, sizeof *of_level * (size_t)n->levels);
    double small = 0, large = 0, low = 0, high = 0, entropy = 0;
    double small_low = 0, small_high = 0, large_low = 0, large_high = 0;
    for (int m = 0; m < s->length; m++) {
        const int number = s->listed[m] / MOST_CELLS, j = s->listed[m] % MOST_CELLS;
        const int here = s->counts[s->listed[m]];
        of_size[j] += here;
        of_level[number] += here;
        total += here;
        voxels += here * (j + 1);
    }
    const double *logarithm = s->logarithms + total * (MOST_CELLS + 1);
    for (int m = 0; m < s->length; m++) {
        const int number = s->listed[m] / MOST_CELLS, j = s->listed[m] % MOST_CELLS;
        const int here = s->counts[s->listed[m]];
        const double square = n->square[number], size = (double)(j + 1) * (j + 1);
        const double by_level = here * n->inverse[number], by_size = here * s->inverse[j];
        low += by_level;
        high += here * square;
        small += by_size;
        large += here * size;
        small_low += by_level * s->inverse[j];
        small_high += by_size * square;
        large_low += by_level * size;
        large_high += here * square * size;
        entropy += logarithm[here];
        s->counts[s->listed[m]] = 0;
    }
    s->length = 0;
    double level_uniformity = 0, size_uniformity = 0, mean_level = 0, mean_size = 0;
    double level_variance = 0, size_variance = 0;
    for (int j = 0; j < sizes; j++) {
        size_uniformity += (double)of_size[j] * of_size[j];
        mean_size += (double)of_size[j] * (j + 1);
    }
    for (int i = 0; i < n->levels; i++) {
        level_uniformity += (double)of_level[i] * of_level[i];
        mean_level += (double)of_level[i] * n->level[i];
    }
    mean_size /= total;
    mean_level /= total;
    for (int j = 0; j < sizes; j++)
        size_variance += of_size[j] * ((j + 1 - mean_size) * (j + 1 - mean_size));
    for (int i = 0; i < n->levels; i++)
        level_variance += of_level[i] * ((n->level[i] - mean_level) * (n->level[i] - mean_level));
    const double all = total, share = 1 / all;
    const double values[SIZES] = {
        small * share, large * share,
        level_uniformity * share, level_uniformity / (all * all),
        size_uniformity * share, size_uniformity / (all * all),
        all / voxels, level_variance * share, size_variance * share, -entropy,
        low * share, high * share,
        small_low * share, small_high * share, large_low * share, large_high * share,
    };
    memcpy(out, values, sizeof values);
    return 1;
}

void glrlm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out)
{
    int defined[SIZES] = {0};
    double values[SIZES];
    memset(out, 0, sizeof *out * SIZES);
    for (ptrdiff_t d = 0; d < k->directions; d++) {
        int shared = 0, on_line = 0, run = 0, last = -1;
        for (int m = k->line_start[d]; m < k->line_start[d + 1]; m++) {
            const int cell = k->line[m], number = cell < 0 ? -1 : n->number[cell];
            if (number == last) {
                run++;
            } else {
                if (last >= 0)
                    count(s, last, run);
                last = number;
                run = 1;
            }
            on_line += number >= 0;
            if (cell < 0) {
                shared |= on_line > 1;
                on_line = 0;
            }
        }
        /* PyRadiomics counts no runs in a direction in which every voxel is alone on its line. */
        if (of_sizes(n, s, values) && shared)
            add(out, defined, values, SIZES);
    }
    divide(out, defined, SIZES);
}

/* The first cell of a zone, as far as it is known. */
static int first_of(int16_t *zone, int cell)
{
    while (zone[cell] != cell)
        cell = zone[cell] = zone[zone[cell]];
    return cell;
}

void glszm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out)
{
    int16_t zone[MOST_CELLS];
    int size[MOST_CELLS];
    for (ptrdiff_t c = 0; c < k->cells; c++) {
        zone[c] = (int16_t)c;
        size[c] = 0;
    }
    for (ptrdiff_t m = 0; m < k->touching; m++) {
        const int one = k->one[m], other = k->other[m];
        if (n->bin[one] != n->bin[other] || !n->bin[one])
            continue;
        const int a = first_of(zone, one), b = first_of(zone, other);
        zone[a < b ? b : a] = (int16_t)(a < b ? a : b);
    }
    for (ptrdiff_t c = 0; c < k->cells; c++)
        size[first_of(zone, (int)c)]++;
    for (ptrdiff_t c = 0; c < k->cells; c++)
        if (n->bin[c] && zone[c] == c)
            count(s, n->number[c], size[c]);
    of_sizes(n, s, out);
}

void gldm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out)
{
    /* Levels are whole numbers, and so are their differences. */
    const int alpha = k->alpha < INT32_MAX / 2 ? (int)floor(k->alpha) : INT32_MAX / 2;
    int alike[MOST_CELLS];
    memset(alike, 0, sizeof *alike * (size_t)k->cells);
    for (int m = 0; m < k->start[k->steps]; m++) {
        const int c = k->from[m], other = k->to[m];
        if (!n->bin[c] || !n->bin[other])
            continue;
        const int apart = n->bin[c] - n->bin[other];
        const int same = (apart <= alpha) & (-apart <= alpha);
        alike[c] += same;
        alike[other] += same;
    }
    for (ptrdiff_t c = 0; c < k->cells; c++)
        if (n->bin[c])
            count(s, n->number[c], alike[c] + 1);
    of_sizes(n, s, out);
}

void ngtdm(const kernel_t *k, const neighbourhood_t *n, double *out)
{
    double differences[MOST_CELLS], p[MOST_CELLS];
    int sum[MOST_CELLS], around[MOST_CELLS];
    memset(sum, 0, sizeof *sum * (size_t)k->cells);
    memset(around, 0, sizeof *around * (size_t)k->cells);
    memset(differences, 0, sizeof *differences * (size_t)n->levels);
    for (int m = 0; m < k->start[k->steps]; m++) {
        const int c = k->from[m], other = k->to[m];
        if (!n->bin[c] || !n->bin[other])
            continue;
        sum[c] += n->bin[other];
        sum[other] += n->bin[c];
        around[c]++;
        around[other]++;
    }
    for (ptrdiff_t c = 0; c < k->cells; c++)
        if (n->bin[c] && around[c])
            differences[n->number[c]] += fabs(n->bin[c] - (double)sum[c] / around[c]);
    double weighted = 0, spread = 0, contrast = 0, imbalance = 0, complexity = 0, strength = 0;
    for (int i = 0; i < n->levels; i++) {
        p[i] = n->count[i] / (double)n->voxels;
        weighted += p[i] * differences[i];
        spread += differences[i];
    }
    for (int i = 0; i < n->levels; i++)
        for (int j = 0; j < n->levels; j++) {
            const double apart = n->level[i] - n->level[j], pair = p[i] + p[j];
            contrast += p[i] * p[j] * (apart * apart);
            imbalance += fabs(n->level[i] * p[i] - n->level[j] * p[j]);
            complexity += fabs(apart) * (p[i] * differences[i] + p[j] * differences[j]) / pair;
            strength += pair * (apart * apart);
        }
    const double pairs = (double)n->levels * (n->levels - 1);
    out[0] = imbalance != 0 ? weighted / imbalance : 0.0;
    out[1] = weighted != 0 ? 1 / weighted : 1e6;
    out[2] = complexity / n->voxels;
    out[3] = pairs != 0 ? contrast * spread / n->voxels / pairs : 0.0;
    out[4] = spread != 0 ? strength / spread : 0.0;
}
