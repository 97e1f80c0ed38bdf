/* Passes over whole volumes: sums of grey values, the box of a label.
 *
 * Sums of integers are exact, so that the mean and standard deviation made of them are those of any
 * other exact summation, such as ITK's compensated one. */
#include "kernels.h"

#include <string.h>

double voxel_value(const volume_t *volume, ptrdiff_t at)
{
    switch (volume->type) {
    case INT8: return ((const int8_t *)volume->voxels)[at];
    case UINT8: return ((const uint8_t *)volume->voxels)[at];
    case INT16: return ((const int16_t *)volume->voxels)[at];
    case UINT16: return ((const uint16_t *)volume->voxels)[at];
    case INT32: return ((const int32_t *)volume->voxels)[at];
    case UINT32: return ((const uint32_t *)volume->voxels)[at];
    case FLOAT32: return ((const float *)volume->voxels)[at];
    case FLOAT64: return ((const double *)volume->voxels)[at];
    }
    return 0.0;
}

#define COPY(type)                                                                                 \
    for (ptrdiff_t n = 0; n < count; n++)                                                          \
        out[n] = (double)((const type *)volume->voxels)[at + n];                                   \
    break

WIDE_VECTORS void voxel_values(const volume_t *volume, ptrdiff_t at, ptrdiff_t count, double *out)
{
    switch (volume->type) {
    case INT8: COPY(int8_t);
    case UINT8: COPY(uint8_t);
    case INT16: COPY(int16_t);
    case UINT16: COPY(uint16_t);
    case INT32: COPY(int32_t);
    case UINT32: COPY(uint32_t);
    case FLOAT32: COPY(float);
    case FLOAT64: COPY(double);
    }
}

/* The square of a value of 16 bits fits into 32 bits unsigned; sums are kept in 64 bits, those of a
 * chunk apart from the total, so that the inner loop is one that vectors are good at. */
#define CHUNK 32768

#define SUMS(type)                                                                                 \
    do {                                                                                           \
        const type *values = voxels;                                                               \
        type low = values[0], high = values[0];                                                    \
        for (size_t from = 0; from < count; from += CHUNK) {                                       \
            const size_t to = count - from < CHUNK ? count : from + CHUNK;                         \
            int64_t sum = 0;                                                                       \
            uint64_t squares = 0;                                                                  \
            for (size_t n = from; n < to; n++) {                                                   \
                const int32_t value = values[n];                                                   \
                sum += value;                                                                      \
                squares += (uint32_t)value * (uint32_t)value;                                      \
                low = values[n] < low ? values[n] : low;                                           \
                high = values[n] > high ? values[n] : high;                                        \
            }                                                                                      \
            sums->sum += sum;                                                                      \
            sums->sum_of_squares += (int64_t)squares;                                              \
        }                                                                                          \
        sums->lowest = low;                                                                        \
        sums->highest = high;                                                                      \
        return 0;                                                                                  \
    } while (0)

/* Returns -1 for types that have no exact sums. */
WIDE_VECTORS int integer_sums(const void *voxels, enum voxel_type type, size_t count, sums_t *sums)
{
    memset(sums, 0, sizeof *sums);
    switch (type) {
    case INT8: SUMS(int8_t);
    case UINT8: SUMS(uint8_t);
    case INT16: SUMS(int16_t);
    case UINT16: SUMS(uint16_t);
    default: return -1;
    }
}

#define ROW(type)                                                                                  \
    do {                                                                                           \
        const type *row = (const type *)mask->voxels + at;                                         \
        int found = 0;                                                                             \
        for (ptrdiff_t x = 0; x < length; x++)                                                     \
            found |= (double)row[x] == label;                                                      \
        if (!found)                                                                                \
            return 0;                                                                              \
        *first = 0;                                                                                \
        while ((double)row[*first] != label)                                                       \
            ++*first;                                                                              \
        *last = length - 1;                                                                        \
        while ((double)row[*last] != label)                                                        \
            --*last;                                                                               \
        return 1;                                                                                  \
    } while (0)

/* The first and last voxel of a row with the label's value; 0 if there is none. */
WIDE_VECTORS static int row_extent(const volume_t *mask, ptrdiff_t at, ptrdiff_t length,
                                   double label, ptrdiff_t *first, ptrdiff_t *last)
{
    switch (mask->type) {
    case UINT8:
        if (!memchr((const uint8_t *)mask->voxels + at, (int)label, (size_t)length))
            return 0;
        ROW(uint8_t);
    case INT8: ROW(int8_t);
    case INT16: ROW(int16_t);
    case UINT16: ROW(uint16_t);
    case INT32: ROW(int32_t);
    case UINT32: ROW(uint32_t);
    case FLOAT32: ROW(float);
    case FLOAT64: ROW(double);
    }
    return 0;
}

/* Box of the voxels with the label's value: lowest x, highest x, lowest y, ... Returns 0 if there is
 * none. */
int label_box(const volume_t *mask, double label, ptrdiff_t box[6])
{
    const ptrdiff_t *size = mask->size;
    int any = 0;
    for (ptrdiff_t z = 0; z < size[2]; z++)
        for (ptrdiff_t y = 0; y < size[1]; y++) {
            ptrdiff_t first, last;
            if (!row_extent(mask, (z * size[1] + y) * size[0], size[0], label, &first, &last))
                continue;
            if (!any) {
                box[0] = first, box[1] = last, box[2] = box[3] = y, box[4] = box[5] = z;
                any = 1;
            }
            box[0] = first < box[0] ? first : box[0];
            box[1] = last > box[1] ? last : box[1];
            box[2] = y < box[2] ? y : box[2];
            box[3] = y > box[3] ? y : box[3];
            box[5] = z;
        }
    return any;
}
