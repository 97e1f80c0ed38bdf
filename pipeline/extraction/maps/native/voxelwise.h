/* Features of the neighbourhood of each voxel of a region. Nothing here knows Python: module.c hands
 * over the arrays. Arrays are contiguous and run z, y, x with x fastest. */
#ifndef VERTEBROMICS_VOXELWISE_H
#define VERTEBROMICS_VOXELWISE_H

#include <stddef.h>
#include <stdint.h>

#define MOST_CELLS 343 /* of a cube with 7 voxels a side */
#define MOST_SIDE 7

enum { FIRST_ORDER = 19, GLCM = 23, SIZES = 16, NGTDM = 5 };

/* What all neighbourhoods share. A neighbourhood is a box of cells around its voxel; what lies
 * outside the region is level 0. */
typedef struct {
    ptrdiff_t cells;
    ptrdiff_t offset[MOST_CELLS]; /* of each cell from the voxel, on the grid */
    int side[3];                  /* cells along z, y, x */
    /* Of GLCM, GLDM, NGTDM: the pairs of cells that are a step apart, those of one step from
     * start[step] on. A step stands for its opposite too. */
    ptrdiff_t steps;
    int16_t *from, *to;
    int *start;
    /* Of GLRLM, GLSZM, at distance 1: pairs as above (all directions), and for each direction the
     * lines of the box, each as its cells and -1. */
    ptrdiff_t directions, touching;
    int16_t *one, *other;
    int16_t *line;
    int *line_start;
    int highest;                  /* highest level of the whole region */
    int symmetrical;
    double alpha, shift;
} kernel_t;

/* One neighbourhood. */
typedef struct {
    int bin[MOST_CELLS];        /* level of each cell, 0 outside the region */
    int16_t number[MOST_CELLS]; /* its place among the levels that occur, -1 outside */
    int level[MOST_CELLS];      /* levels that occur, rising */
    int count[MOST_CELLS];      /* cells of each */
    double square[MOST_CELLS];  /* of each level */
    double inverse[MOST_CELLS]; /* of its square */
    int levels, voxels;
} neighbourhood_t;

/* Room for the matrices of one neighbourhood. */
typedef struct {
    double *matrix;             /* cells, cells: a GLCM */
    int *counts;                /* cells, MOST_CELLS: of levels and sizes, 0 between uses */
    int listed[MOST_CELLS];     /* cells of `counts` that are not 0 */
    int length;                 /* how many of them */
    int16_t *met;               /* highest + 1: of each level, 0 between uses */
    double inverse[MOST_CELLS]; /* of the square of each size, from 1 */
    double *logarithms;         /* n, MOST_CELLS + 1: p log2(p + eps) for the shares p = m / n */
    double *sums, *differences; /* of two levels: 2 highest + 1, highest + 1 */
} scratch_t;

/* Each returns its features in the order of pipeline/extraction/maps/names.py. */
void first_order(const kernel_t *k, const neighbourhood_t *n, const double *grey, double *out);
int glcm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out, uint8_t *found);
void glrlm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out);
void glszm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out);
void gldm(const kernel_t *k, const neighbourhood_t *n, scratch_t *s, double *out);
void ngtdm(const kernel_t *k, const neighbourhood_t *n, double *out);

void look_around(const kernel_t *k, const int32_t *bin, ptrdiff_t place, int16_t *met,
                 neighbourhood_t *n);

#endif
