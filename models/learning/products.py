"""Products of a stack's weights with its rows, whose slopes add up where Adam reads them.

A layer that all steps share has a slope from each of them, and the weights of a wide stack do not
fit a cache: to make each slope, add it to the others and copy the sum to the others of its network
would take longer than the products. This module imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.autograd.function import FunctionCtx, once_differentiable

ALL = slice(None)
"""Every channel of a layer."""


class Slopes:
    """Slopes of a stack's loss by the weights of its products.

    Parameters
    ----------
    places : mapping of str to Tensor of shape (n_networks, n_out, n_in)
        Where the slopes by each weight are to stand; what stands there before counts for nothing.
    """

    def __init__(self, places: Mapping[str, torch.Tensor]) -> None:
        self.places = places
        self.begun: set[str] = set()

    def add(self, name: str, slope: torch.Tensor, x: torch.Tensor, used: slice = ALL) -> None:
        """Add what one product with weight `name` brings.

        Parameters
        ----------
        name : str
            Of the weight.
        slope : Tensor of shape (n_networks, n_out, n_rows)
            By the product.
        x : Tensor of shape (n_networks, n_in, n_rows)
            What the weight was multiplied by.
        used : slice
            Rows of the weight that bring something, of each half; `slope` has these alone.
        """
        place = self.places[name]
        halves = (place,) if used == ALL else place.chunk(2, dim=1)
        if len(halves) == 2 and name not in self.begun:
            place.zero_()
        for half, part in zip(halves, slope.chunk(len(halves), dim=1), strict=True):
            half[:, used].baddbmm_(part, x.mT, beta=float(name in self.begun))
        self.begun.add(name)


class Product(torch.autograd.Function):
    """Weights times rows of each network; slopes by the weights go where they are wanted."""

    @staticmethod
    def forward(
        context: FunctionCtx,
        x: torch.Tensor,
        weight: torch.Tensor,
        name: str,
        slopes: Slopes | None,
    ) -> torch.Tensor:
        """Return the product, shape (n_networks, n_out, n_rows)."""
        context.save_for_backward(x, weight)
        context.name, context.slopes = name, slopes
        return torch.bmm(weight, x)

    @staticmethod
    @once_differentiable
    def backward(context: FunctionCtx, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the slope by `x`."""
        x, weight = context.saved_tensors
        context.slopes.add(context.name, slope, x)
        return torch.bmm(weight.mT, slope), None, None, None


def product(
    x: torch.Tensor, weight: torch.Tensor, name: str, slopes: Slopes | None
) -> torch.Tensor:
    """Return weights times rows of each network.

    Parameters
    ----------
    x : Tensor of shape (n_networks, n_in, n_rows)
        Rows.
    weight : Tensor of shape (n_networks, n_out, n_in)
        Weights, which need no gradient of torch's.
    name : str
        By which `slopes` knows the weight.
    slopes : Slopes or None
        Where the slopes by the weight are to stand; None where nothing goes backwards.

    Returns
    -------
    Tensor of shape (n_networks, n_out, n_rows)
    """
    return Product.apply(x, weight, name, slopes)
