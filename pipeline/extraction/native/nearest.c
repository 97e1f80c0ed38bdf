/* Where a region lies on another grid: the voxel of a label map that is nearest to each point.
 *
 * Definition: the nearest voxel of a continuous index i is floor(i + 1/2) along each axis, so that a
 * tie goes up; a point outside the volume, more than half a voxel beyond its outer centres, belongs
 * to no region. Ties are common (a 0.75 mm grid and a 1 mm grid meet half-way at every third voxel), so
 * that the continuous index has to be ITK's to the last bit: see spline.c. */
#include "kernels.h"

#include <math.h>

void nearest_label(const volume_t *mask, double label, const double *starts, const double *ends,
                   ptrdiff_t lines, ptrdiff_t length, uint8_t *out)
{
    for (ptrdiff_t line = 0; line < lines; line++) {
        const double *start = starts + line * 3, *end = ends + line * 3;
        for (ptrdiff_t x = 0; x < length; x++) {
            const double alpha = (double)x / (double)length;
            ptrdiff_t at[3];
            int within = 1;
            for (int axis = 0; axis < 3; axis++) {
                const double index = start[axis] + alpha * (end[axis] - start[axis]);
                within = within && index >= -0.5 && index < (double)mask->size[axis] - 0.5;
                at[axis] = within ? (ptrdiff_t)floor(index + 0.5) : 0;
            }
            out[line * length + x] =
                within && voxel_value(mask, (at[2] * mask->size[1] + at[1]) * mask->size[0] +
                                                at[0]) == label;
        }
    }
}
