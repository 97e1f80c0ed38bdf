/* Cubic B-spline interpolation of a volume at the points of another grid, equal in every bit to
 * what ITK's ResampleImageFilter with BSplineInterpolateImageFunction computes from the whole
 * volume, but reading only the part that matters.
 *
 * Definition (Unser 1999, Box 2): a signal s is the sum of cubic B-splines at the voxel centres whose
 * coefficients c follow from two recursions along each axis in turn, with the pole z = sqrt(3) - 2:
 *     c+[n] = 6 s[n] + z c+[n - 1]        c[n] = z (c[n + 1] - c+[n])
 * and mirrored borders give their first and last term. An interpolated value is the sum over 4 x 4 x 4
 * coefficients, each times the product of three one-dimensional weights.
 *
 * A recursion forgets where it began: after n steps the beginning counts |z|^n = 0.268^n times. After
 * MARGIN steps that is 3e-28 of a grey value, and two recursions that began differently have rounded
 * to the same bits (27 steps to one unit in the last place, which every further step keeps with a
 * chance of 0.27). So the coefficients of the part equal those of the whole.
 *
 * Operations and their order are ITK's. They are not to be rearranged: a region that was cut at the
 * limits of the normalisation is flat, its interpolated values lie on the edge of a bin, and the last
 * bit decides which one. An image that holds integers is cut to integers afterwards, where the last
 * bit decides as well.
 *
 * [1] Unser M. Splines: a perfect fit for signal and image processing. IEEE Signal Process Mag
 *     1999;16(6):22-38. */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN 48      /* voxels around the part, see above */
#define TOLERANCE 1e-10 /* ITK's: terms of the mirrored border below it are left out */
#define LANES 8        /* lines, or points, that are computed side by side */

static double pole(void) { return sqrt(3.0) - 2.0; }

/* First term of the causal recursion along `length` values (each `stride` apart), for `lanes` lines
 * side by side. */
static void first_causal(double *line, ptrdiff_t length, ptrdiff_t stride, ptrdiff_t lanes)
{
    const double z = pole();
    const ptrdiff_t horizon = (ptrdiff_t)ceil(log(TOLERANCE) / log(fabs(z)));
    for (ptrdiff_t lane = 0; lane < lanes; lane++) {
        double *at = line + lane, zn = z, sum;
        if (horizon < length) {
            sum = at[0];
            for (ptrdiff_t n = 1; n < horizon; n++) {
                sum += zn * at[n * stride];
                zn *= z;
            }
            at[0] = sum;
        } else {
            const double iz = 1.0 / z;
            double z2n = pow(z, (double)(length - 1));
            sum = at[0] + z2n * at[(length - 1) * stride];
            z2n *= z2n * iz;
            for (ptrdiff_t n = 1; n <= length - 2; n++) {
                sum += (zn + z2n) * at[n * stride];
                zn *= z;
                z2n *= iz;
            }
            at[0] = sum / (1.0 - zn * zn);
        }
    }
}

/* Turn values into coefficients in place. `lanes` lines run side by side: value n of lane l lies at
 * line[n * stride + l]. */
WIDE_VECTORS static void coefficients(double *restrict line, ptrdiff_t length, ptrdiff_t stride,
                                      ptrdiff_t lanes)
{
    const double z = pole();
    const double gain = 1.0 * (1.0 - z) * (1.0 - 1.0 / z);
    if (length == 1)
        return;
    for (ptrdiff_t n = 0; n < length; n++)
        for (ptrdiff_t lane = 0; lane < lanes; lane++)
            line[n * stride + lane] *= gain;
    first_causal(line, length, stride, lanes);
    for (ptrdiff_t n = 1; n < length; n++) {
        double *restrict here = line + n * stride;
        const double *restrict before = here - stride;
        for (ptrdiff_t lane = 0; lane < lanes; lane++)
            here[lane] += z * before[lane];
    }
    double *restrict last = line + (length - 1) * stride;
    const double *restrict before = last - stride;
    for (ptrdiff_t lane = 0; lane < lanes; lane++)
        last[lane] = (z / (z * z - 1.0)) * (z * before[lane] + last[lane]);
    for (ptrdiff_t n = length - 2; n >= 0; n--) {
        double *restrict here = line + n * stride;
        const double *restrict after = here + stride;
        for (ptrdiff_t lane = 0; lane < lanes; lane++)
            here[lane] = z * (after[lane] - here[lane]);
    }
}

WIDE_VECTORS static void normalise(double *values, ptrdiff_t count, const normalisation_t *how)
{
    const double shift = how->shift, scale = how->scale, limit = how->limit, last = how->last;
    for (ptrdiff_t n = 0; n < count; n++) {
        double value = (values[n] + shift) * scale;
        value = value > limit ? limit : value;
        value = value < -limit ? -limit : value;
        values[n] = value * last;
    }
}

/* One axis of the part of a volume that is worked on. The voxels from `low` to `high` carry weight;
 * `from` to `to` is the same with the margin, within the volume. */
typedef struct {
    ptrdiff_t size, low, high, from, to;
} axis_t;

static ptrdiff_t mirrored(ptrdiff_t at, ptrdiff_t size)
{
    if (size == 1)
        return 0;
    if (at < 0)
        at = -at;
    if (at > size - 1)
        at = 2 * (size - 1) - at;
    return at;
}

/* Coefficients of the voxels low..high along every axis; those beyond the volume's border are
 * mirrored. Returns NULL without memory. */
static double *part_coefficients(const volume_t *image, const normalisation_t *normalisation,
                                 const axis_t axes[3])
{
    const axis_t ax = axes[0], ay = axes[1], az = axes[2];
    const ptrdiff_t nx = ax.high - ax.low + 1, ny = ay.high - ay.low + 1, nz = az.high - az.low + 1;
    const ptrdiff_t mx = ax.to - ax.from + 1, my = ay.to - ay.from + 1, mz = az.to - az.from + 1;
    double *side = malloc(sizeof(double) * (size_t)(mx * LANES));
    double *row = malloc(sizeof(double) * (size_t)mx);
    double *plane = malloc(sizeof(double) * (size_t)(nx * my));
    double *planes = malloc(sizeof(double) * (size_t)(nx * ny * mz));
    double *out = malloc(sizeof(double) * (size_t)(nx * ny * nz));
    if (!side || !row || !plane || !planes || !out) {
        free(out);
        out = NULL;
        goto end;
    }
    for (ptrdiff_t z = 0; z < mz; z++) {
        /* Along x, LANES lines at a time; what lies outside low..high is not kept. */
        for (ptrdiff_t y = 0; y < my; y += LANES) {
            const ptrdiff_t lanes = my - y < LANES ? my - y : LANES;
            for (ptrdiff_t lane = 0; lane < LANES; lane++) {
                const ptrdiff_t used = lane < lanes ? lane : lanes - 1;
                const ptrdiff_t at =
                    ((az.from + z) * ay.size + ay.from + y + used) * ax.size + ax.from;
                voxel_values(image, at, mx, row);
                if (normalisation->wanted)
                    normalise(row, mx, normalisation);
                for (ptrdiff_t x = 0; x < mx; x++)
                    side[x * LANES + lane] = row[x];
            }
            coefficients(side, mx, LANES, LANES);
            for (ptrdiff_t x = 0; x < nx; x++) {
                const ptrdiff_t from = mirrored(ax.low + x, ax.size) - ax.from;
                for (ptrdiff_t lane = 0; lane < lanes; lane++)
                    plane[(y + lane) * nx + x] = side[from * LANES + lane];
            }
        }
        coefficients(plane, my, nx, nx); /* along y, a row of x side by side */
        for (ptrdiff_t y = 0; y < ny; y++)
            memcpy(planes + (z * ny + y) * nx,
                   plane + (mirrored(ay.low + y, ay.size) - ay.from) * nx,
                   sizeof(double) * (size_t)nx);
    }
    coefficients(planes, mz, nx * ny, nx * ny); /* along z, a whole plane side by side */
    for (ptrdiff_t z = 0; z < nz; z++)
        memcpy(out + z * ny * nx, planes + (mirrored(az.low + z, az.size) - az.from) * ny * nx,
               sizeof(double) * (size_t)(nx * ny));
end:
    free(side);
    free(row);
    free(plane);
    free(planes);
    return out;
}

/* First of the four voxels that carry weight at a continuous index. ITK rounds to single precision
 * on the way. */
static ptrdiff_t first_voxel(double index) { return (ptrdiff_t)(floor((float)index) - 1); }

/* Weights of the four voxels from `first` on. */
static void weights(double index, ptrdiff_t first, double w[4])
{
    const double t = index - (double)(first + 1);
    w[3] = (1.0 / 6.0) * t * t * t;
    w[0] = (1.0 / 6.0) + 0.5 * t * (t - 1.0) - w[3];
    w[2] = t + w[0] - 2.0 * w[3];
    w[1] = 1.0 - w[0] - w[2] - w[3];
}

/* Points `at` to `at + LANES` of a line. Sums run over x, then y, then z, each point for itself. */
WIDE_VECTORS static void interpolate(const double *restrict c, const axis_t axes[3],
                                     const double index[LANES][3], double sums[LANES])
{
    const ptrdiff_t nx = axes[0].high - axes[0].low + 1, ny = axes[1].high - axes[1].low + 1;
    double w[3][4][LANES];
    ptrdiff_t base[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        ptrdiff_t first[3];
        for (int axis = 0; axis < 3; axis++) {
            double four[4];
            first[axis] = first_voxel(index[lane][axis]);
            weights(index[lane][axis], first[axis], four);
            for (int k = 0; k < 4; k++)
                w[axis][k][lane] = four[k];
            first[axis] -= axes[axis].low;
        }
        base[lane] = (first[2] * ny + first[1]) * nx + first[0];
        sums[lane] = 0.0;
    }
    for (int kz = 0; kz < 4; kz++)
        for (int ky = 0; ky < 4; ky++)
            for (int kx = 0; kx < 4; kx++) {
                const double *restrict from = c + (kz * ny + ky) * nx + kx;
                for (int lane = 0; lane < LANES; lane++)
                    sums[lane] += w[0][kx][lane] * w[1][ky][lane] * w[2][kz][lane] * from[base[lane]];
            }
}

static int inside(const double index[3], const ptrdiff_t size[3])
{
    for (int axis = 0; axis < 3; axis++)
        if (!(index[axis] >= -0.5 && index[axis] < (double)size[axis] - 0.5))
            return 0;
    return 1;
}

/* Point `at` of `length` on the way between two continuous indices; ITK walks a line so. */
static void along(const double start[3], const double end[3], ptrdiff_t at, ptrdiff_t length,
                  double index[3])
{
    const double alpha = (double)at / (double)length;
    for (int axis = 0; axis < 3; axis++)
        index[axis] = start[axis] + alpha * (end[axis] - start[axis]);
}

/* Find the voxels that carry weight at some point inside the volume. Returns 0 if there is none. */
static int reach(const volume_t *image, const double *starts, const double *ends, ptrdiff_t lines,
                 axis_t axes[3])
{
    for (int axis = 0; axis < 3; axis++) {
        double low = INFINITY, high = -INFINITY;
        for (ptrdiff_t line = 0; line < lines; line++) {
            const double a = starts[line * 3 + axis], b = ends[line * 3 + axis];
            low = fmin(low, fmin(a, b));
            high = fmax(high, fmax(a, b));
        }
        const ptrdiff_t size = image->size[axis];
        low = fmax(low, -0.5);
        high = fmin(high, (double)size - 0.5);
        if (!(low <= high))
            return 0;
        axis_t *a = axes + axis;
        a->size = size;
        a->low = first_voxel(low);
        a->high = first_voxel(high) + 3;
        a->from = a->low - MARGIN < 0 ? 0 : a->low - MARGIN;
        a->to = a->high + MARGIN > size - 1 ? size - 1 : a->high + MARGIN;
    }
    return 1;
}

int spline_resample(const volume_t *image, const normalisation_t *normalisation,
                    const double *starts, const double *ends, ptrdiff_t lines, ptrdiff_t length,
                    double *out)
{
    axis_t axes[3];
    memset(out, 0, sizeof(double) * (size_t)(lines * length));
    if (!reach(image, starts, ends, lines, axes))
        return 0;
    double *c = part_coefficients(image, normalisation, axes);
    if (!c)
        return -1;
    for (ptrdiff_t line = 0; line < lines; line++)
        for (ptrdiff_t x = 0; x < length; x += LANES) {
            double index[LANES][3], sums[LANES];
            int valid[LANES], any = 0;
            for (int lane = 0; lane < LANES; lane++) {
                along(starts + line * 3, ends + line * 3, x + lane, length, index[lane]);
                valid[lane] = x + lane < length && inside(index[lane], image->size);
                any |= valid[lane];
                if (!valid[lane]) /* a place that exists; its value is not used */
                    for (int axis = 0; axis < 3; axis++)
                        index[lane][axis] = (double)(axes[axis].low + 1);
            }
            if (!any)
                continue;
            interpolate(c, axes, index, sums);
            for (int lane = 0; lane < LANES; lane++)
                if (valid[lane])
                    out[line * length + x + lane] = sums[lane];
        }
    free(c);
    return 0;
}
