/* The texture matrices of one binned image, counted together.
 *
 * Definitions (PyRadiomics' documentation and IBSI, doi:10.1148/radiol.2020191145), for a region of
 * voxels with grey levels g, and steps d from a voxel to another one:
 *   GLCM   P(i, j | d): how often a voxel of level i has one of level j at step d
 *   GLRLM  P(i, r | d): how many runs of r voxels of level i there are in the direction d; a run is a
 *          row of voxels one step apart with one level, as long as possible
 *   GLSZM  P(i, s): how many zones of s voxels of level i there are; a zone is a set of voxels of one
 *          level that touch by a face, an edge or a corner
 *   GLDM   P(i, k): how many voxels of level i have k - 1 neighbours whose level differs by alpha at
 *          most
 *   NGTDM  n(i), s(i): how many voxels have the level i, and the sum over those with neighbours of
 *          |i - mean level of the neighbours|; a voxel without any counts in n, as in PyRadiomics,
 *          though not by its documentation
 * Only voxels of the region count, as neighbours too.
 *
 * Levels are numbered 1..levels without gaps; the bin that a number stands for is value[number - 1].
 * The grid has a rim of zeros that is as wide as the longest step, so that no border needs a check;
 * a step is then one number, the distance in memory. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a row of voxels has around it at one step. */
WIDE_VECTORS static void look(const int32_t *restrict bin, const int32_t *restrict other,
                              ptrdiff_t length, int32_t alpha, int32_t *restrict neighbours,
                              int32_t *restrict alike, int32_t *restrict sum)
{
    for (ptrdiff_t x = 0; x < length; x++) {
        const int32_t present = other[x] != 0, apart = bin[x] - other[x];
        neighbours[x] += present;
        alike[x] += present & (apart <= alpha) & (apart >= -alpha);
        sum[x] += other[x];
    }
}

/* GLCM, GLDM and NGTDM, which look at the same neighbours: `steps` forward and their opposites. The
 * GLCM has a column 0 for neighbours outside the region, so that its loop has no branch. */
static int count_neighbours(const texture_t *t)
{
    const ptrdiff_t steps = t->steps, length = t->box[0];
    const ptrdiff_t row_stride = length + 2 * t->rim, plane_stride = row_stride * (t->box[1] + 2 * t->rim);
    /* Bins are whole numbers, and so are their differences; sums of a hundred stay far below 2^31, since
     * a matrix of that many levels squared would fit no memory. */
    const int32_t alpha = t->alpha < INT32_MAX / 2 ? (int32_t)floor(t->alpha) : INT32_MAX / 2;
    int32_t *around = malloc(sizeof *around * 3 * (size_t)length);
    if (!around)
        return -1;
    int32_t *neighbours = around, *alike = around + length, *sum = around + 2 * length;
    for (ptrdiff_t z = 0; z < t->box[2]; z++)
        for (ptrdiff_t y = 0; y < t->box[1]; y++) {
            const ptrdiff_t row = (z + t->rim) * plane_stride + (y + t->rim) * row_stride + t->rim;
            memset(around, 0, sizeof *around * 3 * (size_t)length);
            for (ptrdiff_t s = 0; s < steps; s++) {
                const int32_t *bin = t->bin + row;
                look(bin, bin + t->step[s], length, alpha, neighbours, alike, sum);
                look(bin, bin - t->step[s], length, alpha, neighbours, alike, sum);
            }
            for (ptrdiff_t x = 0; x < length; x++) {
                const int32_t *here = t->grid + row + x;
                const ptrdiff_t level = *here - 1;
                if (level < 0)
                    continue;
                double *glcm = t->glcm + level * (t->levels + 1) * steps;
                for (ptrdiff_t s = 0; s < steps; s++)
                    glcm[here[t->step[s]] * steps + s] += 1.0;
                t->gldm[level * (2 * steps + 1) + alike[x]] += 1.0;
                t->ngtdm[level * 2] += 1.0;
                if (neighbours[x]) {
                    const double mean = (double)sum[x] / (double)neighbours[x];
                    t->ngtdm[level * 2 + 1] += fabs((double)t->bin[row + x] - mean);
                }
            }
        }
    free(around);
    return 0;
}

static int32_t root_of(int32_t *parent, int32_t n)
{
    while (parent[n] != n) {
        parent[n] = parent[parent[n]];
        n = parent[n];
    }
    return n;
}

/* Directions point forward in memory, so that the run that reaches a voxel from behind is known when
 * its turn comes. */
static int count_runs(const texture_t *t)
{
    const int32_t *grid = t->grid;
    const ptrdiff_t directions = t->directions;
    double unused = 0.0;
    uint16_t *run = calloc((size_t)(t->voxels * directions + 1), sizeof *run);
    if (!run)
        return -1;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        double *glrlm = t->glrlm + (level - 1) * t->longest * directions;
        for (ptrdiff_t d = 0; d < directions; d++) {
            const ptrdiff_t step = t->direction[d];
            const int same = grid[at - step] == level, ends = grid[at + step] != level;
            /* No branches: whether a run goes on is what no processor guesses. */
            const uint16_t length =
                (uint16_t)(same * run[t->number[at - step] * directions + d] + 1);
            run[n * directions + d] = length;
            *(ends ? glrlm + (length - 1) * directions + d : &unused) += 1.0;
        }
    }
    free(run);
    return 0;
}

/* A zone is a tree of voxels that leads to its first one. Its size is left there, 0 elsewhere. */
static int count_zones(const texture_t *t)
{
    const int32_t *grid = t->grid;
    int32_t *parent = malloc(sizeof(int32_t) * (size_t)(t->voxels + 1));
    uint8_t *met = calloc((size_t)t->directions + 1, 1);
    if (!parent || !met) {
        free(parent);
        free(met);
        return -1;
    }
    /* If the voxel to the left has the same level, it has met some of the neighbours already: those
     * of step s at its own step s - 1. */
    int rows = 0;
    for (ptrdiff_t d = 0; d < t->directions; d++) {
        rows |= t->direction[d] == 1;
        for (ptrdiff_t e = 0; e < t->directions; e++)
            met[d] |= t->direction[e] == t->direction[d] - 1;
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        const int left = rows && grid[at - 1] == level;
        int32_t root = (int32_t)n;
        parent[n] = root;
        t->zone_size[n] = 0;
        for (ptrdiff_t d = 0; d < t->directions; d++) {
            const ptrdiff_t behind = at - t->direction[d];
            if (grid[behind] != level || (left && met[d]))
                continue;
            const int32_t other = root_of(parent, t->number[behind]);
            if (other == root)
                continue;
            const int32_t older = other < root ? other : root; /* the younger joins the older */
            parent[other < root ? root : other] = older;
            root = older;
        }
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++)
        t->zone_size[root_of(parent, (int32_t)n)]++;
    free(parent);
    free(met);
    return 0;
}

int texture_matrices(const texture_t *t)
{
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        t->grid[t->where[n]] = t->level[n];
        t->bin[t->where[n]] = t->value[t->level[n] - 1];
    }
    return count_neighbours(t) < 0 || count_runs(t) < 0 || count_zones(t) < 0 ? -1 : 0;
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
