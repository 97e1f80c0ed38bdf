"""Train many TabNets of one architecture at once, each as if it were alone.

Each network keeps its own rows, order of batches, learning rate, decay, early stopping and best
epoch; it leaves the stack when it has stopped or diverged. Its result does not depend on the stack,
bit for bit. This module imports torch.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from models.learning.products import Slopes
from models.learning.stacked_network import Wiring, compute, layers_for, wiring_of
from models.learning.torch_layers import BETAS

ROWS_AT_ONCE = 16
"""As many as fill the widest registers: products of a few rows more take a fifth longer."""


@dataclass(eq=False)
class Pupil:
    """One network to train, and how its training ended.

    Attributes
    ----------
    network : pytorch_tabnet.tab_network.TabNet
        As the library has initialised it; it holds the best epoch's weights in the end.
    random : torch.Generator
        Draws the order of its rows.
    X, X_watch : Tensor of shape (n_rows, n_features), (n_watch, n_features)
        Rows to learn from, and those that early stopping watches.
    y : Tensor of int of shape (n_rows,)
        Outcome, 0 or 1.
    y_watch : ndarray of shape (n_watch,)
        Outcome.
    learning_rate, weight_decay, lambda_sparse : float
        Of its loss and its steps.
    best_epoch : int
        Epoch with the best AUROC of the watched rows, from 0.
    epochs : int
        Epochs that were trained.
    stopped_early, diverged : bool
        How it ended; at the largest number of epochs if neither.
    finite : bool
        Whether the best epoch predicts every row that it learned from.
    """

    network: torch.nn.Module
    random: torch.Generator
    X: torch.Tensor
    y: torch.Tensor
    X_watch: torch.Tensor
    y_watch: np.ndarray
    learning_rate: float
    weight_decay: float
    lambda_sparse: float
    best_epoch: int = 0
    epochs: int = 0
    stopped_early: bool = False
    diverged: bool = False
    finite: bool = True
    best: float = field(default=-np.inf, repr=False)
    waited: int = field(default=0, repr=False)


class Weight(NamedTuple):
    """Where a weight lies among all weights of its network."""

    start: int
    stop: int
    shape: tuple[int, ...]


class Stack:
    """Networks of one architecture, their weights, statistics and rows behind one another.

    Parameters
    ----------
    pupils : sequence of Pupil
        Of equal architecture and number of features.
    batch_size : int
        Rows of a batch, at most the rows of each.
    """

    def __init__(self, pupils: Sequence[Pupil], batch_size: int) -> None:
        self.size = batch_size
        # Those with more batches and more watched rows come first: whoever takes part in a batch,
        # and whoever has as many watched rows, stand in one piece.
        self.pupils = sorted(pupils, key=lambda p: (-self._batches(p), -len(p.X_watch)))
        first = self.pupils[0].network
        self.wiring = wiring_of(first)
        self.places = _places(first, self.wiring)
        self.small = max(self.places[name].stop for name in self.wiring.products)
        # Their tensors are the networks' own memory.
        states = self.states = [pupil.network.state_dict() for pupil in self.pupils]
        self.weights = torch.stack(
            [torch.cat([state[name].flatten() for name in self.places]) for state in states]
        )
        self.statistics = {
            name: torch.stack([state[name] for state in states])
            for name in states[0]
            if name.endswith(("running_mean", "running_var")) and _used(name, self.wiring)
        }
        self.moments = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.steps = torch.zeros(len(states), dtype=torch.float64)
        self.best = self.weights.clone(), {n: s.clone() for n, s in self.statistics.items()}
        self.rows = [pupil.X.T.contiguous() for pupil in self.pupils]
        self._settings()

    def _batches(self, pupil: Pupil) -> int:
        return len(pupil.y) // self.size

    def _settings(self) -> None:
        """Lay the settings of the networks behind one another, and make room for their slopes."""
        of = self.weights
        self.slopes = torch.empty_like(of)
        self._leaves: dict[int, dict[str, torch.Tensor]] = {}

        def column(values: Sequence[float]) -> torch.Tensor:
            return torch.tensor(values, dtype=of.dtype, device=of.device)

        self.rates = torch.tensor([pupil.learning_rate for pupil in self.pupils]).double()
        self.decay = column([pupil.weight_decay for pupil in self.pupils])
        self.sparse = column([pupil.lambda_sparse for pupil in self.pupils])

    def leaves(self, n: int) -> dict[str, torch.Tensor]:
        """Return the weights of the first `n` networks by name; they share memory.

        Those that multiply no rows are leaves; the slopes of the others see `Slopes`.
        """
        if n not in self._leaves:
            named = self._named(self.weights[:n])
            self._leaves[n] = {
                name: each.detach().requires_grad_(name not in self.wiring.products)
                for name, each in named.items()
            }
        return self._leaves[n]

    def _named(self, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return all weights of networks, shape (..., n_weights), by name; memory is shared."""
        return {
            name: weights[..., place.start : place.stop].view(*weights.shape[:-1], *place.shape)
            for name, place in self.places.items()
        }

    def losses(self, rows: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return loss and gradient of the first networks on a batch of each.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features, batch_size)
            Of the first n networks.
        y : Tensor of int of shape (n, batch_size)
            Their outcome.

        Returns
        -------
        losses : Tensor of shape (n,)
            Cross-entropy less the weighted sparsity of the attention.
        slopes : Tensor of shape (n, n_weights)
            Gradient of each network's loss by its own weights, until the next call.
        """
        n = len(rows)
        leaves = self.leaves(n)
        statistics = {name: values[:n] for name, values in self.statistics.items()}
        slopes = self.slopes[:n]
        logits, sparsity = compute(
            self.wiring, leaves, statistics, rows,
            training=True, slopes=Slopes(self._named(slopes)),
        )  # fmt: skip
        entropy = functional.cross_entropy(logits, y, reduction="none").mean(dim=-1)
        losses = entropy - self.sparse[:n] * sparsity
        small = [leaf for leaf in leaves.values() if leaf.requires_grad]
        found = torch.autograd.grad(losses.sum(), small)
        torch.cat([slope.flatten(1) for slope in found], dim=1, out=slopes[:, self.small :])
        return losses.detach(), slopes

    def step(self, slopes: torch.Tensor) -> torch.Tensor:
        """Move the first networks by Adam; return the norms of their gradients, shape (n,)."""
        n = len(slopes)
        weights = self.weights[:n]
        self.steps[:n] += 1
        corrected = [1 - beta ** self.steps[:n] for beta in BETAS]
        rates = (self.rates[:n] / corrected[0]).to(weights)
        roots = corrected[1].sqrt().to(weights)
        moments = (moment[:n] for moment in self.moments)
        move = layers_for(weights.device).move
        return move(weights, slopes, *moments, rates, roots, self.decay[:n])

    def epoch(self) -> np.ndarray:
        """Train one epoch; return which networks are still finite, shape (n_networks,)."""
        device = self.weights.device
        batches = [self._batches(pupil) for pupil in self.pupils]
        longest = max(len(pupil.y) for pupil in self.pupils)
        x = self.weights.new_zeros(len(self.pupils), self.rows[0].shape[0], longest)
        y = torch.zeros(len(self.pupils), longest, dtype=torch.int64, device=device)
        for number, (pupil, rows) in enumerate(zip(self.pupils, self.rows, strict=True)):
            # Drawn on the CPU, so that every device sees the same batches.
            order = torch.randperm(len(pupil.y), generator=pupil.random).to(device)
            x[number, :, : len(order)] = rows[:, order]
            y[number, : len(order)] = pupil.y[order]
        finite = torch.ones(len(self.pupils), dtype=torch.bool, device=device)
        for batch in range(batches[0]):
            n = sum(count > batch for count in batches)
            part = slice(batch * self.size, (batch + 1) * self.size)
            losses, slopes = self.losses(x[:n, :, part], y[:n, part])
            finite[:n] &= torch.isfinite(losses + self.step(slopes))
        return finite.cpu().numpy()

    def watched(self) -> list[float]:
        """Return the AUROC of each network's watched rows; 0 where a probability is not finite."""
        found, start = [], 0
        for _, group in itertools.groupby(self.pupils, key=lambda pupil: len(pupil.X_watch)):
            same = list(group)
            part = slice(start, start + len(same))
            rows = torch.stack([pupil.X_watch.T for pupil in same])
            rows = functional.pad(rows, (0, -rows.shape[-1] % ROWS_AT_ONCE))
            weights = self._named(self.weights[part])
            statistics = {name: values[part] for name, values in self.statistics.items()}
            with torch.inference_mode():
                logits, _ = compute(self.wiring, weights, statistics, rows, training=False)
                scores = torch.softmax(logits, dim=1)[:, 1, : len(same[0].X_watch)].cpu().numpy()
            found += [auroc(p.y_watch, each) for p, each in zip(same, scores, strict=True)]
            start = part.stop
        return found

    def remember(self, better: np.ndarray) -> None:
        """Keep weights and statistics of the networks that are better than ever."""
        rows = torch.from_numpy(np.flatnonzero(better)).to(self.weights.device)
        self.best[0][rows] = self.weights[rows]
        for name, values in self.statistics.items():
            self.best[1][name][rows] = values[rows]

    def dismiss(self, ended: np.ndarray) -> None:
        """Write the best epoch into the networks that have ended, and go on without them."""
        leave = np.flatnonzero(ended)
        self._look_at_risks(leave)
        for number in leave:
            self._write(number)
        stay = np.flatnonzero(~ended)
        rows = torch.from_numpy(stay).to(self.weights.device)
        self.pupils = [self.pupils[number] for number in stay]
        self.states = [self.states[number] for number in stay]
        self.rows = [self.rows[number] for number in stay]
        self.weights = self.weights[rows]
        self.moments = tuple(moment[rows] for moment in self.moments)
        self.statistics = {name: values[rows] for name, values in self.statistics.items()}
        self.best = self.best[0][rows], {n: values[rows] for n, values in self.best[1].items()}
        self.steps = self.steps[torch.from_numpy(stay)]
        if len(stay):
            self._settings()

    def _look_at_risks(self, numbers: np.ndarray) -> None:
        """Say of networks whether their best epoch predicts all rows that they learned from."""
        some = torch.from_numpy(numbers).to(self.weights.device)
        lengths = [self.rows[number].shape[1] for number in numbers]
        longest = max(lengths) + -max(lengths) % ROWS_AT_ONCE
        rows = [functional.pad(self.rows[n], (0, longest - self.rows[n].shape[1])) for n in numbers]
        statistics = {name: values[some] for name, values in self.best[1].items()}
        with torch.inference_mode():
            weights = self._named(self.best[0][some])
            found, _ = compute(self.wiring, weights, statistics, torch.stack(rows), training=False)
            probabilities = torch.softmax(found, dim=1)
            for number, length, own in zip(numbers, lengths, probabilities, strict=True):
                self.pupils[number].finite = bool(torch.isfinite(own[:, :length]).all())

    def _write(self, number: int) -> None:
        weights, statistics = self.best
        state = self._named(weights[number])
        state |= {name: values[number] for name, values in statistics.items()}
        # What the library counts and never uses keeps its value.
        for name, value in state.items():
            self.states[number][name].copy_(value)


def train_together(
    pupils: Sequence[Pupil], batch_size: int, max_epochs: int, patience: int
) -> None:
    """Train networks of one architecture until each has stopped early, diverged or is done.

    Parameters
    ----------
    pupils : sequence of Pupil
        Of equal architecture and number of features; their results are written into them.
    batch_size : int
        Rows of a batch, at most the rows of each.
    max_epochs : int
        Epochs at most.
    patience : int
        Epochs without better AUROC of the watched rows before the stop, as the library counts.
    """
    stack = Stack(pupils, batch_size)
    for epoch in range(max_epochs):
        finite = stack.epoch()
        better = np.zeros(len(stack.pupils), bool)
        ended = np.zeros(len(stack.pupils), bool)
        for number, (pupil, found) in enumerate(zip(stack.pupils, stack.watched(), strict=True)):
            pupil.epochs = epoch + 1
            pupil.diverged = not finite[number]
            better[number] = finite[number] and found > pupil.best
            if better[number]:
                pupil.best, pupil.best_epoch, pupil.waited = found, epoch, 1
            else:
                pupil.stopped_early = finite[number] and pupil.waited >= patience
                pupil.waited += 1
            ended[number] = pupil.diverged or pupil.stopped_early or epoch + 1 == max_epochs
        stack.remember(better)
        if ended.any():
            stack.dismiss(ended)
        if not stack.pupils:
            return


def auroc(y: np.ndarray, scores: np.ndarray) -> float:
    """Return the AUROC by counting pairs, exactly; 0 where a score is not finite.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Outcome, both classes.
    scores : ndarray of shape (n_rows,)
        Of the event.
    """
    if not np.isfinite(scores).all():
        return 0.0
    events, others = scores[y == 1], np.sort(scores[y == 0])
    won = np.searchsorted(others, events, "left").sum()
    won_or_tied = np.searchsorted(others, events, "right").sum()
    return float((won + won_or_tied) / (2 * len(events) * len(others)))


def _places(network: torch.nn.Module, wiring: Wiring) -> dict[str, Weight]:
    """Return where each weight that the loss depends on lies: first those that multiply rows."""
    places, start = {}, 0
    used = [(name, weight) for name, weight in network.named_parameters() if _used(name, wiring)]
    for name, weight in sorted(used, key=lambda each: each[0] not in wiring.products):
        places[name] = Weight(start, start + weight.numel(), tuple(weight.shape))
        start += weight.numel()
    return places


def _used(name: str, wiring: Wiring) -> bool:
    """Return whether the network uses it; the library makes a normalisation that it never uses."""
    outer = wiring.norm.replace(".encoder.", ".")
    return name.rpartition(".")[0] != outer
