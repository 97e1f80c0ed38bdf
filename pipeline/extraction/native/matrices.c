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
 * Levels are numbered 1..levels without gaps; the bin that a number stands for is value[number], and
 * value[0] is 0.
 * The grid has a rim of zeros that is as wide as the longest step, so that no border needs a check;
 * a step is then one number, the distance in memory. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

/* GLCM, GLDM and NGTDM, which look at the same neighbours: `steps` forward and their opposites. The
 * GLCM has a column 0 for neighbours outside the region, so that the loop has no branch. */
static void count_neighbours(const texture_t *t)
{
    const int32_t *grid = t->grid;
    const ptrdiff_t steps = t->steps, row = (t->levels + 1) * steps;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        const double value = t->value[level];
        double *glcm = t->glcm + (level - 1) * row;
        double sum = 0.0;
        int neighbours = 0, alike = 0;
        for (ptrdiff_t s = 0; s < steps; s++) {
            const int32_t ahead = grid[at + t->step[s]], behind = grid[at - t->step[s]];
            const double after = t->value[ahead], before = t->value[behind];
            glcm[ahead * steps + s] += 1.0;
            neighbours += (ahead != 0) + (behind != 0);
            sum += after + before;
            alike += (ahead != 0) & (fabs(value - after) <= t->alpha);
            alike += (behind != 0) & (fabs(value - before) <= t->alpha);
        }
        t->gldm[(level - 1) * (2 * steps + 1) + alike] += 1.0;
        t->ngtdm[(level - 1) * 2] += 1.0;
        if (neighbours)
            t->ngtdm[(level - 1) * 2 + 1] += fabs(value - sum / (double)neighbours);
    }
}

static int32_t root_of(int32_t *parent, int32_t n)
{
    while (parent[n] != n) {
        parent[n] = parent[parent[n]];
        n = parent[n];
    }
    return n;
}

/* GLRLM and GLSZM, which ask for neighbours of the same level. Voxels come in the order of memory and
 * directions point forward, so that what lies behind a voxel is known when its turn comes: the length
 * of its run so far, in each direction, and its zone, a tree of voxels that leads to the first one.
 * The size of a zone is left at its root, 0 elsewhere. */
static int count_runs_and_zones(const texture_t *t)
{
    const int32_t *grid = t->grid;
    const ptrdiff_t directions = t->directions;
    int32_t *parent = malloc(sizeof(int32_t) * (size_t)(t->voxels + 1));
    uint16_t *run = malloc(sizeof(uint16_t) * (size_t)(t->voxels * directions + 1));
    if (!parent || !run) {
        free(parent);
        free(run);
        return -1;
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        double *glrlm = t->glrlm + (level - 1) * t->longest * directions;
        int32_t root = (int32_t)n;
        parent[n] = root;
        for (ptrdiff_t d = 0; d < directions; d++) {
            const ptrdiff_t step = t->direction[d];
            uint16_t length = 1;
            if (grid[at - step] == level) {
                const int32_t behind = t->number[at - step];
                length = (uint16_t)(run[behind * directions + d] + 1);
                const int32_t other = root_of(parent, behind);
                if (other != root) { /* the younger root joins the older one */
                    const int32_t older = other < root ? other : root;
                    parent[other < root ? root : other] = older;
                    root = older;
                }
            }
            run[n * directions + d] = length;
            if (grid[at + step] != level)
                glrlm[(length - 1) * directions + d] += 1.0;
        }
        t->zone_size[n] = 0;
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++)
        t->zone_size[root_of(parent, (int32_t)n)]++;
    free(parent);
    free(run);
    return 0;
}

int texture_matrices(const texture_t *t)
{
    for (ptrdiff_t n = 0; n < t->voxels; n++)
        t->grid[t->where[n]] = t->level[n];
    count_neighbours(t);
    return count_runs_and_zones(t);
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
