"""Many TabNets of one architecture computed at once: pytorch-tabnet's function, a stack at a time.

Weights, statistics and rows of the networks lie behind one another in the first dimension. Within a
network the rows come last, so that batch normalisation and gates work along memory. No operation
joins two networks: what one computes does not depend on those beside it. This module imports torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import ModuleType
from typing import NamedTuple

import torch

from models.learning import compiled_layers, torch_layers
from models.learning.products import ALL, Slopes, product
from models.learning.torch_layers import normed


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

    @property
    def products(self) -> frozenset[str]:
        """Names of the weights that rows are multiplied by."""
        layers = [*self.splitter, *self.attentions, *itertools.chain(*self.transformers)]
        return frozenset({self.final, *(layer.weight for layer in layers)})


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
    slopes: Slopes | None = None,
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
    slopes : Slopes, optional
        Where those of the loss by `products` are to stand once it goes backwards.

    Returns
    -------
    logits : Tensor of shape (n_networks, 2, n_rows)
        Of the two outcomes.
    sparsity : Tensor of shape (n_networks,)
        Mean negative entropy of the attention.
    """
    layers = layers_for(rows.device)

    def scale(name: str) -> tuple[torch.Tensor, ...]:
        """Return gain, shift, running mean and running variance of a batch normalisation."""
        parts = [weights[f"{name}.{part}"] for part in ("weight", "bias")]
        return *parts, *(statistics[f"{name}.running_{part}"] for part in ("mean", "var"))

    def gated(x: torch.Tensor, gates: tuple[Layer, ...], used: slice = ALL) -> torch.Tensor:
        for number, (name, norm) in enumerate(gates):
            of_layer = weights[name], name, slopes, scale(norm)
            channels = used if number + 1 == len(gates) else ALL
            x = layers.gated(x, *of_layer, momentum, training, number > 0, channels)
        return x

    momentum = wiring.momentum
    x = normed(rows, scale(wiring.norm), momentum, training)
    prior = torch.ones_like(x)
    sparsity = x.new_zeros(len(x))
    decision = None
    # Nothing is decided before the first step, and nothing follows the attention of the last.
    attention = gated(x, wiring.splitter, slice(wiring.n_d, None))
    steps = list(zip(wiring.attentions, wiring.transformers, strict=True))
    for number, (attentive, gates) in enumerate(steps, start=1):
        before = product(attention, weights[attentive.weight], attentive.weight, slopes)
        masked, prior, entropy = layers.attend(
            before, scale(attentive.norm), momentum, training, wiring, prior, x
        )
        sparsity = sparsity + entropy
        if number < len(steps):
            decided, attention = gated(masked, gates).tensor_split([wiring.n_d], dim=1)
        else:
            decided = gated(masked, gates, slice(wiring.n_d))
        decided = torch.relu(decided)
        decision = decided if decision is None else decision + decided
    return product(decision, weights[wiring.final], wiring.final, slopes), sparsity / len(steps)


def layers_for(device: torch.device) -> ModuleType:
    """Return who computes gates and attention: compiled kernels on a CPU, torch elsewhere."""
    return compiled_layers if device.type == "cpu" else torch_layers
