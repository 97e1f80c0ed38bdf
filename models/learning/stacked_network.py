"""Many TabNets of one architecture computed at once: pytorch-tabnet's function, a stack at a time.

Weights, statistics and rows of the networks lie behind one another in the first dimension. Within a
network the rows come last, so that batch normalisation and gates work along memory. No operation
joins two networks: what one computes does not depend on those beside it. This module imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch.nn import functional

HALF = torch.tensor(0.5).sqrt().item()
"""Scale of the sum of a layer and what it adds: rounded to float32, as in the library."""


class Layer(NamedTuple):
    """Names of a linear layer's weight and of the batch normalisation behind it."""

    weight: str
    norm: str


class Wiring(NamedTuple):
    """How pytorch-tabnet joins the layers of an architecture, by their names in its state.

    Attributes
    ----------
    norm : str
        Batch normalisation of the input.
    splitter : tuple of Layer
        Gated layers before the first step.
    attentions : tuple of Layer
        Of each step.
    transformers : tuple of tuple of Layer
        Gated layers of each step.
    final : str
        Weight of the last layer.
    n_d : int
        Width of the decision layers.
    gamma, epsilon : float
        Relaxation of the prior, and what keeps a logarithm finite.
    momentum : float
        Of the running statistics.
    """

    norm: str
    splitter: tuple[Layer, ...]
    attentions: tuple[Layer, ...]
    transformers: tuple[tuple[Layer, ...], ...]
    final: str
    n_d: int
    gamma: float
    epsilon: float
    momentum: float


def wiring_of(network: torch.nn.Module) -> Wiring:
    """Return how the layers of a pytorch-tabnet network without embeddings are joined.

    Parameters
    ----------
    network : pytorch_tabnet.tab_network.TabNet
        Its ghost batch normalisation replaced by plain one.
    """
    encoder = network.tabnet.encoder
    weights = {id(weight): name for name, weight in network.named_parameters()}
    places = {id(module): name for name, module in network.named_modules()}

    def layer(module: torch.nn.Module) -> Layer:
        return Layer(weights[id(module.fc.weight)], places[id(module.bn)])

    def gated(transformer: torch.nn.Module) -> tuple[Layer, ...]:
        blocks = (transformer.shared, transformer.specifics)
        return tuple(layer(each) for block in blocks for each in getattr(block, "glu_layers", ()))

    return Wiring(
        places[id(encoder.initial_bn)],
        gated(encoder.initial_splitter),
        tuple(layer(each) for each in encoder.att_transformers),
        tuple(gated(each) for each in encoder.feat_transformers),
        weights[id(network.tabnet.final_mapping.weight)],
        encoder.n_d,
        encoder.gamma,
        encoder.epsilon,
        encoder.initial_bn.momentum,
    )


def compute(
    wiring: Wiring,
    weights: Mapping[str, torch.Tensor],
    statistics: Mapping[str, torch.Tensor],
    rows: torch.Tensor,
    *,
    training: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute a stack of networks.

    Parameters
    ----------
    wiring : Wiring
        Of their architecture.
    weights : mapping of str to Tensor of shape (n_networks, ...)
        By name.
    statistics : mapping of str to Tensor of shape (n_networks, n_channels)
        Running means and variances by name; they move if `training`.
    rows : Tensor of shape (n_networks, n_features, n_rows)
        Each network's own rows.
    training : bool
        Whether batches are normalised by their own mean and variance.

    Returns
    -------
    logits : Tensor of shape (n_networks, 2, n_rows)
        Of the two outcomes.
    sparsity : Tensor of shape (n_networks,)
        Mean negative entropy of the attention.
    """

    def normed(x: torch.Tensor, name: str) -> torch.Tensor:
        n, channels, size = x.shape
        return functional.batch_norm(
            x.reshape(1, n * channels, size),
            statistics[f"{name}.running_mean"].view(-1),
            statistics[f"{name}.running_var"].view(-1),
            weights[f"{name}.weight"].reshape(-1),
            weights[f"{name}.bias"].reshape(-1),
            training,
            wiring.momentum,
        ).view(n, channels, size)

    def linear(x: torch.Tensor, layer: Layer) -> torch.Tensor:
        return normed(torch.bmm(weights[layer.weight], x), layer.norm)

    def gated(x: torch.Tensor, layers: tuple[Layer, ...]) -> torch.Tensor:
        out = functional.glu(linear(x, layers[0]), dim=1)
        for layer in layers[1:]:
            out = (out + functional.glu(linear(out, layer), dim=1)) * HALF
        return out

    x = normed(rows, wiring.norm)
    prior = torch.ones_like(x)
    sparsity = x.new_zeros(len(x))
    decision = None
    attention = gated(x, wiring.splitter)[:, wiring.n_d :]
    for attentive, layers in zip(wiring.attentions, wiring.transformers, strict=True):
        mask = sparsemax(linear(attention, attentive) * prior)
        sparsity = sparsity + (mask * torch.log(mask + wiring.epsilon)).sum(dim=1).mean(dim=-1)
        prior = (wiring.gamma - mask) * prior
        out = gated(mask * x, layers)
        decided = torch.relu(out[:, : wiring.n_d])
        decision = decided if decision is None else decision + decided
        attention = out[:, wiring.n_d :]
    return torch.bmm(weights[wiring.final], decision), sparsity / len(wiring.attentions)


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
