/* What the kernels offer. Arrays are contiguous and run z, y, x with x fastest; sizes and indices
 * are given as (x, y, z). Nothing here knows Python: module.c hands over the arrays. */
#ifndef VERTEBROMICS_KERNELS_H
#define VERTEBROMICS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Wider vector registers where the machine has them. No fused multiply-add: it rounds once where
 * two operations round twice, and the results must not depend on the machine. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE_VECTORS
#endif

/* Part of a function with wide vectors, and compiled as such. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

enum voxel_type { INT8, UINT8, INT16, UINT16, INT32, UINT32, FLOAT32, FLOAT64 };

typedef struct {
    const void *voxels;
    enum voxel_type type;
    ptrdiff_t size[3];
} volume_t;

/* How grey values become normalised ones: min(max((value + shift) * scale, -limit), limit) * last.
 * An infinite limit cuts nothing. */
typedef struct {
    int wanted;
    double shift, scale, limit, last;
} normalisation_t;

/* statistics.c */
typedef struct {
    int64_t sum, sum_of_squares, lowest, highest;
} sums_t;
int integer_sums(const void *voxels, enum voxel_type type, size_t count, sums_t *sums);
int label_box(const volume_t *mask, double label, ptrdiff_t box[6]);

/* spline.c */
int spline_resample(const volume_t *image, const normalisation_t *normalisation,
                    const double *starts, const double *ends, ptrdiff_t lines, ptrdiff_t length,
                    double *out);

/* laplacian.c; coefficients as numpy holds them, one table after the other */
typedef struct {
    double n[4], d[4], m[4];     /* of the line, of the result, and of the line backwards */
    double before[4], behind[4]; /* of what lies beyond its ends */
} recursion_t;
int laplacian(const volume_t *image, const recursion_t recursions[2][3], const double scale[3],
              const ptrdiff_t box[6], float *out);

/* nearest.c */
void nearest_label(const volume_t *mask, double label, const double *starts, const double *ends,
                   ptrdiff_t lines, ptrdiff_t length, uint8_t *out);

/* matrices.c */
typedef struct {
    ptrdiff_t place, length; /* of the first voxel on the grid; to the last one */
} row_t;

typedef struct {
    ptrdiff_t voxels, levels;
    ptrdiff_t box[3], rim;   /* x, y, z without the rim, and how wide that is */
    uint16_t *grid;          /* levels of the region on a grid with a rim, 0 elsewhere */
    int32_t *bin;            /* bins of the region on the same grid, 0 elsewhere */
    int32_t *zone;           /* on the same grid, scratch */
    const int64_t *where;    /* places of the voxels on the grid, rising */
    const uint16_t *level;   /* level of each voxel, 1..levels */
    const int32_t *value;    /* bin of each level */
    ptrdiff_t steps;         /* of GLCM, GLDM, NGTDM */
    const int64_t *step;
    ptrdiff_t directions;    /* of GLRLM, GLSZM */
    const int64_t *direction;
    const uint16_t *links;   /* from zone_links */
    double alpha;
    ptrdiff_t longest;       /* longest run that fits */
    uint32_t *glcm;          /* levels, levels + 1, steps */
    uint32_t *glrlm;         /* levels, longest, directions */
    uint32_t *gldm;          /* levels, 2 steps + 1 */
    double *ngtdm;           /* levels, 2 */
    uint16_t *zone_level;    /* of each zone; there are no more than voxels */
    int32_t *zone_size;
} texture_t;
ptrdiff_t texture_matrices(const texture_t *texture);
void bin_values(const double *values, ptrdiff_t count, const double *edges, ptrdiff_t edge_count,
                int32_t *bins);

/* runs.c */
#define MOST_DIRECTIONS 13 /* half of the 26 neighbours */
ptrdiff_t count_runs_and_zones(const texture_t *texture, const row_t *rows, ptrdiff_t row_count);
void zone_links(const int64_t *direction, ptrdiff_t directions, uint16_t *links);

/* cooccurrence.c; p is (levels, levels, steps), level counts from 0 */
void glcm_sums(const double *p, ptrdiff_t levels, ptrdiff_t steps, const int32_t *level,
               double *sums, double *differences);
void glcm_products(const double *p, const double *px, const double *py, ptrdiff_t levels,
                   ptrdiff_t steps, double eps, double *q);

/* shape.c */
void cube_cases(const uint8_t *inside, const ptrdiff_t size[3], double counts[256],
                double places[3][256]);
int squared_diameters(const uint8_t *inside, const ptrdiff_t size[3], const double spacing[3],
                      double out[4]);
void coordinates(const uint8_t *inside, const ptrdiff_t size[3], const double *const of_index[3],
                 ptrdiff_t voxels, double *out);

double voxel_value(const volume_t *volume, ptrdiff_t at);
void voxel_values(const volume_t *volume, ptrdiff_t at, ptrdiff_t count, double *out);

#endif
