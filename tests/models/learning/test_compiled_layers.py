"""The compiled layers compute what torch's own operations do, forwards and backwards."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from models.learning import compiled_layers, torch_layers
from models.learning.kernels import FOLDER, kernels
from models.learning.products import Slopes, product
from pipeline.core.errors import MachineError
from pipeline.core.installed.native_sources import sources_hash
from tests.support.refusals import refusal

HOW = SimpleNamespace(gamma=1.3, epsilon=1e-15)

#: Rows of a batch: fewer than a part of a sum, no multiple of one, and the usual number.
SIZES = (2, 7, 16, 33, 128)


def drawn(seed, *shape, scale=1.0):
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(scale=scale, size=shape)).requires_grad_()


def scale_of(seed, n, channels):
    """Return gain, shift and running statistics of a normalisation."""
    random = np.random.default_rng(seed)
    running = random.normal(size=(n, channels)), random.uniform(0.5, 2, size=(n, channels))
    return drawn(seed, n, channels), drawn(seed + 1, n, channels), *map(torch.from_numpy, running)


def compare(function, leaves, scale, *, training):
    """Run a layer by both ways on copies; compare outputs, slopes and running statistics."""
    found = []
    for layers in (torch_layers, compiled_layers):
        mine = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        gain, shift = (part.detach().clone().requires_grad_() for part in scale[:2])
        running = [part.clone() for part in scale[2:]]
        outputs = function(layers, mine, (gain, shift, *running), training)
        wave = [torch.cos(torch.arange(out.numel()).view_as(out)) for out in outputs]
        loss = sum((out * each).sum() for out, each in zip(outputs, wave, strict=True))
        slopes = torch.autograd.grad(loss, [*mine, gain, shift])
        found.append([*(out.detach() for out in outputs), *slopes, *running])
    for mine, expected in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize(
    "used", [slice(None), slice(2), slice(2, None), slice(1, 4), slice(1), slice(4, None)], ids=str
)
def test_a_gated_layer(size, training, adds, used):
    leaves, weight = [drawn(1, 3, 5, size, scale=4)], drawn(2, 3, 10, 5).detach()
    to_weight = []

    def run(layers, given, scale, training):
        to_weight.append(torch.full_like(weight, torch.nan))
        slopes = Slopes({"layer": to_weight[-1]})
        out = layers.gated(*given, weight, "layer", slopes, scale, 0.3, training, adds)
        # As in a network, where layers share weights.
        return [layers.gated(out, weight, "layer", slopes, scale, 0.3, training, adds, used)]

    compare(run, leaves, scale_of(3, 3, 10), training=training)
    torch.testing.assert_close(*to_weight, rtol=1e-11, atol=1e-12)


def test_slopes_by_a_weight_are_torchs():
    x, weight = drawn(1, 3, 5, 8), drawn(2, 3, 4, 5)
    expected = torch.autograd.grad(sum((weight @ x**n).cos().sum() for n in (1, 2)), weight)[0]
    found = torch.full_like(weight, torch.nan)
    slopes = Slopes({"both": found})
    loss = sum(product(x**n, weight.detach(), "both", slopes).cos().sum() for n in (1, 2))
    torch.autograd.grad(loss, x)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 2, 9])
def test_an_attention(size, training, channels):
    leaves = [drawn(seed, 2, channels, size, scale=2) for seed in (4, 5, 6)]

    def run(layers, given, scale, training):
        x, prior, rows = given
        return layers.attend(x, scale, 0.3, training, HOW, prior.abs() + 0.1, rows)

    compare(run, leaves, scale_of(7, 2, channels), training=training)


def test_weights_of_an_attention_sum_to_one_and_ties_are_shared():
    x = torch.zeros(1, 4, 5, dtype=torch.float64)
    one = torch.ones(1, 4, dtype=torch.float64)
    scale = (one, 0 * one, 0 * one, one.clone())
    rows, prior = torch.ones_like(x), torch.ones_like(x)
    masked, relaxed, entropy = compiled_layers.attend(x, scale, 0.3, False, HOW, prior, rows)
    assert (masked == 0.25).all()
    assert (relaxed == HOW.gamma - 0.25).all()
    assert entropy.item() == pytest.approx(np.log(0.25), rel=1e-12)


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_gates_that_are_wide_open_or_shut_neither_overflow_nor_vanish(kind):
    opening = torch.tensor([-1e30, -1e4, -87.5, 0, 87.5, 1e4, 1e30], dtype=kind)
    x = torch.stack([torch.ones(7, dtype=kind), opening])[None]
    one = torch.ones(1, 2, dtype=kind)
    # A variance such that nothing but rounding is left of the normalisation.
    scale = (one, 0 * one, 0 * one, one - compiled_layers.EPSILON)
    same = torch.eye(2, dtype=kind)[None]
    found, expected = (
        layers.gated(x, same, "", None, scale, 0.3, False, False)[0, 0]
        for layers in (compiled_layers, torch_layers)
    )
    torch.testing.assert_close(found, expected, rtol=4 * torch.finfo(kind).eps, atol=1e-37)


def test_what_is_not_a_number_stays_so():
    for place in range(3):
        x = drawn(1, 1, 4, 20).detach()
        x[0, place, 3] = torch.nan
        scale = [part.detach() for part in scale_of(2, 1, 4)]
        same = torch.eye(4, dtype=x.dtype)[None]
        assert compiled_layers.gated(x, same, "", None, scale, 0.3, True, False).isnan().any()
        ones = torch.ones_like(x)
        masked, *_ = compiled_layers.attend(x, scale, 0.3, True, HOW, ones, ones)
        assert masked.isnan().any()


def test_a_step_of_adam():
    moved = []
    for layers in (torch_layers, compiled_layers):
        weights, slopes, first, second = (
            drawn(seed, 3, 37).detach() * factor
            for seed, factor in ((1, 1), (2, torch.tensor([[0.01], [1], [30]])), (3, 0.1), (4, 0))
        )
        second = second.abs()
        for step in range(1, 4):
            rates = torch.tensor([0.01, 0.02, 0.03]).double() / (1 - 0.9**step)
            roots = torch.full((3,), (1 - 0.999**step) ** 0.5, dtype=torch.float64)
            decay = torch.tensor([0.0, 0.1, 0.01]).double()
            norms = layers.move(weights, slopes, first, second, rates, roots, decay)
        moved.append((weights, first, second, norms))
    for mine, expected in zip(moved[1], moved[0], strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-14)


def test_without_the_compiled_kernels_there_is_one_clear_error(monkeypatch):
    import models.learning

    kernels.cache_clear()
    monkeypatch.delattr(models.learning, "_kernels", raising=False)
    monkeypatch.setitem(sys.modules, "models.learning._kernels", None)
    with refusal(
        "kernels-missing",
        MachineError,
        match="stacked engine.*make install.*engine: pytorch-tabnet",
    ):
        kernels()
    monkeypatch.undo()
    kernels.cache_clear()
    assert sources_hash(FOLDER) == kernels().SOURCES_HASH


def test_arrays_of_another_size_or_kind_are_refused():
    x, out = np.zeros((2, 4, 8)), np.zeros((2, 2, 8))
    per_channel = [np.zeros((2, 4)) for _ in range(6)]
    gain, shift, mean, variance, centre, inverse = per_channel

    def gate(x=x, gain=gain, out=out):
        kernels().gate_forward(
            x, gain, shift, mean, variance, True, 1e-5, 0.1, None, 1.0, out, centre, inverse
        )

    gate()
    with pytest.raises(ValueError, match="out must hold 32 numbers"):
        gate(out=np.zeros((2, 2, 9)))
    with pytest.raises(ValueError, match="type of the first array"):
        gate(gain=gain.astype(np.float32))
    with pytest.raises(TypeError, match="float32 or float64"):
        gate(x=x.astype(int))
    with pytest.raises(ValueError, match="as many channels"):
        gate(x=np.zeros((2, 3, 8)))
    with pytest.raises(ValueError, match="read-only"):
        gate(out=np.broadcast_to(out, out.shape))
