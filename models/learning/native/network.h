/* The kernels for one type of number: network.c includes this file once for each, with REAL (the
 * type), BITS (an unsigned integer of its size), NAME (a suffix) and the constants of its exponential.
 *
 * Sums run in LANES parts that are added in one order, so that the processor's width changes no bit.
 * What is not a number stays so: no comparison here turns it into one. */

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define OF(function) JOIN(function, NAME)

/* exp(x) to some units in the last place: x = n log 2 + r; n becomes the exponent's bits. Written
 * here since a library's exponential is called value by value. */
static inline REAL OF(exponential)(REAL x)
{
    union {
        REAL value;
        BITS bits;
    } power;
    x = x < -LARGEST ? -LARGEST : x;
    x = x > LARGEST ? LARGEST : x;
    power.value = x * (REAL)1.44269504088896340736 + ROUNDER;
    const REAL n = power.value - ROUNDER;
    const REAL r = (x - n * LOG2_HIGH) - n * LOG2_LOW;
    REAL series = (REAL)one_over_factorial[TERMS];
    for (int k = TERMS - 1; k >= 0; k--)
        series = series * r + (REAL)one_over_factorial[k];
    power.bits = (power.bits + BIAS) << MANTISSA;
    return series * power.value;
}

/* Halves are added, not one part after the other: a chain of sums waits for each. */
static inline REAL OF(total)(REAL *parts)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            parts[lane] += parts[lane + half];
    return parts[0];
}

CLONES static REAL OF(sum)(const REAL *x, ptrdiff_t n)
{
    REAL parts[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            parts[lane] += x[i + lane];
    for (int lane = 0; i < n; i++, lane++)
        parts[lane] += x[i];
    return OF(total)(parts);
}

/* Return the sum of (x - shift) * (y - other). */
CLONES static REAL OF(product)(const REAL *x, REAL shift, const REAL *y, REAL other, ptrdiff_t n)
{
    REAL parts[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            parts[lane] += (x[i + lane] - shift) * (y[i + lane] - other);
    for (int lane = 0; i < n; i++, lane++)
        parts[lane] += (x[i] - shift) * (y[i] - other);
    return OF(total)(parts);
}

/* Find centre and inverse spread of a channel, and move its running statistics in training. */
static void OF(observe)(norm_t norm, const REAL *x, ptrdiff_t rows, REAL *mean, REAL *variance,
                        REAL *centre, REAL *inverse)
{
    REAL middle = *mean, spread = *variance;
    if (norm.training) {
        middle = OF(sum)(x, rows) / (REAL)rows;
        const REAL squares = OF(product)(x, middle, x, middle, rows);
        spread = squares / (REAL)rows;
        const REAL share = (REAL)norm.momentum;
        *mean = (1 - share) * *mean + share * middle;
        *variance = (1 - share) * *variance + share * (squares / (REAL)(rows - 1));
    }
    *centre = middle;
    *inverse = 1 / OF(root)(spread + (REAL)norm.epsilon);
}

/* Write the slope by a channel before its normalisation, and those by gain and bias. */
CLONES static void OF(unnorm)(int training, const REAL *slope, const REAL *x, REAL gain, REAL centre,
                              REAL inverse, ptrdiff_t rows, REAL *to_x, REAL *to_gain, REAL *to_bias)
{
    const REAL sum = OF(sum)(slope, rows);
    const REAL along = OF(product)(slope, 0, x, centre, rows) * inverse;
    *to_bias = sum;
    *to_gain = along;
    const REAL factor = gain * inverse;
    const REAL level = training ? sum / (REAL)rows : 0;
    const REAL tilt = training ? along / (REAL)rows * inverse : 0;
    for (ptrdiff_t i = 0; i < rows; i++)
        to_x[i] = factor * (slope[i] - level - (x[i] - centre) * tilt);
}

CLONES static void OF(open)(const REAL *value, const REAL *opening, const REAL *gain,
                            const REAL *bias, const REAL *centre, const REAL *inverse,
                            ptrdiff_t channels, ptrdiff_t rows, const REAL *added, REAL scale,
                            REAL *out)
{
    const REAL value_factor = gain[0] * inverse[0], factor = gain[channels] * inverse[channels];
    const REAL value_shift = bias[0] - centre[0] * value_factor;
    const REAL shift = bias[channels] - centre[channels] * factor;
    if (added)
        for (ptrdiff_t i = 0; i < rows; i++) {
            const REAL gate = 1 / (1 + OF(exponential)(-(opening[i] * factor + shift)));
            out[i] = (added[i] + (value[i] * value_factor + value_shift) * gate) * scale;
        }
    else
        for (ptrdiff_t i = 0; i < rows; i++) {
            const REAL gate = 1 / (1 + OF(exponential)(-(opening[i] * factor + shift)));
            out[i] = (value[i] * value_factor + value_shift) * gate;
        }
}

/* Normalise, open the gates, and add what came before: x (networks, 2 channels, rows). */
void OF(gate_forward)(sizes_t size, norm_t norm, const REAL *x, const REAL *gain, const REAL *bias,
                      REAL *mean, REAL *variance, const REAL *added, double scale, REAL *out,
                      REAL *centre, REAL *inverse)
{
    for (ptrdiff_t network = 0; network < size.networks; network++)
        for (ptrdiff_t channel = 0; channel < size.channels; channel++) {
            const ptrdiff_t first = network * 2 * size.channels + channel;
            const ptrdiff_t to = (network * size.channels + channel) * size.rows;
            for (ptrdiff_t at = first; at <= first + size.channels; at += size.channels)
                OF(observe)(norm, x + at * size.rows, size.rows, mean + at, variance + at,
                            centre + at, inverse + at);
            OF(open)(x + first * size.rows, x + (first + size.channels) * size.rows, gain + first,
                     bias + first, centre + first, inverse + first, size.channels, size.rows,
                     added ? added + to : NULL, (REAL)scale, out + to);
        }
}

CLONES static void OF(close)(const REAL *slope, REAL scale, const REAL *value, const REAL *opening,
                             const REAL *gain, const REAL *bias, const REAL *centre,
                             const REAL *inverse, ptrdiff_t channels, ptrdiff_t rows, REAL *to_value,
                             REAL *to_opening)
{
    const REAL value_factor = gain[0] * inverse[0], factor = gain[channels] * inverse[channels];
    const REAL value_shift = bias[0] - centre[0] * value_factor;
    const REAL shift = bias[channels] - centre[channels] * factor;
    for (ptrdiff_t i = 0; i < rows; i++) {
        const REAL gate = 1 / (1 + OF(exponential)(-(opening[i] * factor + shift)));
        const REAL along = slope[i] * scale * gate;
        to_value[i] = along;
        to_opening[i] = along * (value[i] * value_factor + value_shift) * (1 - gate);
    }
}

void OF(gate_backward)(sizes_t size, int training, const REAL *slope, const REAL *x,
                       const REAL *gain, const REAL *bias, const REAL *centre, const REAL *inverse,
                       double scale, int was_added, REAL *to_x, REAL *to_gain, REAL *to_bias,
                       REAL *to_added)
{
    const REAL factor = was_added ? (REAL)scale : 1;
    for (ptrdiff_t network = 0; network < size.networks; network++)
        for (ptrdiff_t channel = 0; channel < size.channels; channel++) {
            const ptrdiff_t first = network * 2 * size.channels + channel;
            const REAL *const from = slope + (network * size.channels + channel) * size.rows;
            REAL *const value = to_x + first * size.rows;
            REAL *const opening = to_x + (first + size.channels) * size.rows;
            OF(close)(from, factor, x + first * size.rows, x + (first + size.channels) * size.rows,
                      gain + first, bias + first, centre + first, inverse + first, size.channels,
                      size.rows, value, opening);
            for (ptrdiff_t at = first; at <= first + size.channels; at += size.channels)
                OF(unnorm)(training, to_x + at * size.rows, x + at * size.rows, gain[at],
                           centre[at], inverse[at], size.rows, to_x + at * size.rows, to_gain + at,
                           to_bias + at);
        }
    if (was_added)
        for (ptrdiff_t i = 0; i < size.networks * size.channels * size.rows; i++)
            to_added[i] = slope[i] * factor;
}

/* Project LANES rows onto the simplex, each along its channels: z (channels, LANES), in place.
 * Michelot's algorithm: below the largest value minus 1 nothing is in the support, which from
 * there can only shrink. */
CLONES static void OF(project)(REAL *z, ptrdiff_t channels)
{
    REAL largest[LANES], threshold[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        largest[lane] = z[lane];
        threshold[lane] = -1;
    }
    for (ptrdiff_t c = 1; c < channels; c++)
        for (int lane = 0; lane < LANES; lane++) {
            const REAL value = z[c * LANES + lane];
            largest[lane] = value > largest[lane] ? value : largest[lane];
        }
    for (ptrdiff_t c = 0; c < channels; c++)
        for (int lane = 0; lane < LANES; lane++)
            z[c * LANES + lane] -= largest[lane];
    for (ptrdiff_t round = 0; round < channels; round++) {
        REAL sum[LANES] = {0}, count[LANES] = {0};
        for (ptrdiff_t c = 0; c < channels; c++)
            for (int lane = 0; lane < LANES; lane++) {
                const REAL value = z[c * LANES + lane];
                const REAL inside = value > threshold[lane] ? (REAL)1 : (REAL)0;
                sum[lane] += inside * value;
                count[lane] += inside;
            }
        int moved = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const REAL higher = (sum[lane] - 1) / count[lane];
            moved |= higher != threshold[lane];
            threshold[lane] = higher;
        }
        if (!moved)
            break;
    }
    for (ptrdiff_t c = 0; c < channels; c++)
        for (int lane = 0; lane < LANES; lane++) {
            const REAL value = z[c * LANES + lane] - threshold[lane];
            z[c * LANES + lane] = value < 0 ? 0 : value;
        }
}

/* Attention of one step: normalise x (networks, channels, rows), weight it by the prior, project it
 * onto the simplex (mask), relax the prior (next), mask the rows, and add up the mask's entropy. */
int OF(attend_forward)(sizes_t size, norm_t norm, attention_t how, const REAL *x, const REAL *gain,
                       const REAL *bias, REAL *mean, REAL *variance, const REAL *prior,
                       const REAL *rows, REAL *mask, REAL *next, REAL *masked, REAL *sparsity,
                       REAL *centre, REAL *inverse)
{
    REAL *const block = malloc((size_t)size.channels * LANES * sizeof(REAL));
    if (!block)
        return -1;
    for (ptrdiff_t network = 0; network < size.networks; network++) {
        REAL entropy = 0;
        for (ptrdiff_t at = network * size.channels; at < (network + 1) * size.channels; at++)
            OF(observe)(norm, x + at * size.rows, size.rows, mean + at, variance + at, centre + at,
                        inverse + at);
        for (ptrdiff_t start = 0; start < size.rows; start += LANES) {
            const ptrdiff_t width = size.rows - start < LANES ? size.rows - start : LANES;
            for (ptrdiff_t c = 0; c < size.channels; c++) {
                const ptrdiff_t at = network * size.channels + c, i = at * size.rows + start;
                const REAL factor = gain[at] * inverse[at];
                const REAL shift = bias[at] - centre[at] * factor;
                for (ptrdiff_t lane = 0; lane < width; lane++)
                    block[c * LANES + lane] = (x[i + lane] * factor + shift) * prior[i + lane];
                for (ptrdiff_t lane = width; lane < LANES; lane++)
                    block[c * LANES + lane] = 0;
            }
            OF(project)(block, size.channels);
            for (ptrdiff_t c = 0; c < size.channels; c++) {
                const ptrdiff_t i = (network * size.channels + c) * size.rows + start;
                for (ptrdiff_t lane = 0; lane < width; lane++) {
                    const REAL share = block[c * LANES + lane];
                    mask[i + lane] = share;
                    next[i + lane] = ((REAL)how.gamma - share) * prior[i + lane];
                    masked[i + lane] = share * rows[i + lane];
                    if (share != 0)
                        entropy += share * OF(logarithm)(share + (REAL)how.epsilon);
                }
            }
        }
        sparsity[network] = entropy / (REAL)size.rows;
    }
    free(block);
    return 0;
}

int OF(attend_backward)(sizes_t size, int training, attention_t how, const REAL *to_next,
                        const REAL *to_masked, const REAL *to_sparsity, const REAL *x,
                        const REAL *gain, const REAL *bias, const REAL *prior, const REAL *rows,
                        const REAL *mask, const REAL *centre, const REAL *inverse, REAL *to_x,
                        REAL *to_gain, REAL *to_bias, REAL *to_prior, REAL *to_rows)
{
    /* Of the support of each row: the sum of the slopes, and how many they are. */
    REAL *const sums = malloc(2 * (size_t)size.rows * sizeof(REAL));
    if (!sums)
        return -1;
    REAL *const counts = sums + size.rows;
    for (ptrdiff_t network = 0; network < size.networks; network++) {
        const REAL weight = to_sparsity[network] / (REAL)size.rows;
        const ptrdiff_t first = network * size.channels;
        memset(sums, 0, 2 * (size_t)size.rows * sizeof(REAL));
        for (ptrdiff_t at = first; at < first + size.channels; at++)
            for (ptrdiff_t row = 0; row < size.rows; row++) {
                const ptrdiff_t i = at * size.rows + row;
                const REAL share = mask[i];
                to_rows[i] = to_masked[i] * share;
                to_x[i] = 0;
                if (share != 0) {
                    const REAL above = share + (REAL)how.epsilon;
                    to_x[i] = to_masked[i] * rows[i] - to_next[i] * prior[i] +
                              weight * (OF(logarithm)(above) + share / above);
                    sums[row] += to_x[i];
                    counts[row] += 1;
                }
            }
        for (ptrdiff_t row = 0; row < size.rows; row++)
            sums[row] /= counts[row];
        for (ptrdiff_t at = first; at < first + size.channels; at++) {
            const REAL factor = gain[at] * inverse[at], shift = bias[at] - centre[at] * factor;
            REAL *const to = to_x + at * size.rows;
            for (ptrdiff_t row = 0; row < size.rows; row++) {
                const ptrdiff_t i = at * size.rows + row;
                const REAL slope = mask[i] != 0 ? to[row] - sums[row] : 0;
                to_prior[i] = to_next[i] * ((REAL)how.gamma - mask[i]) +
                              slope * (x[i] * factor + shift);
                to[row] = slope * prior[i];
            }
            OF(unnorm)(training, to, x + at * size.rows, gain[at], centre[at], inverse[at],
                       size.rows, to, to_gain + at, to_bias + at);
        }
    }
    free(sums);
    return 0;
}

CLONES static void OF(move)(ptrdiff_t count, adam_t how, const REAL *slopes, REAL cut, REAL rate,
                            REAL root, REAL decay, REAL *weights, REAL *first, REAL *second)
{
    const REAL share = (REAL)(1 - how.first), kept = (REAL)how.second;
    const REAL new = (REAL)(1 - how.second), epsilon = (REAL)how.epsilon;
    for (ptrdiff_t i = 0; i < count; i++) {
        const REAL slope = slopes[i] * cut + decay * weights[i];
        first[i] += share * (slope - first[i]);
        second[i] = second[i] * kept + new * slope * slope;
        weights[i] -= rate * first[i] / (OF(root)(second[i]) / root + epsilon);
    }
}

/* Move all weights of each network, (networks, count), by its own rate; `roots` are those of the
 * correction of the second moment. A gradient that is too long is cut, not the decay. */
void OF(adam_step)(ptrdiff_t networks, ptrdiff_t count, adam_t how, const REAL *slopes,
                   const REAL *rates, const REAL *roots, const REAL *decay, REAL *weights,
                   REAL *first, REAL *second, REAL *norms)
{
    for (ptrdiff_t network = 0; network < networks; network++) {
        const ptrdiff_t at = network * count;
        norms[network] = OF(root)(OF(product)(slopes + at, 0, slopes + at, 0, count));
        REAL cut = (REAL)how.longest / (norms[network] + (REAL)1e-6);
        cut = cut > 1 ? 1 : cut;
        OF(move)(count, how, slopes + at, cut, rates[network], roots[network], decay[network],
                 weights + at, first + at, second + at);
    }
}

#undef JOIN_
#undef JOIN
#undef OF
