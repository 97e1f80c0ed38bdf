/* What a region's shape is measured by: the cubes of the mesh around it, the largest distances of the
 * mesh's vertices, and where its voxels lie.
 *
 * Definition (PyRadiomics' documentation): the vertices of marching cubes lie half-way between a voxel
 * inside and a neighbour outside. Maximum3DDiameter is the largest distance of any two, the 2D
 * diameters that of two with the same z, the same y, the same x.
 *
 * Seen from any point, the farthest point of a straight line is one of its ends: of all vertices on a
 * line along an axis the first and the last suffice. Coordinates are doubled, so that they are whole
 * numbers. */
#include "kernels.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t at[3];
} vertex_t;

/* Find the vertices between voxels and their neighbours along the axes: where one of both lies inside.
 * Returns how many there are; `out` may be NULL. `edge` has room for a row and seven more. */
WIDE_VECTORS static size_t find_vertices(const uint8_t *inside, const ptrdiff_t size[3],
                                         uint8_t *edge, vertex_t *out)
{
    const ptrdiff_t stride[3] = {1, size[0], size[0] * size[1]};
    size_t count = 0;
    for (int axis = 0; axis < 3; axis++)
        for (ptrdiff_t z = 0; z + (axis == 2) < size[2]; z++)
            for (ptrdiff_t y = 0; y + (axis == 1) < size[1]; y++) {
                const uint8_t *row = inside + z * stride[2] + y * stride[1];
                const ptrdiff_t length = size[0] - (axis == 0);
                unsigned found = 0;
                for (ptrdiff_t x = 0; x < length; x++) {
                    edge[x] = row[x] ^ row[x + stride[axis]];
                    found += edge[x];
                }
                count += found;
                for (ptrdiff_t x = 0; out && found; x++) {
                    uint64_t eight;
                    memcpy(&eight, edge + x, sizeof eight);
                    if (!eight) {
                        x += 7;
                    } else if (edge[x]) {
                        const ptrdiff_t here[3] = {x, y, z};
                        for (int k = 0; k < 3; k++)
                            out->at[k] = (int32_t)(2 * here[k] + (k == axis));
                        out++;
                        found--;
                    }
                }
            }
    return count;
}

/* Keep the ends of the lines along `line`, sorted by the coordinate `plane`. `table` holds two numbers
 * for each pair of the other coordinates. */
static size_t keep_ends(vertex_t *vertices, size_t count, const ptrdiff_t size[3], int line,
                        int plane, int32_t *table)
{
    const int other = 3 - line - plane;
    const size_t width = (size_t)(2 * size[other]), lines = (size_t)(2 * size[plane]) * width;
    for (size_t n = 0; n < lines; n++) {
        table[2 * n] = INT_MAX;
        table[2 * n + 1] = -1;
    }
    for (size_t n = 0; n < count; n++) {
        const int32_t *at = vertices[n].at;
        int32_t *ends = table + 2 * ((size_t)at[plane] * width + (size_t)at[other]);
        ends[0] = at[line] < ends[0] ? at[line] : ends[0];
        ends[1] = at[line] > ends[1] ? at[line] : ends[1];
    }
    size_t kept = 0;
    for (size_t n = 0; n < lines; n++)
        for (int end = 0; end < (table[2 * n + 1] > table[2 * n] ? 2 : 1); end++) {
            if (table[2 * n + 1] < 0)
                continue;
            vertices[kept].at[plane] = (int32_t)(n / width);
            vertices[kept].at[other] = (int32_t)(n % width);
            vertices[kept++].at[line] = table[2 * n + end];
        }
    return kept;
}

static double distance(const vertex_t *vertex, const double point[3], const double mm[3])
{
    double squared = 0.0;
    for (int axis = 0; axis < 3; axis++) {
        const double apart = (double)vertex->at[axis] * mm[axis] - point[axis];
        squared += apart * apart;
    }
    return sqrt(squared);
}

/* Largest squared distance, in mm2, of two among `count` vertices, or `best` if none is larger. */
WIDE_VECTORS static double farthest(const vertex_t *vertices, size_t count, const double mm[3],
                                    double best)
{
    for (size_t n = 1; n < count; n++)
        for (size_t m = 0; m < n; m++) {
            double squared = 0.0;
            for (int axis = 0; axis < 3; axis++) {
                const double apart =
                    (double)(vertices[n].at[axis] - vertices[m].at[axis]) * mm[axis];
                squared += apart * apart;
            }
            best = squared > best ? squared : best;
        }
    return best;
}

/* Move those vertices to the front that can be an end of the largest distance, if its square is more
 * than `best`, and return how many they are. Two vertices are no farther apart than the sum of their
 * distances from the middle, so that one whose sum with the outermost vertex is less than a distance
 * known already cannot be an end. */
static size_t keep_outer(vertex_t *vertices, size_t count, const double mm[3], double best)
{
    double middle[3] = {0.0, 0.0, 0.0}, radius = -1.0, known = sqrt(best);
    size_t outermost = 0, kept = 0;
    for (size_t n = 0; n < count; n++)
        for (int axis = 0; axis < 3; axis++)
            middle[axis] += (double)vertices[n].at[axis] * mm[axis] / (double)count;
    for (size_t n = 0; n < count; n++) {
        const double r = distance(vertices + n, middle, mm);
        if (r > radius) {
            radius = r;
            outermost = n;
        }
    }
    double end[3];
    for (int axis = 0; axis < 3; axis++)
        end[axis] = (double)vertices[outermost].at[axis] * mm[axis];
    for (size_t n = 0; n < count; n++)
        known = fmax(known, distance(vertices + n, end, mm));
    /* A hair less, since all of these are rounded. */
    for (size_t n = 0; n < count; n++)
        if (distance(vertices + n, middle, mm) + radius >= known * (1.0 - 1e-9))
            vertices[kept++] = vertices[n];
    return kept;
}

/* Squared diameters: same z, same y, same x, any. Returns -1 without memory. */
int squared_diameters(const uint8_t *inside, const ptrdiff_t size[3], const double spacing[3],
                      double out[4])
{
    const double mm[3] = {spacing[0] / 2, spacing[1] / 2, spacing[2] / 2};
    uint8_t *edge = calloc((size_t)size[0] + sizeof(uint64_t), 1);
    if (!edge)
        return -1;
    const size_t count = find_vertices(inside, size, edge, NULL);
    size_t largest = 0;
    for (int axis = 0; axis < 3; axis++) {
        const size_t lines = 4 * (size_t)size[axis] * (size_t)size[(axis + 1) % 3];
        largest = lines > largest ? lines : largest;
    }
    vertex_t *all = malloc(sizeof *all * (count + 1)), *some = malloc(sizeof *some * (count + 1));
    int32_t *table = malloc(sizeof *table * 2 * largest);
    int status = -1;
    if (!all || !some || !table)
        goto end;
    find_vertices(inside, size, edge, all);
    for (int plane = 2; plane >= 0; plane--) {
        for (size_t n = 0; n < count; n++)
            some[n] = all[n];
        size_t kept = keep_ends(some, count, size, (plane + 1) % 3, plane, table);
        kept = keep_ends(some, kept, size, (plane + 2) % 3, plane, table);
        double best = 0.0;
        for (size_t from = 0, to; from < kept; from = to) {
            for (to = from + 1; to < kept && some[to].at[plane] == some[from].at[plane]; to++)
                ;
            const size_t outer = keep_outer(some + from, to - from, mm, best);
            best = farthest(some + from, outer, mm, best);
        }
        out[2 - plane] = best;
    }
    size_t kept = keep_ends(all, count, size, 0, 2, table);
    kept = keep_ends(all, kept, size, 1, 2, table);
    kept = keep_ends(all, kept, size, 2, 1, table);
    kept = keep_outer(all, kept, mm, 0.0);
    out[3] = farthest(all, kept, mm, 0.0);
    status = 0;
end:
    free(edge);
    free(all);
    free(some);
    free(table);
    return status;
}

/* Count the cubes of 2 x 2 x 2 voxels by which of their corners lie inside (corner z y x is bit
 * 4z + 2y + x), and sum up the places (z, y, x) of those of each case. */
void cube_cases(const uint8_t *inside, const ptrdiff_t size[3], double counts[256],
                double places[3][256])
{
    const ptrdiff_t row = size[0], plane = size[0] * size[1];
    for (ptrdiff_t z = 0; z + 1 < size[2]; z++)
        for (ptrdiff_t y = 0; y + 1 < size[1]; y++) {
            const uint8_t *at = inside + z * plane + y * row;
            /* Corners with x = 0 are those with x = 1 of the cube before. */
            int left = at[0] | at[row] << 2 | at[plane] << 4 | at[plane + row] << 6;
            for (ptrdiff_t x = 0; x + 1 < size[0]; x++) {
                const uint8_t *next = at + x + 1;
                const int right =
                    next[0] | next[row] << 2 | next[plane] << 4 | next[plane + row] << 6;
                const int cube = left | right << 1;
                left = right;
                if (!cube)
                    continue;
                counts[cube] += 1.0;
                places[0][cube] += (double)z;
                places[1][cube] += (double)y;
                places[2][cube] += (double)x;
            }
        }
}

/* What the tables `of_index` (x, y, z) hold for the indices of the voxels inside: out is (3, voxels),
 * z first. */
void coordinates(const uint8_t *inside, const ptrdiff_t size[3], const double *const of_index[3],
                 ptrdiff_t voxels, double *out)
{
    for (ptrdiff_t z = 0; z < size[2]; z++)
        for (ptrdiff_t y = 0; y < size[1]; y++)
            for (ptrdiff_t x = 0; x < size[0]; x++) {
                if (!*inside++)
                    continue;
                out[0] = of_index[2][z];
                out[voxels] = of_index[1][y];
                out[2 * voxels] = of_index[0][x];
                out++;
            }
}
