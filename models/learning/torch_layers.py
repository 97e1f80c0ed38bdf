"""Layers of a stack of TabNets by torch's own operations.

They run on a GPU, and are what the compiled kernels are held to. Arrays are
(n_networks, n_channels, n_rows); this module imports torch.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn import functional

from models.learning.products import ALL, Slopes, product

HALF = torch.tensor(0.5).sqrt().item()
"""Scale of the sum of a layer and what it adds: rounded to float32, as in the library."""

BETAS = 0.9, 0.999
TINY = 1e-8
"""Of Adam, torch's defaults."""

CLIPPED_NORM = 1.0
"""Norm to which a network's gradient is cut, the library's default."""

Scale = tuple[torch.Tensor, ...]
"""Gain, shift, running mean and running variance of a batch normalisation, (n_networks, n_channels)
each; the running ones move in training."""


class Relaxation(Protocol):
    """What an attention needs of the architecture."""

    gamma: float
    epsilon: float


def normed(x: torch.Tensor, scale: Scale, momentum: float, training: bool) -> torch.Tensor:
    """Return `x` normalised by the batch itself (training) or by the running statistics."""
    n, channels, size = x.shape
    gain, shift, mean, variance = scale
    return functional.batch_norm(
        x.reshape(1, n * channels, size),
        mean.view(-1),
        variance.view(-1),
        gain.reshape(-1),
        shift.reshape(-1),
        training,
        momentum,
    ).view(n, channels, size)


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
    """Return a gated layer: half of its normalised channels, gated by the other half.

    Parameters
    ----------
    x : Tensor of shape (n_networks, n_in, n_rows)
        Before the layer.
    weight, name, slopes
        Of its product; see `models.learning.products.product`.
    scale : tuple of Tensor
        Of its batch normalisation.
    momentum : float
        Of the running statistics.
    training : bool
        Whether batches are normalised by their own mean and variance.
    adds : bool
        Whether `x` is added to the result, and the sum halved in variance.
    used : slice
        Channels of the result that anything later reads. The running statistics move for all.

    Returns
    -------
    Tensor of shape (n_networks, n_used, n_rows)
        The channels `used`, by default n_out / 2.
    """
    before = product(x, weight, name, slopes)
    out = functional.glu(normed(before, scale, momentum, training), dim=1)
    return ((x + out) * HALF if adds else out)[:, used]


def attend(
    x: torch.Tensor,
    scale: Scale,
    momentum: float,
    training: bool,
    how: Relaxation,
    prior: torch.Tensor,
    rows: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what one step attends to.

    Parameters
    ----------
    x : Tensor of shape (n_networks, n_features, n_rows)
        Behind the attention's linear layer.
    scale, momentum, training
        As in `gated`.
    how : Relaxation
        Of the prior, and what keeps a logarithm finite.
    prior : Tensor of shape (n_networks, n_features, n_rows)
        How much of each feature earlier steps have left.
    rows : Tensor of shape (n_networks, n_features, n_rows)
        The normalised input.

    Returns
    -------
    masked : Tensor of shape (n_networks, n_features, n_rows)
        The input, weighted.
    prior : Tensor of the same shape
        For the next step.
    entropy : Tensor of shape (n_networks,)
        Mean negative entropy of the weights.
    """
    mask = sparsemax(normed(x, scale, momentum, training) * prior)
    entropy = (mask * torch.log(mask + how.epsilon)).sum(dim=1).mean(dim=-1)
    return mask * rows, (how.gamma - mask) * prior, entropy


def move(
    weights: torch.Tensor,
    slopes: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    rates: torch.Tensor,
    roots: torch.Tensor,
    decay: torch.Tensor,
) -> torch.Tensor:
    """Move the weights by Adam's step, in place; return the norms of the gradients.

    Parameters
    ----------
    weights, slopes : Tensor of shape (n_networks, n_weights)
        Weights, which move, and their gradients, cut to `CLIPPED_NORM` before the decay is added.
    first, second : Tensor of the same shape
        Adam's moments, which move.
    rates : Tensor of shape (n_networks,)
        Learning rates, over the correction of the first moment.
    roots : Tensor of shape (n_networks,)
        Square roots of the correction of the second.
    decay : Tensor of shape (n_networks,)
        Weight decay.

    Returns
    -------
    Tensor of shape (n_networks,)
    """
    norms = torch.linalg.vector_norm(slopes, dim=1)
    slopes = slopes * torch.clamp(CLIPPED_NORM / (norms + 1e-6), max=1.0)[:, None]
    slopes = torch.addcmul(slopes, decay[:, None], weights)
    first.lerp_(slopes, 1 - BETAS[0])
    second.mul_(BETAS[1]).addcmul_(slopes, slopes, value=1 - BETAS[1])
    root = (second.sqrt() / roots[:, None]).add_(TINY)
    weights.sub_(rates[:, None] * first / root)
    return norms


class Sparsemax(torch.autograd.Function):
    """Projection onto the simplex along dimension 1 [1]_, without sorting [2]_.

    References
    ----------
    .. [1] Martins AFT, Astudillo RF. From softmax to sparsemax. ICML 2016;48:1614-1623.
    .. [2] Michelot C. A finite algorithm for finding the projection of a point onto the canonical
       simplex of R^n. J Optim Theory Appl 1986;50:195-200.
    """

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, z: torch.Tensor) -> torch.Tensor:
        """Return weights of shape `z` that sum to 1 along dimension 1."""
        z = z - z.amax(dim=1, keepdim=True)
        # Below the largest minus 1 nothing is in the support; from there it can only shrink, at
        # most once for each entry.
        support = z > -1
        for _ in range(z.shape[1]):
            count = support.sum(dim=1, keepdim=True)
            threshold = ((z * support).sum(dim=1, keepdim=True) - 1) / count
            inside = support & (z > threshold)
            if torch.equal(inside, support):
                break
            support = inside
        out = torch.clamp(z - threshold, min=0)
        context.save_for_backward(out > 0)
        return out

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, slope: torch.Tensor) -> torch.Tensor:
        """Return the gradient: within the support, less its mean there."""
        (support,) = context.saved_tensors
        inside = slope * support
        mean = inside.sum(dim=1, keepdim=True) / support.sum(dim=1, keepdim=True)
        return (inside - mean) * support


def sparsemax(z: torch.Tensor) -> torch.Tensor:
    """Return the projection of `z`, shape (n_networks, n_features, n_rows), onto the simplex."""
    return Sparsemax.apply(z)
