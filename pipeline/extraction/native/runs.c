/* Runs and zones: voxels of one level that touch.
 *
 * Definitions (PyRadiomics' documentation and IBSI, doi:10.1148/radiol.2020191145):
 *   GLRLM  P(i, r | d): how many runs of r voxels of level i there are in the direction d; a run is a
 *          row of voxels one step apart with one level, as long as possible
 *   GLSZM  P(i, s): how many zones of s voxels of level i there are; a zone is a set of voxels of one
 *          level that touch by a face, an edge or a corner
 *
 * Both ask of each voxel which neighbours behind it have its level. Directions point forward in
 * memory, so that those neighbours' runs and zones are known when its turn comes. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

/* The place of a voxel in its run, from 1, for a row of voxels; and a bit for those that go on with a
 * run of the voxel behind. */
INLINE void continue_runs(const uint16_t *restrict level, const uint16_t *restrict behind,
                          const uint16_t *restrict before, ptrdiff_t length, int bit,
                          uint16_t *restrict run, uint16_t *restrict same)
{
    for (ptrdiff_t x = 0; x < length; x++) {
        const uint16_t goes_on = (uint16_t)((level[x] == behind[x]) & (level[x] != 0));
        run[x] = (uint16_t)(goes_on * before[x] + 1);
        same[x] |= (uint16_t)(goes_on << bit);
    }
}

/* The same along the row itself, where each voxel waits for the one before. */
INLINE void continue_row(const uint16_t *level, ptrdiff_t length, int bit, uint16_t *run,
                         uint16_t *same)
{
    uint16_t place = 0;
    for (ptrdiff_t x = 0; x < length; x++) {
        const uint16_t goes_on = (uint16_t)((level[x] == level[x - 1]) & (level[x] != 0));
        place = (uint16_t)(goes_on * place + 1);
        run[x] = place;
        same[x] |= (uint16_t)(goes_on << bit);
    }
}

/* Count the voxels of a row by level and place in their run, for every direction. */
INLINE void count_places(const texture_t *t, const row_t *row, uint16_t *const *run,
                         ptrdiff_t directions)
{
    for (ptrdiff_t x = 0; x < row->length; x++) {
        const uint16_t level = t->grid[row->place + x];
        if (!level)
            continue;
        uint32_t *glrlm = t->glrlm + (level - 1) * t->longest * directions;
        for (ptrdiff_t d = 0; d < directions; d++)
            glrlm[(run[d][x] - 1) * directions + d]++;
    }
}

static int lowest_bit(unsigned bits)
{
#if defined(__GNUC__)
    return __builtin_ctz(bits);
#else
    int bit = 0;
    while (!(bits >> bit & 1))
        bit++;
    return bit;
#endif
}

static int32_t root_of(int32_t *parent, int32_t n)
{
    while (parent[n] != n) {
        parent[n] = parent[parent[n]];
        n = parent[n];
    }
    return n;
}

/* Join a row's voxels to the zones behind them. A zone is a tree of voxels that leads to its first
 * one. */
static void join_zones(const texture_t *t, const row_t *row, const uint16_t *same)
{
    int32_t *parent = t->zone;
    for (ptrdiff_t x = 0; x < row->length; x++) {
        const int32_t here = (int32_t)(row->place + x);
        int32_t root = here;
        parent[here] = here;
        for (unsigned links = t->links[same[x]]; links; links &= links - 1) {
            const int64_t step = t->direction[lowest_bit(links)];
            const int32_t other = root_of(parent, here - (int32_t)step);
            const int32_t older = other < root ? other : root;
            parent[other < root ? root : other] = older;
            root = older;
        }
    }
}

/* Number the zones by their first voxels and count their voxels. Returns how many zones there are. */
static ptrdiff_t count_zones(const texture_t *t, const row_t *rows, ptrdiff_t row_count)
{
    int32_t zones = 0;
    for (const row_t *row = rows; row < rows + row_count; row++)
        for (ptrdiff_t place = row->place; place < row->place + row->length; place++) {
            if (!t->grid[place])
                continue;
            /* What a voxel leads to lies before it and has its number already. */
            int32_t *zone = t->zone + place;
            if (*zone == place) {
                t->zone_level[zones] = t->grid[place];
                t->zone_size[zones] = 0;
                *zone = zones++;
            } else {
                *zone = t->zone[*zone];
            }
            t->zone_size[*zone]++;
        }
    return zones;
}

/* Place in a run of all voxels of this and of the plane before, in each direction. */
WIDE_VECTORS ptrdiff_t count_runs_and_zones(const texture_t *t, const row_t *rows,
                                            ptrdiff_t row_count)
{
    const ptrdiff_t directions = t->directions, stride = t->box[0] + 2 * t->rim;
    const ptrdiff_t two_planes = 2 * stride * (t->box[1] + 2 * t->rim);
    uint16_t *runs = calloc((size_t)(two_planes * directions + t->box[0]), sizeof *runs);
    if (!runs)
        return -1;
    uint16_t *same = runs + two_planes * directions, *run[MOST_DIRECTIONS];
    for (const row_t *row = rows; row < rows + row_count; row++) {
        const uint16_t *level = t->grid + row->place;
        const ptrdiff_t at = row->place % two_planes;
        memset(same, 0, sizeof *same * (size_t)row->length);
        for (ptrdiff_t d = 0; d < directions; d++) {
            const ptrdiff_t step = t->direction[d];
            uint16_t *of_direction = runs + d * two_planes;
            run[d] = of_direction + at;
            if (step == 1)
                continue_row(level, row->length, (int)d, run[d], same);
            else
                continue_runs(level, level - step,
                              of_direction + (at < step ? at - step + two_planes : at - step),
                              row->length, (int)d, run[d], same);
        }
        /* The usual number is worth code of its own. */
        if (directions == MOST_DIRECTIONS)
            count_places(t, row, run, MOST_DIRECTIONS);
        else
            count_places(t, row, run, directions);
        join_zones(t, row, same);
    }
    free(runs);
    /* Each run has one voxel at each of its places: so far there are the runs of r voxels or more. */
    const ptrdiff_t columns = t->longest * directions;
    for (ptrdiff_t level = 0; level < t->levels; level++)
        for (ptrdiff_t n = 0; n + directions < columns; n++)
            t->glrlm[level * columns + n] -= t->glrlm[level * columns + n + directions];
    return count_zones(t, rows, row_count);
}

/* Which neighbours behind a voxel it has to be joined to, for each set of those with its level (bit d:
 * at the step -direction[d]): one of those that touch each other, directly or by others of the set,
 * since they are in one zone already. */
void zone_links(const int64_t *direction, ptrdiff_t directions, uint16_t *links)
{
    unsigned touching[MOST_DIRECTIONS] = {0};
    for (ptrdiff_t d = 0; d < directions; d++)
        for (ptrdiff_t e = 0; e < directions; e++)
            for (ptrdiff_t f = 0; f < directions; f++) {
                const int64_t apart = direction[d] - direction[e];
                if (apart == direction[f] || apart == -direction[f])
                    touching[d] |= 1u << e;
            }
    for (unsigned set = 0; set < 1u << directions; set++) {
        unsigned left = set;
        links[set] = 0;
        for (ptrdiff_t d = 0; d < directions; d++) {
            if (!(left >> d & 1))
                continue;
            links[set] |= (uint16_t)(1u << d);
            unsigned zone = 1u << d, before = 0;
            while (zone != before) {
                before = zone;
                for (ptrdiff_t e = 0; e < directions; e++)
                    if (zone >> e & 1)
                        zone |= touching[e] & set;
            }
            left &= ~zone;
        }
    }
}
