/* The Laplacian of a Gaussian by recursive filters, equal in every bit to ITK's
 * LaplacianRecursiveGaussianImageFilter, but computing only the voxels that are looked at.
 *
 * Definition (Deriche 1993): a line x[n] is smoothed, or differentiated twice, by the sum of two
 * recursions of fourth order, one from each end:
 *     y+[n] = sum of N[k] x[n - k], k = 0..3,  -  sum of D[k] y+[n - k], k = 1..4
 *     y-[n] = sum of M[k] x[n + k], k = 1..4,  -  sum of D[k] y-[n + k], k = 1..4
 * Beyond its ends a line goes on with its first and last value; the recursions are there what they
 * become of a constant. The Laplacian is the sum over the axes of the second derivative along one,
 * smoothed along the others, divided by the squared distance of the voxels.
 *
 * As in ITK a line is computed in double and kept in single precision, axis after axis; operations
 * and their order are not to be rearranged. The lines of the later axes are only those through the
 * voxels that are asked for.
 *
 * [1] Deriche R. Recursively implementing the Gaussian and its derivatives. INRIA report 1893, 1993. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#define LANES 16 /* lines that are computed side by side */

/* One value of a recursion: four terms of the line and four of what is known of the result. */
#define STEP(x0, x1, x2, x3, f, y1, c1, y2, c2, y3, c3, y4, c4)                                    \
    for (int lane = 0; lane < LANES; lane++) {                                                     \
        const double given = (x0)[lane] * (f)[0] + (x1)[lane] * (f)[1] + (x2)[lane] * (f)[2] +     \
                             (x3)[lane] * (f)[3];                                                  \
        here[lane] = given - ((y1)[lane] * (c1) + (y2)[lane] * (c2) + (y3)[lane] * (c3) +          \
                              (y4)[lane] * (c4));                                                  \
    }

/* Both recursions along LANES lines, value n of a line at n * LANES; at least four values. */
WIDE_VECTORS static void filter(const double *restrict x, double *restrict forth,
                                double *restrict back, ptrdiff_t length, const recursion_t *c)
{
    const double *first = x, *last = x + (length - 1) * LANES;
    for (ptrdiff_t n = 0; n < 4; n++) {
        double *here = forth + n * LANES;
        const double *at[4], *known[4];
        double d[4];
        for (int k = 0; k < 4; k++) {
            at[k] = n - k < 0 ? first : x + (n - k) * LANES;
            known[k] = n - k - 1 < 0 ? first : forth + (n - k - 1) * LANES;
            d[k] = n - k - 1 < 0 ? c->before[k] : c->d[k];
        }
        STEP(at[0], at[1], at[2], at[3], c->n, known[0], d[0], known[1], d[1], known[2], d[2],
             known[3], d[3])
    }
    for (ptrdiff_t n = 4; n < length; n++) {
        const double *restrict at = x + n * LANES;
        double *here = forth + n * LANES;
        STEP(at, at - LANES, at - 2 * LANES, at - 3 * LANES, c->n, here - LANES, c->d[0],
             here - 2 * LANES, c->d[1], here - 3 * LANES, c->d[2], here - 4 * LANES, c->d[3])
    }
    for (ptrdiff_t n = length - 1; n > length - 5; n--) {
        double *here = back + n * LANES;
        const double *at[4], *known[4];
        double d[4];
        for (int k = 0; k < 4; k++) {
            const ptrdiff_t behind = n + k + 1;
            at[k] = behind > length - 1 ? last : x + behind * LANES;
            known[k] = behind > length - 1 ? last : back + behind * LANES;
            d[k] = behind > length - 1 ? c->behind[k] : c->d[k];
        }
        STEP(at[0], at[1], at[2], at[3], c->m, known[0], d[0], known[1], d[1], known[2], d[2],
             known[3], d[3])
    }
    for (ptrdiff_t n = length - 5; n >= 0; n--) {
        const double *restrict at = x + (n + 1) * LANES;
        double *here = back + n * LANES;
        STEP(at, at + LANES, at + 2 * LANES, at + 3 * LANES, c->m, here + LANES, c->d[0],
             here + 2 * LANES, c->d[1], here + 3 * LANES, c->d[2], here + 4 * LANES, c->d[3])
    }
    for (ptrdiff_t n = 0; n < length * LANES; n++)
        forth[n] += back[n];
}

typedef struct {
    double *x, *forth, *back, *row;
} lines_of_filter_t;

/* Filter the lines along `axis` through from..to of the other axes; `image` is read where `work`
 * holds nothing yet. What lies outside from..to along the axis itself is not kept. */
static void along(const volume_t *image, float *work, int axis, const ptrdiff_t from[3],
                  const ptrdiff_t to[3], const ptrdiff_t kept[2], const recursion_t *c,
                  const lines_of_filter_t *lines)
{
    const ptrdiff_t stride[3] = {1, image->size[0], image->size[0] * image->size[1]};
    /* Side by side lie neighbours along x, or along y for lines along x. */
    const int side = axis == 0 ? 1 : 0, other = 3 - axis - side;
    const ptrdiff_t length = image->size[axis], step = stride[axis], beside = stride[side];
    for (ptrdiff_t o = from[other]; o < to[other]; o++)
        for (ptrdiff_t s = from[side]; s < to[side]; s += LANES) {
            const ptrdiff_t lanes = to[side] - s < LANES ? to[side] - s : LANES;
            const ptrdiff_t start = o * stride[other] + s * beside;
            const volume_t *source = image->voxels ? image : NULL;
            if (source && axis == 0) {
                for (ptrdiff_t lane = 0; lane < lanes; lane++) {
                    voxel_values(source, start + lane * beside, length, lines->row);
                    for (ptrdiff_t n = 0; n < length; n++)
                        lines->x[n * LANES + lane] = lines->row[n];
                }
            } else if (source) {
                for (ptrdiff_t n = 0; n < length; n++)
                    voxel_values(source, start + n * step, lanes, lines->x + n * LANES);
            } else {
                for (ptrdiff_t n = 0; n < length; n++)
                    for (ptrdiff_t lane = 0; lane < lanes; lane++)
                        lines->x[n * LANES + lane] = work[start + n * step + lane * beside];
            }
            for (ptrdiff_t n = 0; n < length; n++) /* what is beside is filtered, and not kept */
                for (ptrdiff_t lane = lanes; lane < LANES; lane++)
                    lines->x[n * LANES + lane] = lines->x[n * LANES];
            filter(lines->x, lines->forth, lines->back, length, c);
            for (ptrdiff_t n = kept[0]; n < kept[1]; n++)
                for (ptrdiff_t lane = 0; lane < lanes; lane++)
                    work[start + n * step + lane * beside] = (float)lines->forth[n * LANES + lane];
        }
}

int laplacian(const volume_t *image, const recursion_t recursions[2][3], const double scale[3],
              const ptrdiff_t box[6], float *out)
{
    const ptrdiff_t *size = image->size;
    ptrdiff_t longest = size[0];
    for (int axis = 1; axis < 3; axis++)
        longest = size[axis] > longest ? size[axis] : longest;
    const size_t voxels = (size_t)(size[0] * size[1] * size[2]);
    float *work = malloc(sizeof(float) * voxels);
    double *memory = malloc(sizeof(double) * (size_t)(longest * (3 * LANES + 1)));
    if (!work || !memory) {
        free(work);
        free(memory);
        return -1;
    }
    const lines_of_filter_t lines = {memory, memory + longest * LANES, memory + 2 * longest * LANES,
                                     memory + 3 * longest * LANES};
    const volume_t filtered = {NULL, FLOAT32, {size[0], size[1], size[2]}};
    memset(out, 0, sizeof(float) * voxels);
    for (int derived = 0; derived < 3; derived++) {
        ptrdiff_t from[3] = {0, 0, 0}, to[3] = {size[0], size[1], size[2]};
        /* Along the derived axis first, then along the others in their order. */
        for (int turn = 0; turn < 3; turn++) {
            const int axis = turn == 0 ? derived : turn - (turn <= derived);
            along(turn == 0 ? image : &filtered, work, axis, from, to, box + 2 * axis,
                  &recursions[turn == 0][axis], &lines);
            from[axis] = box[2 * axis];
            to[axis] = box[2 * axis + 1];
        }
        for (ptrdiff_t z = from[2]; z < to[2]; z++)
            for (ptrdiff_t y = from[1]; y < to[1]; y++) {
                const ptrdiff_t row = (z * size[1] + y) * size[0];
                for (ptrdiff_t x = from[0]; x < to[0]; x++)
                    out[row + x] = (float)((double)out[row + x] + (double)work[row + x] * scale[derived]);
            }
    }
    free(work);
    free(memory);
    return 0;
}
