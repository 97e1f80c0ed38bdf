/* Hands numpy arrays, as contiguous buffers, to the kernels; no numpy headers are needed. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "voxelwise.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum class { OF_FIRST_ORDER, OF_GLCM, OF_GLRLM, OF_GLSZM, OF_GLDM, OF_NGTDM, CLASSES };
static const int WIDTH[CLASSES] = {FIRST_ORDER, GLCM, SIZES, SIZES, SIZES, NGTDM};

static int take(PyObject *object, Py_buffer *view, const char *name, int dimensions, const char *type,
                int writable)
{
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return -1;
    /* A 64-bit integer is l or q, by the platform. */
    const char *format = view->format && strcmp(view->format, "q") == 0 ? "l" : view->format;
    if (view->ndim != dimensions || !format || strcmp(format, type) != 0) {
        PyErr_Format(PyExc_TypeError, "%s must be a contiguous array of %d dimensions and type %s",
                     name, dimensions, type);
        PyBuffer_Release(view);
        return -1;
    }
    return 0;
}

/* The cell a step on from a cell of the box, -1 outside it. */
static int one_step(const int side[3], const int32_t *step, int sign, int cell)
{
    const int at[3] = {cell / (side[1] * side[2]), cell / side[2] % side[1], cell % side[2]};
    int to = 0;
    for (int axis = 0; axis < 3; axis++) {
        const int there = at[axis] + sign * step[axis];
        if (there < 0 || there >= side[axis])
            return -1;
        to = to * side[axis] + there;
    }
    return to;
}

/* Lay out the pairs and lines of the box. Returns -1 without memory. */
static int lay_out(kernel_t *k, const int32_t *steps, const int32_t *directions)
{
    const int cells = (int)k->cells;
    int found = 0;
    k->from = malloc(sizeof *k->from * (size_t)(k->steps * cells + 1));
    k->to = malloc(sizeof *k->to * (size_t)(k->steps * cells + 1));
    k->start = malloc(sizeof *k->start * (size_t)(k->steps + 1));
    k->one = malloc(sizeof *k->one * (size_t)(k->directions * cells + 1));
    k->other = malloc(sizeof *k->other * (size_t)(k->directions * cells + 1));
    k->line = malloc(sizeof *k->line * (size_t)(2 * k->directions * cells + 1));
    k->line_start = malloc(sizeof *k->line_start * (size_t)(k->directions + 1));
    if (!k->from || !k->to || !k->start || !k->one || !k->other || !k->line || !k->line_start)
        return -1;
    for (ptrdiff_t s = 0; s < k->steps; s++) {
        k->start[s] = found;
        for (int c = 0; c < cells; c++) {
            const int to = one_step(k->side, steps + 3 * s, 1, c);
            if (to < 0)
                continue;
            k->from[found] = (int16_t)c;
            k->to[found++] = (int16_t)to;
        }
    }
    k->start[k->steps] = found;
    found = 0;
    for (ptrdiff_t d = 0; d < k->directions; d++) {
        k->line_start[d] = found;
        for (int c = 0; c < cells; c++) {
            const int to = one_step(k->side, directions + 3 * d, 1, c);
            if (to >= 0) {
                k->one[k->touching] = (int16_t)c;
                k->other[k->touching++] = (int16_t)to;
            }
            if (one_step(k->side, directions + 3 * d, -1, c) >= 0)
                continue; /* not where a line enters the box */
            for (int on = c; on >= 0; on = one_step(k->side, directions + 3 * d, 1, on))
                k->line[found++] = (int16_t)on;
            k->line[found++] = -1;
        }
    }
    k->line_start[k->directions] = found;
    return 0;
}

/* p log2(p + eps) for all shares m of n that a neighbourhood can have. */
static double *logarithms(ptrdiff_t cells)
{
    double *out = malloc(sizeof *out * (size_t)((cells + 1) * (MOST_CELLS + 1)));
    for (ptrdiff_t n = 1; out && n <= cells; n++)
        for (ptrdiff_t m = 1; m <= n; m++) {
            const double p = (double)m / (double)n;
            out[n * (MOST_CELLS + 1) + m] = p * log2(p + DBL_EPSILON);
        }
    return out;
}

static void each(const kernel_t *k, enum class of, const int32_t *bin, const double *grey,
                 const int64_t *where, ptrdiff_t voxels, scratch_t *s, double *out, uint8_t *found)
{
    neighbourhood_t n;
    for (ptrdiff_t v = 0; v < voxels; v++) {
        double *to = out + v * WIDTH[of];
        look_around(k, bin, where[v], s->met, &n);
        switch (of) {
        case OF_FIRST_ORDER: first_order(k, &n, grey + where[v], to); break;
        case OF_GLCM: glcm(k, &n, s, to, found + v * k->steps); break;
        case OF_GLRLM: glrlm(k, &n, s, to); break;
        case OF_GLSZM: glszm(k, &n, s, to); break;
        case OF_GLDM: gldm(k, &n, s, to); break;
        default: ngtdm(k, &n, to);
        }
    }
}

/* voxelwise(class, bin, grey, where, radii (z, y, x), steps, directions, symmetrical, alpha, shift,
 * out, found): see pipeline/extraction/maps/voxelwise.py. */
static PyObject *py_voxelwise(PyObject *self, PyObject *args)
{
    enum { BIN, GREY, WHERE, STEPS, DIRECTIONS, OUT, FOUND, ALL };
    static const char *names[ALL] = {"bin", "grey", "where", "steps", "directions", "out", "found"};
    static const char *types[ALL] = {"i", "d", "l", "i", "i", "d", "B"};
    static const int dimensions[ALL] = {3, 3, 1, 2, 2, 2, 2};
    PyObject *given[ALL], *result = NULL;
    Py_buffer views[ALL];
    kernel_t k = {0};
    scratch_t s = {0};
    int of, radius[3], taken = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "iOOO(iii)OOpddOO", &of, &given[BIN], &given[GREY], &given[WHERE],
                          &radius[0], &radius[1], &radius[2], &given[STEPS], &given[DIRECTIONS],
                          &k.symmetrical, &k.alpha, &k.shift, &given[OUT], &given[FOUND]))
        return NULL;
    for (; taken < ALL; taken++)
        if (take(given[taken], &views[taken], names[taken], dimensions[taken], types[taken],
                 taken >= OUT) < 0)
            goto end;
    const Py_ssize_t *size = views[BIN].shape, voxels = views[WHERE].shape[0];
    const int32_t *bin = views[BIN].buf;
    const int64_t *where = views[WHERE].buf;
    int fits = of >= 0 && of < CLASSES && memcmp(size, views[GREY].shape, 3 * sizeof *size) == 0 &&
               views[STEPS].shape[1] == 3 && views[DIRECTIONS].shape[1] == 3 &&
               views[OUT].shape[0] == voxels && views[FOUND].shape[0] == voxels;
    k.cells = 1;
    for (int axis = 0; axis < 3; axis++) {
        fits &= radius[axis] >= 0 && 2 * radius[axis] + 1 <= MOST_SIDE;
        k.side[axis] = 2 * radius[axis] + 1;
        k.cells *= k.side[axis];
    }
    k.steps = views[STEPS].shape[0];
    k.directions = views[DIRECTIONS].shape[0];
    if (fits)
        fits = views[OUT].shape[1] == WIDTH[of] && views[FOUND].shape[1] == k.steps;
    for (Py_ssize_t v = 0; fits && v < voxels; v++) {
        /* Every neighbourhood must lie on the grid, whose rim is empty. */
        const int64_t z = where[v] / (size[1] * size[2]), y = where[v] / size[2] % size[1],
                      x = where[v] % size[2];
        fits = where[v] >= 0 && z >= radius[0] && z + radius[0] < size[0] && y >= radius[1] &&
               y + radius[1] < size[1] && x >= radius[2] && x + radius[2] < size[2] &&
               bin[where[v]] > 0;
    }
    for (Py_ssize_t v = 0; fits && v < voxels; v++)
        if (bin[where[v]] > k.highest)
            k.highest = bin[where[v]];
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "the arrays do not fit one another");
        goto end;
    }
    for (int size_of = 0; size_of < MOST_CELLS; size_of++)
        s.inverse[size_of] = 1 / ((double)(size_of + 1) * (size_of + 1));
    for (ptrdiff_t c = 0; c < k.cells; c++) {
        const ptrdiff_t z = c / (k.side[1] * k.side[2]) - radius[0],
                        y = c / k.side[2] % k.side[1] - radius[1], x = c % k.side[2] - radius[2];
        k.offset[c] = (z * size[1] + y) * size[2] + x;
    }
    const int laid_out = lay_out(&k, views[STEPS].buf, views[DIRECTIONS].buf) == 0;
    s.matrix = malloc(sizeof *s.matrix * (size_t)(k.cells * k.cells));
    s.counts = calloc((size_t)k.cells, sizeof *s.counts * MOST_CELLS);
    s.logarithms = logarithms(k.cells);
    s.met = calloc((size_t)k.highest + 1, sizeof *s.met);
    s.sums = malloc(sizeof *s.sums * (size_t)(2 * k.highest + 1));
    s.differences = malloc(sizeof *s.differences * (size_t)(k.highest + 1));
    if (laid_out && s.matrix && s.counts && s.logarithms && s.met &&
        s.sums && s.differences) {
        Py_BEGIN_ALLOW_THREADS
        each(&k, (enum class)of, bin, views[GREY].buf, where, voxels, &s, views[OUT].buf,
             views[FOUND].buf);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    } else {
        PyErr_NoMemory();
    }
    void *laid[] = {k.from, k.to, k.start, k.one, k.other, k.line, k.line_start};
    for (size_t n = 0; n < sizeof laid / sizeof *laid; n++)
        free(laid[n]);
    free(s.matrix);
    free(s.counts);
    free(s.logarithms);
    free(s.met);
    free(s.sums);
    free(s.differences);
end:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

static PyMethodDef methods[] = {
    {"voxelwise", py_voxelwise, METH_VARARGS, "see pipeline/extraction/maps/voxelwise.py"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Compiled kernels of the maps.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    PyObject *module = PyModule_Create(&definition);
    /* Of the sources that this was built from; setup.py hands it over. */
    if (module && PyModule_AddStringConstant(module, "SOURCES_HASH", SOURCES_HASH) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
