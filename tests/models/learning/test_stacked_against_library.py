"""Networks trained together: the library's function, and each as if it were alone."""

import numpy as np
import pytest
import torch

from models.learning.family import Lesson
from models.learning.stacked_training import Pupil, Stack, auroc
from models.learning.tabnet import TabNet, fit_together
from models.learning.tabnet_by_library import LeanClassifier
from pipeline.core.errors import DivergedError

SIZE = 32


def rows(n, seed, n_features=7):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features)).astype(np.float32)
    return X, (X[:, 0] - X[:, 1] + rng.normal(size=n) > 0.3).astype(int)


def lesson(number, **options):
    """Return a network on its own rows: four or five batches, another number of watched rows."""
    given = {"n_steps": 2, "batch_size": SIZE, "max_epochs": 6, "patience": 2}
    given |= {"learning_rate": 0.01 * (1 + number % 3), "weight_decay": 0.01 * (1 + number)}
    network = TabNet(device="cpu", seed=number, **given | options)
    return Lesson(
        network, *rows(130 + 40 * (number % 2), number), *rows(60 + number % 3, 50 + number)
    )


def trained(numbers, **options):
    lessons = [lesson(number, **options) for number in numbers]
    errors = fit_together(lessons)
    return dict(zip(numbers, zip(lessons, errors, strict=True), strict=True))


def facts(fitted):
    network = fitted[0].estimator
    state = network.network_.network.state_dict()
    ending = network.best_epoch_, network.epochs_, network.stopped_early_
    return ending, [values.numpy().tobytes() for values in state.values()]


@pytest.mark.parametrize("n_d", [1, 4, 16])
def test_a_network_does_not_depend_on_its_stack(n_d):
    whole = trained(range(8), n_d=n_d)
    assert len({facts(each)[0] for each in whole.values()}) > 1
    for few in ([5], [0], [6, 3, 1]):
        for number, each in trained(few, n_d=n_d).items():
            assert facts(each) == facts(whole[number])


def test_a_neighbour_that_diverges_is_reported_and_changes_nothing():
    numbers = [0, 1, 2]
    alone = trained(numbers)
    lessons = [lesson(0), lesson(1), lesson(3, learning_rate=1e30), lesson(2)]
    errors = fit_together(lessons)
    assert [type(error) for error in errors] == [type(None)] * 2 + [DivergedError, type(None)]
    for number, place in zip(numbers, (0, 1, 3), strict=True):
        assert facts((lessons[place], None)) == facts(alone[number])


@pytest.mark.parametrize(("n_independent", "n_shared"), [(2, 2), (1, 3)])
def test_first_steps_are_the_librarys_in_float64(n_independent, n_shared):
    shape = {"n_d": 8, "n_a": 8, "n_steps": 2, "n_independent": n_independent}
    made = []
    for number in range(3):
        X, y = rows(4 * SIZE, number)
        network = LeanClassifier(
            **shape,
            n_shared=n_shared,
            momentum=0.3,
            lambda_sparse=1e-3,
            optimizer_params={"lr": 0.01 * (1 + number), "weight_decay": 0.05},
            seed=number,
            verbose=0,
            device_name="cpu",
        )
        network.begin(X, y, SIZE)
        network.network.double()
        network.loss_fn = network._default_loss
        encoder = network.network.tabnet.encoder
        encoder.group_attention_matrix = encoder.group_attention_matrix.double()
        made.append((network, torch.from_numpy(X).double(), torch.from_numpy(y)))
    pupils = [
        Pupil(each.network, torch.Generator(), X, y, X, y.numpy(), 0.01 * (1 + n), 0.05, 1e-3)
        for n, (each, X, y) in enumerate(made)
    ]
    stack = Stack(pupils, SIZE)
    for each, _, _ in made:
        each._set_optimizer()
        each.network.train()
    for step in range(3):
        part = slice(step * SIZE, (step + 1) * SIZE)
        stacked = torch.stack([X[part].T for _, X, _ in made])
        losses, slopes = stack.losses(stacked, torch.stack([y[part] for _, _, y in made]))
        for number, (each, X, y) in enumerate(made):
            each._optimizer.zero_grad(set_to_none=True)
            output, sparsity = each.network(X[part])
            loss = each.compute_loss(output, y[part]) - each.lambda_sparse * sparsity
            loss.backward()
            weights = dict(each.network.named_parameters())
            expected = torch.cat([weights[name].grad.flatten() for name in stack.places])
            torch.testing.assert_close(losses[number], loss.detach(), rtol=0, atol=1e-12)
            torch.testing.assert_close(slopes[number], expected, rtol=0, atol=1e-12)
            state = each.network.state_dict()
            for name, values in stack.statistics.items():
                torch.testing.assert_close(values[number], state[name], rtol=1e-12, atol=1e-12)
            torch.nn.utils.clip_grad_norm_(each.network.parameters(), 1.0)
            each._optimizer.step()
        stack.step(slopes)
        # Both go on from the same weights: what is compared is a step, not how errors grow.
        for number, (each, _, _) in enumerate(made):
            weights = dict(each.network.named_parameters())
            expected = torch.cat([weights[n].detach().flatten() for n in stack.places])
            torch.testing.assert_close(stack.weights[number], expected, rtol=0, atol=1e-9)
            stack.weights[number] = expected


def test_both_engines_learn_equally_well():
    X, y = rows(500, 99)
    scores = {}
    for engine in ("stacked", "pytorch-tabnet"):
        found = trained(range(6), engine=engine, max_epochs=15, patience=5)
        scores[engine] = [
            auroc(y, each.estimator.predict_proba(X)[:, 1]) for each, _ in found.values()
        ]
    assert min(np.mean(each) for each in scores.values()) > 0.7
    assert abs(np.mean(scores["stacked"]) - np.mean(scores["pytorch-tabnet"])) < 0.06


def test_auroc_by_pairs_is_exact_with_ties():
    y, scores = np.array([1, 0, 1, 0, 0]), np.array([0.5, 0.5, 0.9, 0.1, 0.9])
    assert auroc(y, scores) == (0.5 + 1 + 0 + 1 + 1 + 0.5) / 6
    assert auroc(y, np.array([0.5, np.nan, 0.9, 0.1, 0.9])) == 0
