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
 *   NGTDM  n(i), s(i): how many voxels of level i have neighbours, and the sum over them of
 *          |i - mean level of the neighbours|
 * Only voxels of the region count, as neighbours too.
 *
 * Levels are numbered 1..levels without gaps; the bin that number stands for is value[number - 1].
 * The grid has a rim of zeros that is as wide as the longest step, so that no border needs a check;
 * a step is then one number, the distance in memory. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>

/* GLCM, GLDM and NGTDM, which look at the same neighbours: `steps` forward and their opposites. */
static void count_neighbours(const texture_t *t)
{
    const int32_t *grid = t->grid;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        const double value = t->value[level - 1];
        double *glcm = t->glcm + (ptrdiff_t)(level - 1) * t->levels * t->steps;
        double sum = 0.0;
        ptrdiff_t neighbours = 0, alike = 0;
        for (ptrdiff_t s = 0; s < t->steps; s++) {
            const int32_t ahead = grid[at + t->step[s]], behind = grid[at - t->step[s]];
            if (ahead) {
                const double other = t->value[ahead - 1];
                glcm[(ptrdiff_t)(ahead - 1) * t->steps + s] += 1.0;
                neighbours++;
                sum += other;
                alike += fabs(value - other) <= t->alpha;
            }
            if (behind) {
                const double other = t->value[behind - 1];
                neighbours++;
                sum += other;
                alike += fabs(value - other) <= t->alpha;
            }
        }
        t->gldm[(level - 1) * (2 * t->steps + 1) + alike] += 1.0;
        if (neighbours) {
            t->ngtdm[(level - 1) * 2] += 1.0;
            t->ngtdm[(level - 1) * 2 + 1] += fabs(value - sum / (double)neighbours);
        }
    }
}

static void count_runs(const texture_t *t)
{
    const int32_t *grid = t->grid;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = grid[at];
        double *glrlm = t->glrlm + (ptrdiff_t)(level - 1) * t->longest * t->directions;
        for (ptrdiff_t d = 0; d < t->directions; d++) {
            const ptrdiff_t step = t->direction[d];
            if (grid[at - step] == level)
                continue; /* not the beginning of a run */
            ptrdiff_t length = 1;
            for (ptrdiff_t next = at + step; grid[next] == level; next += step)
                length++;
            glrlm[(length - 1) * t->directions + d] += 1.0;
        }
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

/* Zones are joined along the directions, each of which stands for a pair of touching voxels. `number`
 * gives the place of a voxel in `where`. The size of a zone is left at its root, 0 elsewhere. */
static int count_zones(const texture_t *t)
{
    int32_t *parent = malloc(sizeof(int32_t) * (size_t)(t->voxels ? t->voxels : 1));
    if (!parent)
        return -1;
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        parent[n] = (int32_t)n;
        t->zone_size[n] = 0;
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++) {
        const ptrdiff_t at = t->where[n];
        const int32_t level = t->grid[at];
        int32_t root = root_of(parent, (int32_t)n);
        for (ptrdiff_t d = 0; d < t->directions; d++) {
            const ptrdiff_t next = at + t->direction[d];
            if (t->grid[next] != level)
                continue;
            const int32_t other = root_of(parent, t->number[next]);
            if (other != root) { /* the younger root joins the older one */
                const int32_t older = other < root ? other : root;
                parent[other < root ? root : other] = older;
                root = older;
            }
        }
    }
    for (ptrdiff_t n = 0; n < t->voxels; n++)
        t->zone_size[root_of(parent, (int32_t)n)]++;
    free(parent);
    return 0;
}

int texture_matrices(const texture_t *t)
{
    for (ptrdiff_t n = 0; n < t->voxels; n++)
        t->grid[t->where[n]] = t->level[n];
    count_neighbours(t);
    count_runs(t);
    return count_zones(t);
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
