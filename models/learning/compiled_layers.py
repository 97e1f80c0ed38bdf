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
from models.learning.torch_layers import BETAS, CLIPPED_NORM, HALF, TINY, Relaxation, Scale

EPSILON = 1e-5
"""What torch's batch normalisation adds to a variance."""


class Gate(torch.autograd.Function):
    """Batch normalisation, gated linear unit and sum."""

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
        added: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return the output, shape (n_networks, n_channels, n_rows)."""
        x, gain, shift = x.contiguous(), gain.contiguous(), shift.contiguous()
        n, channels, size = x.shape
        out = x.new_empty(n, channels // 2, size)
        centre, inverse = torch.empty_like(gain), torch.empty_like(gain)
        kernels().gate_forward(
            *map(_array, (x, gain, shift, mean, variance)),
            training,
            EPSILON,
            momentum,
            None if added is None else _array(added.contiguous()),
            HALF,
            *map(_array, (out, centre, inverse)),
        )
        context.save_for_backward(x, gain, shift, centre, inverse)
        context.training, context.was_added = training, added is not None
        return out

    @staticmethod
    @once_differentiable
    def backward(context: FunctionCtx, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the slopes by `x`, `gain`, `shift` and `added`."""
        x, gain, shift, centre, inverse = context.saved_tensors
        to_x, to_gain, to_shift = map(torch.empty_like, (x, gain, shift))
        slope = slope.contiguous()
        to_added = torch.empty_like(slope) if context.was_added else None
        kernels().gate_backward(
            *map(_array, (x, slope)),
            context.training,
            *map(_array, (gain, shift, centre, inverse)),
            HALF,
            *map(_array, (to_x, to_gain, to_shift)),
            None if to_added is None else _array(to_added),
        )
        return to_x, to_gain, to_shift, None, None, None, None, to_added


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


def gate(
    x: torch.Tensor, scale: Scale, momentum: float, training: bool, added: torch.Tensor | None
) -> torch.Tensor:
    """Return what `torch_layers.gate` returns."""
    return Gate.apply(x, *scale, momentum, training, added)


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
