"""Layers of a stack of TabNets by compiled kernels: what `torch_layers` computes, on a CPU.

A gate or an attention is a dozen small operations of torch forwards and as many backwards, each of
which reads and writes all rows; a kernel does them while a channel lies in the nearest cache.
Arrays are (n_networks, n_channels, n_rows); this module imports torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from models.learning.kernels import kernels
from models.learning.products import ALL, Slopes
from models.learning.torch_layers import BETAS, CLIPPED_NORM, HALF, TINY, Relaxation, Scale

EPSILON = 1e-5
"""What torch's batch normalisation adds to a variance."""


class Gated(torch.autograd.Function):
    """Product, batch normalisation, gated linear unit and sum."""

    @staticmethod
    def forward(
        context: FunctionCtx,
        x: torch.Tensor,
        weight: torch.Tensor,
        name: str,
        slopes: Slopes | None,
        gain: torch.Tensor,
        shift: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        momentum: float,
        training: bool,
        adds: bool,
        used: slice,
    ) -> torch.Tensor:
        """Return the channels `used` of the output, shape (n_networks, n_used, n_rows)."""
        x, gain, shift = x.contiguous(), gain.contiguous(), shift.contiguous()
        before = torch.bmm(weight, x)
        n, channels, size = before.shape
        out = before.new_empty(n, channels // 2, size)
        centre, inverse = torch.empty_like(gain), torch.empty_like(gain)
        kernels().gate_forward(
            *map(_array, (before, gain, shift, mean, variance)),
            training,
            EPSILON,
            momentum,
            _array(x) if adds else None,
            HALF,
            *map(_array, (out, centre, inverse)),
        )
        context.save_for_backward(x, weight, before, gain, shift, centre, inverse)
        context.slopes, context.name = slopes, name
        context.training, context.adds, context.used = training, adds, used
        return out[:, used]

    @staticmethod
    @once_differentiable
    def backward(context: FunctionCtx, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the slopes by `x`, `gain` and `shift`; those by `weight` go to `slopes`."""
        x, weight, *rest = context.saved_tensors
        used, adds = context.used, context.adds
        # Nobody reads the other channels: their slopes are nought, and not computed.
        narrow, before, *scale = (_of_each_half(each, used) for each in (weight, *rest))
        to_before, to_gain, to_shift = map(torch.empty_like, (before, *scale[:2]))
        slope = slope.contiguous()
        to_x = torch.empty_like(x) if used == ALL else torch.zeros_like(x)
        to_added = (to_x if used == ALL else torch.empty_like(slope)) if adds else None
        kernels().gate_backward(
            *map(_array, (before, slope)),
            context.training,
            *map(_array, scale),
            HALF,
            *map(_array, (to_before, to_gain, to_shift)),
            None if to_added is None else _array(to_added),
        )
        context.slopes.add(context.name, to_before, x, used)
        if adds and used != ALL:
            to_x[:, used] = to_added
        to_x.baddbmm_(narrow.mT, to_before, beta=float(adds))
        gain = rest[1]
        of_scale = (_among_both_halves(each, used, gain) for each in (to_gain, to_shift))
        return to_x, None, None, None, *of_scale, *[None] * 6


class Attend(torch.autograd.Function):
    """Batch normalisation, prior, sparsemax, and what follows from its weights."""

    @staticmethod
    def forward(
        context: FunctionCtx,
        x: torch.Tensor,
        gain: torch.Tensor,
        shift: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        momentum: float,
        training: bool,
        how: Relaxation,
        prior: torch.Tensor,
        rows: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the weighted rows, the next prior, and the mean negative entropy."""
        x, gain, shift = x.contiguous(), gain.contiguous(), shift.contiguous()
        prior, rows = prior.contiguous(), rows.contiguous()
        mask, relaxed, masked = (torch.empty_like(x) for _ in range(3))
        entropy = x.new_empty(len(x))
        centre, inverse = torch.empty_like(gain), torch.empty_like(gain)
        kernels().attend_forward(
            *map(_array, (x, gain, shift, mean, variance)),
            training,
            EPSILON,
            momentum,
            how.gamma,
            how.epsilon,
            *map(_array, (prior, rows, mask, relaxed, masked, entropy, centre, inverse)),
        )
        context.save_for_backward(x, gain, shift, prior, rows, mask, centre, inverse)
        context.training, context.how = training, (how.gamma, how.epsilon)
        return masked, relaxed, entropy

    @staticmethod
    @once_differentiable
    def backward(
        context: FunctionCtx,
        to_masked: torch.Tensor,
        to_relaxed: torch.Tensor,
        to_entropy: torch.Tensor,
    ) -> tuple[torch.Tensor | None, ...]:
        """Return the slopes by `x`, `gain`, `shift`, `prior` and `rows`."""
        x, *rest = context.saved_tensors
        gain, shift, prior, rows = rest[:4]
        found = [torch.empty_like(each) for each in (x, gain, shift, prior, rows)]
        slopes = (each.contiguous() for each in (to_relaxed, to_masked, to_entropy))
        kernels().attend_backward(
            _array(x), context.training, *context.how, *map(_array, (*slopes, *rest, *found))
        )
        to_x, to_gain, to_shift, to_prior, to_rows = found
        return to_x, to_gain, to_shift, None, None, None, None, None, to_prior, to_rows


def gated(
    x: torch.Tensor,
    weight: torch.Tensor,
    name: str,
    slopes: Slopes | None,
    scale: Scale,
    momentum: float,
    training: bool,
    adds: bool,
    used: slice = ALL,
) -> torch.Tensor:
    """Return what `torch_layers.gated` returns."""
    return Gated.apply(x, weight, name, slopes, *scale, momentum, training, adds, used)


def attend(
    x: torch.Tensor,
    scale: Scale,
    momentum: float,
    training: bool,
    how: Relaxation,
    prior: torch.Tensor,
    rows: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what `torch_layers.attend` returns."""
    return Attend.apply(x, *scale, momentum, training, how, prior, rows)


def move(
    weights: torch.Tensor,
    slopes: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    rates: torch.Tensor,
    roots: torch.Tensor,
    decay: torch.Tensor,
) -> torch.Tensor:
    """Do and return what `torch_layers.move` does, in one pass over the weights."""
    norms = torch.empty_like(rates)
    kernels().adam_step(
        _array(slopes),
        *BETAS,
        TINY,
        CLIPPED_NORM,
        *map(_array, (rates, roots, decay, weights, first, second, norms)),
    )
    return norms


def _array(tensor: torch.Tensor) -> np.ndarray:
    """Return the tensor's own memory."""
    return tensor.detach().numpy()


def _of_each_half(values: torch.Tensor, used: slice) -> torch.Tensor:
    """Return these channels of values and these of gates, (n_networks, 2 * n_used, ...)."""
    # Of one channel a half, flatten is a view with gaps, which the kernels do not read.
    return values.unflatten(1, (2, -1))[:, :, used].flatten(1, 2).contiguous()


def _among_both_halves(part: torch.Tensor, used: slice, whole: torch.Tensor) -> torch.Tensor:
    """Return what `_of_each_half` has taken out of something like `whole`, among noughts."""
    if used == ALL:
        return part
    found = torch.zeros_like(whole)
    found.unflatten(1, (2, -1))[:, :, used] = part.unflatten(1, (2, -1))
    return found
