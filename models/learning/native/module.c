/* The kernels as a Python module. Arrays come as C-contiguous buffers of one type, float32 or
 * float64; shapes are checked here, once, and the kernels trust them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "kernels.h"

#define MOST 20

/* Buffers of one call, let go of together. */
typedef struct {
    Py_buffer views[MOST];
    int count, is_double;
} buffers_t;

static void release(buffers_t *all)
{
    while (all->count > 0)
        PyBuffer_Release(&all->views[--all->count]);
}

/* Take the next buffer: it must hold `items` numbers of the type of the first. */
static void *take(buffers_t *all, PyObject *object, const char *name, Py_ssize_t items, int writable)
{
    Py_buffer *view = &all->views[all->count];
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return NULL;
    all->count++;
    const int is_double = strcmp(view->format, "d") == 0;
    if (!is_double && strcmp(view->format, "f") != 0) {
        PyErr_Format(PyExc_TypeError, "%s must be of float32 or float64", name);
        return NULL;
    }
    if (all->count == 1)
        all->is_double = is_double;
    if (is_double != all->is_double || (items >= 0 && view->len / view->itemsize != items)) {
        PyErr_Format(PyExc_ValueError, "%s must hold %zd numbers of the type of the first array",
                     name, items);
        return NULL;
    }
    return view->buf;
}

static int take_sizes(buffers_t *all, sizes_t *size)
{
    const Py_buffer *x = &all->views[0];
    if (x->ndim != 3 || x->shape[2] < 2) {
        PyErr_SetString(PyExc_ValueError, "x must be (networks, channels, rows), of 2 rows or more");
        return -1;
    }
    size->networks = x->shape[0];
    size->channels = x->shape[1];
    size->rows = x->shape[2];
    return 0;
}

#define TAKE(name, items, writable)                                                                \
    void *const name = take(&all, name##_object, #name, (items), (writable));                      \
    if (!name)                                                                                     \
        goto failed

#define CALL(function, ...)                                                                        \
    Py_BEGIN_ALLOW_THREADS                                                                         \
    if (all.is_double)                                                                             \
        function##_float64(__VA_ARGS__);                                                           \
    else                                                                                           \
        function##_float32(__VA_ARGS__);                                                           \
    Py_END_ALLOW_THREADS

#define CALL_THAT_MAY_FAIL(status, function, ...)                                                  \
    Py_BEGIN_ALLOW_THREADS                                                                         \
    status = all.is_double ? function##_float64(__VA_ARGS__) : function##_float32(__VA_ARGS__);    \
    Py_END_ALLOW_THREADS

static PyObject *py_gate_forward(PyObject *self, PyObject *args)
{
    PyObject *x_object, *gain_object, *bias_object, *mean_object, *variance_object, *added_object;
    PyObject *out_object, *centre_object, *inverse_object;
    norm_t norm;
    double scale;
    buffers_t all = {.count = 0};
    sizes_t size;
    void *added = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOpddOdOOO", &x_object, &gain_object, &bias_object, &mean_object,
                          &variance_object, &norm.training, &norm.epsilon, &norm.momentum,
                          &added_object, &scale, &out_object, &centre_object, &inverse_object))
        return NULL;
    TAKE(x, -1, 0);
    if (take_sizes(&all, &size) < 0)
        goto failed;
    if (size.channels % 2) {
        PyErr_SetString(PyExc_ValueError, "x must have as many channels that open as values");
        goto failed;
    }
    const Py_ssize_t channels = size.networks * size.channels, half = channels / 2 * size.rows;
    size.channels /= 2;
    TAKE(gain, channels, 0);
    TAKE(bias, channels, 0);
    TAKE(mean, channels, 1);
    TAKE(variance, channels, 1);
    if (added_object != Py_None && !(added = take(&all, added_object, "added", half, 0)))
        goto failed;
    TAKE(out, half, 1);
    TAKE(centre, channels, 1);
    TAKE(inverse, channels, 1);
    CALL(gate_forward, size, norm, x, gain, bias, mean, variance, added, scale, out, centre, inverse)
    release(&all);
    Py_RETURN_NONE;
failed:
    release(&all);
    return NULL;
}

static PyObject *py_gate_backward(PyObject *self, PyObject *args)
{
    PyObject *x_object, *slope_object, *gain_object, *bias_object, *centre_object, *inverse_object;
    PyObject *to_x_object, *to_gain_object, *to_bias_object, *to_added_object;
    int training;
    double scale;
    buffers_t all = {.count = 0};
    sizes_t size;
    void *to_added = NULL;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOpOOOOdOOOO", &x_object, &slope_object, &training, &gain_object,
                          &bias_object, &centre_object, &inverse_object, &scale, &to_x_object,
                          &to_gain_object, &to_bias_object, &to_added_object))
        return NULL;
    TAKE(x, -1, 0);
    if (take_sizes(&all, &size) < 0)
        goto failed;
    const Py_ssize_t channels = size.networks * size.channels, half = channels / 2 * size.rows;
    size.channels /= 2;
    TAKE(slope, half, 0);
    TAKE(gain, channels, 0);
    TAKE(bias, channels, 0);
    TAKE(centre, channels, 0);
    TAKE(inverse, channels, 0);
    TAKE(to_x, 2 * half, 1);
    TAKE(to_gain, channels, 1);
    TAKE(to_bias, channels, 1);
    if (to_added_object != Py_None &&
        !(to_added = take(&all, to_added_object, "to_added", half, 1)))
        goto failed;
    CALL(gate_backward, size, training, slope, x, gain, bias, centre, inverse, scale,
         to_added != NULL, to_x, to_gain, to_bias, to_added)
    release(&all);
    Py_RETURN_NONE;
failed:
    release(&all);
    return NULL;
}

static PyObject *py_attend_forward(PyObject *self, PyObject *args)
{
    PyObject *x_object, *gain_object, *bias_object, *mean_object, *variance_object, *prior_object;
    PyObject *rows_object, *mask_object, *next_object, *masked_object, *sparsity_object;
    PyObject *centre_object, *inverse_object;
    norm_t norm;
    attention_t how;
    buffers_t all = {.count = 0};
    sizes_t size;
    int status;
    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOOpddddOOOOOOOO", &x_object, &gain_object, &bias_object,
                          &mean_object, &variance_object, &norm.training, &norm.epsilon,
                          &norm.momentum, &how.gamma, &how.epsilon, &prior_object, &rows_object,
                          &mask_object, &next_object, &masked_object, &sparsity_object,
                          &centre_object, &inverse_object))
        return NULL;
    TAKE(x, -1, 0);
    if (take_sizes(&all, &size) < 0)
        goto failed;
    const Py_ssize_t channels = size.networks * size.channels, items = channels * size.rows;
    TAKE(gain, channels, 0);
    TAKE(bias, channels, 0);
    TAKE(mean, channels, 1);
    TAKE(variance, channels, 1);
    TAKE(prior, items, 0);
    TAKE(rows, items, 0);
    TAKE(mask, items, 1);
    TAKE(next, items, 1);
    TAKE(masked, items, 1);
    TAKE(sparsity, size.networks, 1);
    TAKE(centre, channels, 1);
    TAKE(inverse, channels, 1);
    CALL_THAT_MAY_FAIL(status, attend_forward, size, norm, how, x, gain, bias, mean, variance, prior,
                       rows, mask, next, masked, sparsity, centre, inverse)
    release(&all);
    if (status < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
failed:
    release(&all);
    return NULL;
}

static PyObject *py_attend_backward(PyObject *self, PyObject *args)
{
    PyObject *x_object, *to_next_object, *to_masked_object, *to_sparsity_object, *gain_object;
    PyObject *bias_object, *prior_object, *rows_object, *mask_object, *centre_object;
    PyObject *inverse_object, *to_x_object, *to_gain_object, *to_bias_object, *to_prior_object;
    PyObject *to_rows_object;
    int training, status;
    attention_t how;
    buffers_t all = {.count = 0};
    sizes_t size;
    (void)self;
    if (!PyArg_ParseTuple(args, "OpddOOOOOOOOOOOOOOO", &x_object, &training, &how.gamma,
                          &how.epsilon, &to_next_object, &to_masked_object, &to_sparsity_object,
                          &gain_object, &bias_object, &prior_object, &rows_object, &mask_object,
                          &centre_object, &inverse_object, &to_x_object, &to_gain_object,
                          &to_bias_object, &to_prior_object, &to_rows_object))
        return NULL;
    TAKE(x, -1, 0);
    if (take_sizes(&all, &size) < 0)
        goto failed;
    const Py_ssize_t channels = size.networks * size.channels, items = channels * size.rows;
    TAKE(to_next, items, 0);
    TAKE(to_masked, items, 0);
    TAKE(to_sparsity, size.networks, 0);
    TAKE(gain, channels, 0);
    TAKE(bias, channels, 0);
    TAKE(prior, items, 0);
    TAKE(rows, items, 0);
    TAKE(mask, items, 0);
    TAKE(centre, channels, 0);
    TAKE(inverse, channels, 0);
    TAKE(to_x, items, 1);
    TAKE(to_gain, channels, 1);
    TAKE(to_bias, channels, 1);
    TAKE(to_prior, items, 1);
    TAKE(to_rows, items, 1);
    CALL_THAT_MAY_FAIL(status, attend_backward, size, training, how, to_next, to_masked, to_sparsity,
                       x, gain, bias, prior, rows, mask, centre, inverse, to_x, to_gain, to_bias,
                       to_prior, to_rows)
    release(&all);
    if (status < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
failed:
    release(&all);
    return NULL;
}

static PyObject *py_adam_step(PyObject *self, PyObject *args)
{
    PyObject *slopes_object, *rates_object, *roots_object, *decay_object, *weights_object;
    PyObject *first_object, *second_object, *norms_object;
    adam_t how;
    buffers_t all = {.count = 0};
    (void)self;
    if (!PyArg_ParseTuple(args, "OddddOOOOOOO", &slopes_object, &how.first, &how.second, &how.epsilon,
                          &how.longest, &rates_object, &roots_object, &decay_object, &weights_object,
                          &first_object, &second_object, &norms_object))
        return NULL;
    TAKE(slopes, -1, 0);
    if (all.views[0].ndim != 2) {
        PyErr_SetString(PyExc_ValueError, "slopes must be (networks, weights)");
        goto failed;
    }
    const Py_ssize_t networks = all.views[0].shape[0], count = all.views[0].shape[1];
    TAKE(rates, networks, 0);
    TAKE(roots, networks, 0);
    TAKE(decay, networks, 0);
    TAKE(weights, networks * count, 1);
    TAKE(first, networks * count, 1);
    TAKE(second, networks * count, 1);
    TAKE(norms, networks, 1);
    CALL(adam_step, networks, count, how, slopes, rates, roots, decay, weights, first, second, norms)
    release(&all);
    Py_RETURN_NONE;
failed:
    release(&all);
    return NULL;
}

static PyMethodDef methods[] = {
    {"gate_forward", py_gate_forward, METH_VARARGS,
     "gate_forward(x, gain, bias, mean, variance, training, epsilon, momentum, added, scale, out,\n"
     "centre, inverse): normalise, open the gates, add and scale."},
    {"gate_backward", py_gate_backward, METH_VARARGS,
     "gate_backward(x, slope, training, gain, bias, centre, inverse, scale, to_x, to_gain, to_bias,\n"
     "to_added): slopes of the same."},
    {"attend_forward", py_attend_forward, METH_VARARGS,
     "attend_forward(x, gain, bias, mean, variance, training, epsilon, momentum, gamma, epsilon,\n"
     "prior, rows, mask, next, masked, sparsity, centre, inverse): the attention of one step."},
    {"attend_backward", py_attend_backward, METH_VARARGS,
     "attend_backward(x, training, gamma, epsilon, to_next, to_masked, to_sparsity, gain, bias,\n"
     "prior, rows, mask, centre, inverse, to_x, to_gain, to_bias, to_prior, to_rows): slopes."},
    {"adam_step", py_adam_step, METH_VARARGS,
     "adam_step(slopes, first share, second share, epsilon, longest, rates, roots, decay, weights,\n"
     "first, second, norms): move the weights."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_kernels", "Layers of many TabNets at once.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddStringConstant(made, "SOURCES_HASH", SOURCES_HASH) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
