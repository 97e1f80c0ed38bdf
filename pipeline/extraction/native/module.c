/* The kernels as a Python module. Arrays come as C-contiguous buffers (numpy arrays are such), so
 * that nothing is built against numpy. Shapes are checked here, once; the kernels trust them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "kernels.h"

/* Take a buffer of `dimensions` dimensions whose items have one of the struct codes `formats`. */
static int take(PyObject *object, Py_buffer *view, const char *name, int dimensions,
                const char *formats, int writable)
{
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return -1;
    const char *format = view->format[0] == '<' || view->format[0] == '@' ? view->format + 1
                                                                            : view->format;
    if (view->ndim != dimensions || strlen(format) != 1 || !strchr(formats, format[0])) {
        PyErr_Format(PyExc_TypeError, "%s must have %d dimensions and one of the types %s", name,
                     dimensions, formats);
        PyBuffer_Release(view);
        return -1;
    }
    return 0;
}

static enum voxel_type type_of(const Py_buffer *view)
{
    const char code = view->format[strlen(view->format) - 1];
    const int is_signed = strchr("bhilq", code) != NULL;
    if (code == 'f')
        return FLOAT32;
    if (code == 'd')
        return FLOAT64;
    if (view->itemsize == 1)
        return is_signed ? INT8 : UINT8;
    if (view->itemsize == 2)
        return is_signed ? INT16 : UINT16;
    return is_signed ? INT32 : UINT32;
}

#define VOXELS "bBhHiIfd"

static int take_volume(PyObject *object, Py_buffer *view, volume_t *volume)
{
    if (take(object, view, "a volume", 3, VOXELS, 0) < 0)
        return -1;
    volume->voxels = view->buf;
    volume->type = type_of(view);
    for (int axis = 0; axis < 3; axis++)
        volume->size[axis] = view->shape[2 - axis];
    return 0;
}

/* Continuous indices of the lines' starts and ends, and the array of (lines, length) they fill. */
typedef struct {
    Py_buffer starts, ends, out;
} lines_t;

static void release_lines(lines_t *lines)
{
    PyBuffer_Release(&lines->starts);
    PyBuffer_Release(&lines->ends);
    PyBuffer_Release(&lines->out);
}

static int take_lines(PyObject *starts, PyObject *ends, PyObject *out, const char *format,
                      lines_t *lines)
{
    memset(lines, 0, sizeof *lines);
    if (take(starts, &lines->starts, "starts", 2, "d", 0) < 0 ||
        take(ends, &lines->ends, "ends", 2, "d", 0) < 0 ||
        take(out, &lines->out, "out", 2, format, 1) < 0) {
        release_lines(lines);
        return -1;
    }
    const Py_ssize_t count = lines->out.shape[0];
    if (lines->starts.shape[0] != count || lines->ends.shape[0] != count ||
        lines->starts.shape[1] != 3 || lines->ends.shape[1] != 3) {
        PyErr_SetString(PyExc_ValueError, "starts and ends must be (lines, 3), out (lines, length)");
        release_lines(lines);
        return -1;
    }
    return 0;
}

static PyObject *py_integer_sums(PyObject *self, PyObject *voxels)
{
    Py_buffer view;
    sums_t sums;
    int status;
    (void)self;
    if (take(voxels, &view, "voxels", 3, "bBhH", 0) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = integer_sums(view.buf, type_of(&view), (size_t)(view.len / view.itemsize), &sums);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    if (status < 0)
        return PyErr_Format(PyExc_TypeError, "voxels must be integers of 8 or 16 bits");
    return Py_BuildValue("LLLL", (long long)sums.sum, (long long)sums.sum_of_squares,
                         (long long)sums.lowest, (long long)sums.highest);
}

static PyObject *py_label_box(PyObject *self, PyObject *args)
{
    PyObject *mask;
    double label;
    Py_buffer view;
    volume_t volume;
    ptrdiff_t box[6];
    int found;
    (void)self;
    if (!PyArg_ParseTuple(args, "Od", &mask, &label) || take_volume(mask, &view, &volume) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    found = label_box(&volume, label, box);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    if (!found)
        Py_RETURN_NONE;
    return Py_BuildValue("nnnnnn", box[0], box[1], box[2], box[3], box[4], box[5]);
}

static PyObject *py_spline_resample(PyObject *self, PyObject *args)
{
    PyObject *image, *how, *starts, *ends, *out;
    Py_buffer view;
    volume_t volume;
    normalisation_t normalisation = {0};
    lines_t lines;
    int status;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOO", &image, &how, &starts, &ends, &out))
        return NULL;
    if (how != Py_None) {
        normalisation.wanted = 1;
        if (!PyArg_ParseTuple(how, "dddd", &normalisation.shift, &normalisation.scale,
                              &normalisation.limit, &normalisation.last))
            return NULL;
    }
    if (take_volume(image, &view, &volume) < 0)
        return NULL;
    if (take_lines(starts, ends, out, "d", &lines) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = spline_resample(&volume, &normalisation, lines.starts.buf, lines.ends.buf,
                             lines.out.shape[0], lines.out.shape[1], lines.out.buf);
    Py_END_ALLOW_THREADS
    release_lines(&lines);
    PyBuffer_Release(&view);
    if (status < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

/* laplacian(image, recursions, scale, box, out); pipeline/extraction/laplacian.py makes the arrays. */
static PyObject *py_laplacian(PyObject *self, PyObject *args)
{
    PyObject *image, *recursions, *out, *result = NULL;
    double scale[3];
    ptrdiff_t box[6];
    Py_buffer from, table, to;
    volume_t volume;
    int status, fits = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "OO(ddd)(nnnnnn)O", &image, &recursions, &scale[0], &scale[1],
                          &scale[2], &box[0], &box[1], &box[2], &box[3], &box[4], &box[5], &out) ||
        take_volume(image, &from, &volume) < 0)
        return NULL;
    if (take(recursions, &table, "recursions", 4, "d", 0) < 0)
        goto image;
    if (take(out, &to, "out", 3, "f", 1) < 0)
        goto table;
    for (int axis = 0; axis < 3; axis++)
        fits = fits && volume.size[axis] >= 4 && volume.size[axis] == to.shape[2 - axis] &&
               box[2 * axis] >= 0 && box[2 * axis + 1] <= volume.size[axis];
    if (!fits || table.shape[0] != 2 || table.shape[1] != 3 || table.shape[2] != 5 ||
        table.shape[3] != 4) {
        PyErr_SetString(PyExc_ValueError, "out must be as the image, of four voxels or more along "
                                          "each axis, hold the box, and recursions be (2, 3, 5, 4)");
        goto out;
    }
    Py_BEGIN_ALLOW_THREADS
    status = laplacian(&volume, table.buf, scale, box, to.buf);
    Py_END_ALLOW_THREADS
    result = status < 0 ? PyErr_NoMemory() : Py_NewRef(Py_None);
out:
    PyBuffer_Release(&to);
table:
    PyBuffer_Release(&table);
image:
    PyBuffer_Release(&from);
    return result;
}

static PyObject *py_nearest_label(PyObject *self, PyObject *args)
{
    PyObject *mask, *starts, *ends, *out;
    double label;
    Py_buffer view;
    volume_t volume;
    lines_t lines;
    (void)self;
    if (!PyArg_ParseTuple(args, "OdOOO", &mask, &label, &starts, &ends, &out) ||
        take_volume(mask, &view, &volume) < 0)
        return NULL;
    if (take_lines(starts, ends, out, "B", &lines) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    nearest_label(&volume, label, lines.starts.buf, lines.ends.buf, lines.out.shape[0],
                  lines.out.shape[1], lines.out.buf);
    Py_END_ALLOW_THREADS
    release_lines(&lines);
    PyBuffer_Release(&view);
    Py_RETURN_NONE;
}

/* texture_matrices(grid, bin, zone, where, level, value, step, direction, links, rim, alpha, glcm, glrlm,
 * gldm, ngtdm, zone_level, zone_size) -> zones; pipeline/extraction/formulas/matrices.py makes the arrays and says
 * what they hold. */
static PyObject *py_texture_matrices(PyObject *self, PyObject *args)
{
    enum { GRID, BIN, ZONE, WHERE, LEVEL, VALUE, STEP, DIRECTION, LINKS, GLCM, GLRLM, GLDM, NGTDM,
           ZONE_LEVEL, ZONE_SIZE, ALL };
    static const struct {
        const char *name, *formats;
        int dimensions, writable;
    } wanted[ALL] = {
        {"grid", "H", 3, 1},       {"bin", "i", 3, 1},        {"zone", "i", 3, 1},
        {"where", "lq", 1, 0},     {"level", "H", 1, 0},      {"value", "i", 1, 0},
        {"step", "lq", 1, 0},      {"direction", "lq", 1, 0}, {"links", "H", 1, 0},
        {"glcm", "I", 3, 1},       {"glrlm", "I", 3, 1},      {"gldm", "I", 2, 1},
        {"ngtdm", "d", 2, 1},      {"zone_level", "H", 1, 1}, {"zone_size", "i", 1, 1},
    };
    PyObject *given[ALL], *result = NULL;
    Py_buffer views[ALL];
    texture_t t;
    Py_ssize_t rim;
    ptrdiff_t zones;
    int taken = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOOOOOndOOOOOO", &given[GRID], &given[BIN], &given[ZONE],
                          &given[WHERE], &given[LEVEL], &given[VALUE], &given[STEP],
                          &given[DIRECTION], &given[LINKS], &rim, &t.alpha, &given[GLCM],
                          &given[GLRLM], &given[GLDM], &given[NGTDM], &given[ZONE_LEVEL],
                          &given[ZONE_SIZE]))
        return NULL;
    for (; taken < ALL; taken++)
        if (take(given[taken], &views[taken], wanted[taken].name, wanted[taken].dimensions,
                 wanted[taken].formats, wanted[taken].writable) < 0)
            goto end;
    t.voxels = views[WHERE].shape[0];
    t.levels = views[VALUE].shape[0];
    t.rim = rim;
    for (int axis = 0; axis < 3; axis++)
        t.box[axis] = views[GRID].shape[2 - axis] - 2 * rim;
    t.steps = views[STEP].shape[0];
    t.directions = views[DIRECTION].shape[0];
    t.longest = views[GLRLM].shape[1];
    const Py_ssize_t places = views[GRID].len / views[GRID].itemsize;
    if (views[BIN].len / views[BIN].itemsize != places ||
        views[ZONE].len / views[ZONE].itemsize != places || views[LEVEL].shape[0] != t.voxels ||
        t.directions > MOST_DIRECTIONS || views[LINKS].shape[0] != 1 << t.directions ||
        views[GLCM].shape[0] != t.levels || views[GLCM].shape[1] != t.levels + 1 ||
        views[GLCM].shape[2] != t.steps || views[GLRLM].shape[0] != t.levels ||
        views[GLRLM].shape[2] != t.directions || views[GLDM].shape[0] != t.levels ||
        views[GLDM].shape[1] != 2 * t.steps + 1 || views[NGTDM].shape[0] != t.levels ||
        views[NGTDM].shape[1] != 2 || views[ZONE_LEVEL].shape[0] != t.voxels ||
        views[ZONE_SIZE].shape[0] != t.voxels) {
        PyErr_SetString(PyExc_ValueError, "the shapes of the matrices do not fit together");
        goto end;
    }
    t.grid = views[GRID].buf;
    t.bin = views[BIN].buf;
    t.zone = views[ZONE].buf;
    t.where = views[WHERE].buf;
    t.level = views[LEVEL].buf;
    t.value = views[VALUE].buf;
    t.step = views[STEP].buf;
    t.direction = views[DIRECTION].buf;
    t.links = views[LINKS].buf;
    t.glcm = views[GLCM].buf;
    t.glrlm = views[GLRLM].buf;
    t.gldm = views[GLDM].buf;
    t.ngtdm = views[NGTDM].buf;
    t.zone_level = views[ZONE_LEVEL].buf;
    t.zone_size = views[ZONE_SIZE].buf;
    Py_BEGIN_ALLOW_THREADS
    zones = texture_matrices(&t);
    Py_END_ALLOW_THREADS
    result = zones < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(zones);
end:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

/* zone_links(direction, links): see native/runs.c. */
static PyObject *py_zone_links(PyObject *self, PyObject *args)
{
    PyObject *direction, *links, *result = NULL;
    Py_buffer from, to;
    (void)self;
    if (!PyArg_ParseTuple(args, "OO", &direction, &links) ||
        take(direction, &from, "direction", 1, "lq", 0) < 0)
        return NULL;
    if (take(links, &to, "links", 1, "H", 1) < 0)
        goto direction;
    if (from.shape[0] > MOST_DIRECTIONS || to.shape[0] != 1 << from.shape[0]) {
        PyErr_SetString(PyExc_ValueError, "links must have an item for each set of directions");
    } else {
        zone_links(from.buf, from.shape[0], to.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&to);
direction:
    PyBuffer_Release(&from);
    return result;
}

static PyObject *py_bin_values(PyObject *self, PyObject *args)
{
    PyObject *values, *edges, *bins, *result = NULL;
    Py_buffer from, limits, to;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOO", &values, &edges, &bins) ||
        take(values, &from, "values", 1, "d", 0) < 0)
        return NULL;
    if (take(edges, &limits, "edges", 1, "d", 0) < 0)
        goto values;
    if (take(bins, &to, "bins", 1, "i", 1) < 0)
        goto edges;
    if (limits.shape[0] < 2 || from.shape[0] != to.shape[0]) {
        PyErr_SetString(PyExc_ValueError, "there must be two edges, and a bin for each value");
    } else {
        bin_values(from.buf, from.shape[0], limits.buf, limits.shape[0], to.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&to);
edges:
    PyBuffer_Release(&limits);
values:
    PyBuffer_Release(&from);
    return result;
}

/* glcm_sums(p, level, sums, differences): see native/cooccurrence.c. */
static PyObject *py_glcm_sums(PyObject *self, PyObject *args)
{
    enum { P, LEVEL, SUMS, DIFFERENCES, ALL };
    PyObject *given[ALL], *result = NULL;
    Py_buffer views[ALL];
    const char *names[ALL] = {"p", "level", "sums", "differences"};
    int taken = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOO", &given[P], &given[LEVEL], &given[SUMS],
                          &given[DIFFERENCES]))
        return NULL;
    for (; taken < ALL; taken++)
        if (take(given[taken], &views[taken], names[taken], taken == P ? 3 : taken == LEVEL ? 1 : 2,
                 taken == LEVEL ? "i" : "d", taken >= SUMS) < 0)
            goto end;
    const ptrdiff_t levels = views[P].shape[0], steps = views[P].shape[2];
    const int32_t *level = views[LEVEL].buf;
    int fits = levels > 0 && views[P].shape[1] == levels && views[LEVEL].shape[0] == levels &&
               views[SUMS].shape[1] == steps && views[DIFFERENCES].shape[1] == steps;
    for (ptrdiff_t n = 0; fits && n < levels; n++)
        fits = level[n] >= 0 && level[n] < views[DIFFERENCES].shape[0] &&
               2 * (ptrdiff_t)level[n] < views[SUMS].shape[0];
    if (fits) {
        glcm_sums(views[P].buf, levels, steps, level, views[SUMS].buf, views[DIFFERENCES].buf);
        result = Py_NewRef(Py_None);
    } else {
        PyErr_SetString(PyExc_ValueError, "the levels and the shapes of the sums do not fit p");
    }
end:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

/* glcm_products(p, px, py, eps, q): see native/cooccurrence.c. */
static PyObject *py_glcm_products(PyObject *self, PyObject *args)
{
    enum { P, PX, PY, Q, ALL };
    PyObject *given[ALL], *result = NULL;
    Py_buffer views[ALL];
    const char *names[ALL] = {"p", "px", "py", "q"};
    double eps;
    int taken = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOdO", &given[P], &given[PX], &given[PY], &eps, &given[Q]))
        return NULL;
    for (; taken < ALL; taken++)
        if (take(given[taken], &views[taken], names[taken], taken == P || taken == Q ? 3 : 2, "d",
                 taken == Q) < 0)
            goto end;
    const ptrdiff_t levels = views[P].shape[0], steps = views[P].shape[2];
    int fits = 1;
    for (int n = P; n < ALL; n++)
        fits &= views[n].shape[0] == levels && views[n].shape[views[n].ndim - 1] == steps;
    if (fits && views[P].shape[1] == levels && views[Q].shape[1] == levels) {
        Py_BEGIN_ALLOW_THREADS
        glcm_products(views[P].buf, views[PX].buf, views[PY].buf, levels, steps, eps,
                      views[Q].buf);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    } else {
        PyErr_SetString(PyExc_ValueError, "p, px, py and q must have the same levels and steps");
    }
end:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

/* cube_cases(inside, counts, places): see native/shape.c. */
static PyObject *py_cube_cases(PyObject *self, PyObject *args)
{
    PyObject *inside, *counts, *places, *result = NULL;
    Py_buffer view, to, sums;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOO", &inside, &counts, &places) ||
        take(inside, &view, "inside", 3, "B", 0) < 0)
        return NULL;
    if (take(counts, &to, "counts", 1, "d", 1) < 0)
        goto inside;
    if (take(places, &sums, "places", 2, "d", 1) < 0)
        goto counts;
    if (to.shape[0] != 256 || sums.shape[0] != 3 || sums.shape[1] != 256) {
        PyErr_SetString(PyExc_ValueError, "counts must be (256), places (3, 256)");
    } else {
        const ptrdiff_t size[3] = {view.shape[2], view.shape[1], view.shape[0]};
        cube_cases(view.buf, size, to.buf, sums.buf);
        result = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&sums);
counts:
    PyBuffer_Release(&to);
inside:
    PyBuffer_Release(&view);
    return result;
}

static PyObject *py_squared_diameters(PyObject *self, PyObject *args)
{
    PyObject *inside;
    double spacing[3], out[4];
    Py_buffer view;
    int status;
    (void)self;
    if (!PyArg_ParseTuple(args, "O(ddd)", &inside, &spacing[0], &spacing[1], &spacing[2]) ||
        take(inside, &view, "inside", 3, "B", 0) < 0)
        return NULL;
    const ptrdiff_t size[3] = {view.shape[2], view.shape[1], view.shape[0]};
    Py_BEGIN_ALLOW_THREADS
    status = squared_diameters(view.buf, size, spacing, out);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    if (status < 0)
        return PyErr_NoMemory();
    return Py_BuildValue("dddd", out[0], out[1], out[2], out[3]);
}

/* coordinates(inside, of z, of y, of x, out): see native/shape.c. */
static PyObject *py_coordinates(PyObject *self, PyObject *args)
{
    enum { INSIDE, Z, Y, X, OUT, ALL };
    PyObject *given[ALL], *result = NULL;
    Py_buffer views[ALL];
    const char *names[ALL] = {"inside", "of z", "of y", "of x", "out"};
    int taken = 0, fits = 1;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOO", &given[INSIDE], &given[Z], &given[Y], &given[X],
                          &given[OUT]))
        return NULL;
    for (; taken < ALL; taken++)
        if (take(given[taken], &views[taken], names[taken],
                 taken == INSIDE ? 3 : taken == OUT ? 2 : 1, taken == INSIDE ? "B" : "d",
                 taken == OUT) < 0)
            goto end;
    const uint8_t *inside = views[INSIDE].buf;
    const double *const of_index[3] = {views[X].buf, views[Y].buf, views[Z].buf};
    ptrdiff_t size[3], voxels = 0;
    for (Py_ssize_t n = 0; n < views[INSIDE].len; n++)
        voxels += inside[n] != 0;
    for (int axis = 0; axis < 3; axis++) {
        size[axis] = views[INSIDE].shape[2 - axis];
        fits &= views[X - axis].shape[0] == size[axis];
    }
    if (fits && views[OUT].shape[0] == 3 && views[OUT].shape[1] == voxels) {
        coordinates(inside, size, of_index, voxels, views[OUT].buf);
        result = Py_NewRef(Py_None);
    } else {
        PyErr_SetString(PyExc_ValueError,
                        "there must be a number for each index, and room for each voxel inside");
    }
end:
    while (taken > 0)
        PyBuffer_Release(&views[--taken]);
    return result;
}

static PyMethodDef methods[] = {
    {"integer_sums", py_integer_sums, METH_O,
     "integer_sums(voxels) -> sum, sum of squares, lowest, highest"},
    {"label_box", py_label_box, METH_VARARGS,
     "label_box(mask, label) -> lowest x, highest x, lowest y, ... or None"},
    {"spline_resample", py_spline_resample, METH_VARARGS,
     "spline_resample(image, normalisation or None, starts, ends, out)"},
    {"laplacian", py_laplacian, METH_VARARGS,
     "laplacian(image, recursions, scale, box, out), see pipeline/extraction/laplacian.py"},
    {"nearest_label", py_nearest_label, METH_VARARGS,
     "nearest_label(mask, label, starts, ends, out)"},
    {"texture_matrices", py_texture_matrices, METH_VARARGS, "see pipeline/extraction/formulas/matrices.py"},
    {"zone_links", py_zone_links, METH_VARARGS, "zone_links(direction, links)"},
    {"bin_values", py_bin_values, METH_VARARGS, "bin_values(values, edges, bins)"},
    {"glcm_sums", py_glcm_sums, METH_VARARGS, "glcm_sums(p, level, sums, differences)"},
    {"glcm_products", py_glcm_products, METH_VARARGS, "glcm_products(p, px, py, eps, q)"},
    {"cube_cases", py_cube_cases, METH_VARARGS, "cube_cases(inside, counts, places)"},
    {"squared_diameters", py_squared_diameters, METH_VARARGS,
     "squared_diameters(inside, (x, y, z) spacing) -> same z, same y, same x, any"},
    {"coordinates", py_coordinates, METH_VARARGS, "coordinates(inside, of z, of y, of x, out)"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Compiled kernels of the fast engine.", -1, methods,
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
