/* The texture matrices of one binned image, counted together.
 *
 * Definitions (PyRadiomics' documentation and IBSI, doi:10.1148/radiol.2020191145), for a region of
 * voxels with grey levels g, and steps d from a voxel to another one:
 *   GLCM   P(i, j | d): how often a voxel of level i has one of level j at step d
 *   GLDM   P(i, k): how many voxels of level i have k - 1 neighbours whose level differs by alpha at
 *          most
 *   NGTDM  n(i), s(i): how many voxels have the level i, and the sum over those with neighbours of
 *          |i - mean level of the neighbours|; a voxel without any counts in n, as in PyRadiomics,
 *          though not by its documentation
 *   GLRLM, GLSZM: see runs.c
 * Only voxels of the region count, as neighbours too.
 *
 * Levels are numbered 1..levels without gaps; the bin that a number stands for is value[number - 1].
 * The grid has a rim of zeros that is as wide as the longest step, so that no border needs a check;
 * a step is then one number, the distance in memory. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Add up what a row of voxels has around it at one step. */
INLINE void look(const int32_t *restrict bin, const int32_t *restrict other, ptrdiff_t length,
                 int32_t alpha, int32_t *restrict neighbours, int32_t *restrict alike,
                 int32_t *restrict sum)
{
    for (ptrdiff_t x = 0; x < length; x++) {
        const int32_t present = other[x] != 0, apart = bin[x] - other[x];
        neighbours[x] += present;
        alike[x] += present & (apart <= alpha) & (apart >= -alpha);
        sum[x] += other[x];
    }
}

/* Count a row's pairs. Column 0 is for neighbours outside the region, so that nothing branches; each
 * step has a counter of its own, so that none waits for the one before. */
INLINE void count_pairs(const texture_t *t, const row_t *row, ptrdiff_t steps)
{
    for (ptrdiff_t x = 0; x < row->length; x++) {
        const uint16_t *here = t->grid + row->place + x;
        if (!*here)
            continue;
        uint32_t *glcm = t->glcm + (*here - 1) * (t->levels + 1) * steps;
        for (ptrdiff_t s = 0; s < steps; s++)
            glcm[here[t->step[s]] * steps + s]++;
    }
}

/* GLCM, GLDM and NGTDM, which look at the same neighbours: `steps` forward and their opposites. */
WIDE_VECTORS static int count_neighbours(const texture_t *t, const row_t *rows, ptrdiff_t row_count)
{
    const ptrdiff_t steps = t->steps, longest = t->box[0];
    /* Bins are whole numbers, and so are their differences; sums of a hundred stay far below 2^31,
     * since a matrix of that many levels squared would fit no memory. */
    const int32_t alpha = t->alpha < INT32_MAX / 2 ? (int32_t)floor(t->alpha) : INT32_MAX / 2;
    int32_t *neighbours = malloc(sizeof *neighbours * 3 * (size_t)longest);
    double *apart = malloc(sizeof *apart * (size_t)longest);
    if (!neighbours || !apart) {
        free(neighbours);
        free(apart);
        return -1;
    }
    int32_t *alike = neighbours + longest, *sum = alike + longest;
    for (const row_t *row = rows; row < rows + row_count; row++) {
        const ptrdiff_t length = row->length;
        const int32_t *bin = t->bin + row->place;
        const uint16_t *level = t->grid + row->place;
        memset(neighbours, 0, sizeof *neighbours * 3 * (size_t)longest);
        for (ptrdiff_t s = 0; s < steps; s++) {
            look(bin, bin + t->step[s], length, alpha, neighbours, alike, sum);
            look(bin, bin - t->step[s], length, alpha, neighbours, alike, sum);
        }
        for (ptrdiff_t x = 0; x < length; x++) {
            const double around = neighbours[x] ? (double)neighbours[x] : 1.0;
            apart[x] = neighbours[x] ? fabs((double)bin[x] - (double)sum[x] / around) : 0.0;
        }
        for (ptrdiff_t x = 0; x < length; x++) {
            if (!level[x])
                continue;
            t->gldm[(level[x] - 1) * (2 * steps + 1) + alike[x]]++;
            t->ngtdm[(level[x] - 1) * 2] += 1.0;
            t->ngtdm[(level[x] - 1) * 2 + 1] += apart[x];
        }
        /* The usual number is worth code of its own. */
        if (steps == 13)
            count_pairs(t, row, 13);
        else
            count_pairs(t, row, steps);
    }
    free(neighbours);
    free(apart);
    return 0;
}

/* Write the levels on the grid, and note from where to where the region reaches in each row of it. A
 * gap within holds level 0. Returns how many rows there are. */
static ptrdiff_t lay_out(const texture_t *t, row_t *rows)
{
    const ptrdiff_t stride = t->box[0] + 2 * t->rim;
    ptrdiff_t count = 0, end = -1;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t place = t->where[n];
        t->grid[place] = t->level[n];
        t->bin[place] = t->value[t->level[n] - 1];
        if (place >= end) {
            rows[count++].place = place;
            end = (place / stride + 1) * stride;
        }
        rows[count - 1].length = place - rows[count - 1].place + 1;
    }
    return count;
}

/* Returns how many zones there are, -1 without memory. */
ptrdiff_t texture_matrices(const texture_t *t)
{
    row_t *rows = malloc(sizeof *rows * (size_t)(t->box[1] * t->box[2] + 1));
    if (!rows)
        return -1;
    const ptrdiff_t row_count = lay_out(t, rows);
    ptrdiff_t zones = count_neighbours(t, rows, row_count);
    if (zones == 0)
        zones = count_runs_and_zones(t, rows, row_count);
    free(rows);
    return zones;
}

/* Bins of values: the number of edges that are at most the value, so that 1 is the first bin. The
 * edges rise by equal steps up to rounding: the guess from the step is right or next to it, and the
 * edges themselves decide. */
void bin_values(const double *values, ptrdiff_t count, const double *edges, ptrdiff_t edge_count,
                int32_t *bins)
{
    const double first = edges[0];
    const double per_unit = (double)(edge_count - 1) / (edges[edge_count - 1] - first);
    for (ptrdiff_t n = 0; n < count; n++) {
        const double guess = (values[n] - first) * per_unit + 1.0;
        ptrdiff_t bin = guess < 0 ? 0 : guess > (double)edge_count ? edge_count : (ptrdiff_t)guess;
        while (bin < edge_count && values[n] >= edges[bin])
            bin++;
        while (bin > 0 && values[n] < edges[bin - 1])
            bin--;
        bins[n] = (int32_t)bin;
    }
}
