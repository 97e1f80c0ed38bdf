"""TabNet (pytorch-tabnet) as a scikit-learn classifier, with the library's traps closed."""

from __future__ import annotations

import contextlib
import gc
import io
import warnings
from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from models.learning.family import Lesson
from pipeline.core.errors import DivergedError, FitError, StudyError

MINIMAL_ROWS = 4
"""Rows below which no batch normalisation is meaningful."""

STACKED_WIDTH = 600
"""Sum of the widths `n_d` of networks that are trained together: their working set fits a cache."""

NOT_FINITE = "probabilities that are not finite"


class TabNet(ClassifierMixin, BaseEstimator):
    """Attentive network for tables [1]_, stopped early on rows that it does not learn from.

    Traps of pytorch-tabnet that this class closes: a batch larger than the rows yields no batch,
    and an untrained network is returned without a word (the batch is cut to the rows); ghost
    batches of one row break batch normalisation (the ghost batch is the batch); results change
    with the number of threads (it is set); a diverged network raises in a metric (it is an error
    that the search can count); the global random state is left as it was.

    Parameters
    ----------
    n_d : int
        Width of the decision and of the attention layers (n_a = n_d).
    n_steps : int
        Decision steps.
    n_independent, n_shared : int
        Gated linear units of each step, its own and those shared by all steps.
    lambda_sparse : float
        Weight of the sparsity of the attention masks in the loss.
    learning_rate : float
        Of Adam.
    batch_size : int
        Rows per batch; at most all rows are taken. An incomplete last batch is left out, another
        one each epoch.
    weight_decay : float
        Of Adam. With a few dozen events this is what keeps the network from learning its rows by
        heart (docs/statistics.md).
    momentum : float
        Of batch normalisation's running statistics, as torch counts it. The library's 0.02 follows
        over hundreds of steps an epoch; a few hundred patients give a handful, so that early
        stopping would judge a network with statistics of its first moments.
    max_epochs : int
        Epochs at most.
    patience : int
        Epochs without better validation AUROC before the stop; the best epoch's weights are kept.
    device : {'auto', 'cpu', 'cuda'}
        Where to train; auto takes the GPU where there is one.
    threads : int
        Threads of torch on the CPU.
    seed : int
        Seed of weights and batches.
    attention : bool
        Whether `feature_importances_` are computed; a search needs none.
    engine : {'stacked', 'pytorch-tabnet'}
        Who trains the library's network: `models.learning.stacked_training`, many at once, or the
        library's own loop, one by one. The function is the same; its sums are rounded in another
        order, which training amplifies.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The outcomes.
    feature_importances_ : ndarray of shape (n_features,)
        Attention summed over training rows and steps, as a share.
    best_epoch_ : int
        Epoch whose weights are kept, from 0.
    epochs_ : int
        Epochs that were trained.
    stopped_early_ : bool
        Whether patience ended the training, not `max_epochs`.
    batch_size_ : int
        Batch size after the cut to the rows.
    network_ : models.learning.tabnet_by_library.LeanClassifier
        The trained network.

    References
    ----------
    .. [1] Arik SO, Pfister T. TabNet: attentive interpretable tabular learning.
       AAAI 2021;35:6679-6687.
    """

    def __init__(
        self,
        n_d: int = 8,
        n_steps: int = 3,
        n_independent: int = 2,
        n_shared: int = 2,
        lambda_sparse: float = 1e-3,
        learning_rate: float = 0.02,
        batch_size: int = 32,
        weight_decay: float = 0.1,
        momentum: float = 0.3,
        max_epochs: int = 100,
        patience: int = 10,
        device: str = "auto",
        threads: int = 1,
        seed: int = 0,
        attention: bool = True,
        engine: str = "stacked",
    ) -> None:
        self.n_d = n_d
        self.n_steps = n_steps
        self.n_independent = n_independent
        self.n_shared = n_shared
        self.lambda_sparse = lambda_sparse
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.max_epochs = max_epochs
        self.patience = patience
        self.device = device
        self.threads = threads
        self.seed = seed
        self.attention = attention
        self.engine = engine

    def fit(self, X: np.ndarray, y: np.ndarray, X_valid: np.ndarray, y_valid: np.ndarray) -> TabNet:
        """Train on `X` and `y`, stop by the AUROC on `X_valid` and `y_valid`.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
            Training rows, without missing values.
        y : ndarray of shape (n_rows,)
            Outcome.
        X_valid : ndarray of shape (n_valid, n_features)
            Real rows (never oversampled ones) that early stopping watches.
        y_valid : ndarray of shape (n_valid,)
            Their outcome; both classes.

        Raises
        ------
        StudyError
            If a GPU is asked for and there is none.
        FitError
            If there are too few rows.
        DivergedError
            If training diverges.
        """
        [error] = fit_together([Lesson(self, X, y, X_valid, y_valid)])
        if error is not None:
            raise error
        return self

    def _prepare(
        self, X: np.ndarray, y: np.ndarray, X_valid: np.ndarray, y_valid: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Check the rows, set what they decide and make the network; return the rows."""
        from models.learning.tabnet_by_library import LeanClassifier

        X, y = validate_data(self, X, y, dtype=np.float32)
        X_valid = validate_data(self, X_valid, dtype=np.float32, reset=False)
        self.classes_ = np.unique(y)
        if len(y) < MINIMAL_ROWS or len(self.classes_) != 2 or len(np.unique(y_valid)) != 2:
            raise FitError(
                "TabNet needs both outcomes among its training and its validation rows",
                found=f"{len(y)} training rows, {len(y_valid)} validation rows",
                remedy="use more patients, fewer folds or a larger tabnet.validation_fraction",
                code="tabnet-one-outcome",
            )
        self.device_ = resolve_device(self.device)
        self.batch_size_ = min(self.batch_size, len(y))
        self.network_ = LeanClassifier(
            n_d=self.n_d,
            n_a=self.n_d,
            n_steps=self.n_steps,
            n_independent=self.n_independent,
            n_shared=self.n_shared,
            lambda_sparse=self.lambda_sparse,
            momentum=self.momentum,
            optimizer_params={
                "lr": self.learning_rate,
                "weight_decay": self.weight_decay,
                "fused": True,
            },
            seed=self.seed,
            verbose=0,
            device_name=self.device_,
        )
        return X, y, X_valid, np.asarray(y_valid)

    def _finish(self, X: np.ndarray) -> DivergedError | None:
        """Explain the trained network; return the error of one that is not finite."""
        try:
            with _divergence_named():
                if self.attention:
                    self.feature_importances_ = self.network_.explained(X)
                # A stack has looked at the probabilities of its networks itself.
                looked_at = self.engine == "stacked"
                if not (looked_at or np.isfinite(self.predict_proba(X)).all()):
                    return _diverged(NOT_FINITE)
        except DivergedError as error:
            return error
        return None

    def _train_by_library(
        self, X: np.ndarray, y: np.ndarray, X_valid: np.ndarray, y_valid: np.ndarray
    ) -> None:
        from models.learning.tabnet_by_library import ValidationAUROC

        with _divergence_named():
            self.network_.fit(
                X,
                y,
                eval_set=[(X_valid, y_valid)],
                eval_metric=[ValidationAUROC],
                max_epochs=self.max_epochs,
                patience=self.patience,
                batch_size=self.batch_size_,
                virtual_batch_size=self.batch_size_,
                compute_importance=False,
            )
        self.best_epoch_ = int(self.network_.best_epoch)
        self.epochs_ = self.network_.epochs
        self.stopped_early_ = self.network_.stopped_early

    def stack(self) -> tuple[tuple, int]:
        """Return what parameters networks must share to be trained at once, and how many can be."""
        width = self.n_d, self.n_steps, self.n_independent, self.n_shared
        training = self.batch_size, self.momentum, self.max_epochs, self.patience
        key = (self.engine, *width, *training, self.device, self.threads)
        # As many as a cache holds.
        return key, max(1, STACKED_WIDTH // self.n_d) if self.engine == "stacked" else 1

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (n_rows, 2), in the order of `classes_`."""
        import torch

        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, reset=False)
        with _torch_state(torch, self.threads):
            return self.network_.predict_proba(X).astype(np.float64)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the more probable outcome of each row."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


def fit_together(lessons: Sequence[Lesson]) -> list[DivergedError | None]:
    """Fit networks, those of one architecture and batch size at the same time.

    The result of each is the one of ``estimator.fit`` alone, bit for bit, but that a training
    which diverges is returned instead of being raised.

    Parameters
    ----------
    lessons : sequence of Lesson
        In any order; their estimators are fitted in place.

    Returns
    -------
    list of DivergedError or None
        Why a network could not be trained; None for one that was.

    Raises
    ------
    StudyError
        If a GPU is asked for and there is none.
    FitError
        If there are too few rows.
    """
    import torch

    errors: list[DivergedError | None] = [None] * len(lessons)
    with _torch_state(torch, torch.get_num_threads()):
        rows = [each.estimator._prepare(*each[1:]) for each in lessons]
    alike: dict[tuple, list[int]] = {}
    sizes = {}
    for number, (estimator, *_) in enumerate(lessons):
        key, sizes[number] = estimator.stack()
        # Rows decide the rest.
        key = (*key, estimator.batch_size_, estimator.n_features_in_)
        alike.setdefault(key, []).append(number)
    for numbers in alike.values():
        first, size = lessons[numbers[0]].estimator, sizes[numbers[0]]
        train = _train_stack if first.engine == "stacked" else _train_alone
        with _torch_state(torch, first.threads), _quiet():
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                found = train([Lesson(lessons[n].estimator, *rows[n]) for n in part])
                for number, error in zip(part, found, strict=True):
                    errors[number] = error or lessons[number].estimator._finish(rows[number][0])
    return errors


def _train_stack(lessons: Sequence[Lesson]) -> list[DivergedError | None]:
    """Train networks of one architecture and batch size at once."""
    from models.learning.stacked_training import Pupil, train_together

    pupils = []
    with _nothing_collected():
        for each, X, y, X_valid, y_valid in lessons:
            random = each.network_.begin(X, y, each.batch_size_)
            pupils.append(
                Pupil(
                    each.network_.network,
                    random,
                    *each.network_.tensors(X, y),
                    each.network_.tensors(X_valid, y_valid)[0],
                    (y_valid == each.classes_[1]).astype(int),
                    each.learning_rate,
                    each.weight_decay,
                    each.lambda_sparse,
                )
            )
    first = lessons[0].estimator
    train_together(pupils, first.batch_size_, first.max_epochs, first.patience)
    errors: list[DivergedError | None] = []
    for (each, *_), pupil in zip(lessons, pupils, strict=True):
        each.best_epoch_, each.epochs_ = pupil.best_epoch, pupil.epochs
        each.stopped_early_ = pupil.stopped_early
        found = "a loss or gradient that is not finite" if pupil.diverged else NOT_FINITE
        errors.append(_diverged(found) if pupil.diverged or not pupil.finite else None)
    return errors


def _train_alone(lessons: Sequence[Lesson]) -> list[DivergedError | None]:
    """Train a network by the library's own loop."""
    [(each, *rows)] = lessons
    try:
        each._train_by_library(*rows)
    except DivergedError as error:
        return [error]
    return [None]


def resolve_device(device: str) -> str:
    """Return ``cpu`` or ``cuda`` for the config key `device`.

    Raises
    ------
    StudyError
        If ``cuda`` is asked for and torch sees no GPU.
    """
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise StudyError(
            "With device: cuda torch must see a GPU",
            found=f"none (torch {torch.__version__})",
            where="config key device",
            remedy="install torch for CUDA, or set device to auto or cpu",
            code="gpu-missing",
        )
    return "cuda" if device in ("cuda", "auto") and available else "cpu"


@contextlib.contextmanager
def _torch_state(torch: object, threads: int):
    """Compute with `threads` threads and leave torch's threads and random state as they were."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)


def _diverged(found: str) -> DivergedError:
    return DivergedError(
        "TabNet's training must converge",
        found=found,
        remedy="search smaller values of learning_rate",
        code="tabnet-diverged",
    )


@contextlib.contextmanager
def _nothing_collected():
    """Look for no garbage meanwhile: a hundred new modules a network set it off again and again."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextlib.contextmanager
def _divergence_named():
    """Name a training that diverges; on NaN the library's sparsemax finds no support (index -1)."""
    try:
        yield
    except FloatingPointError as error:
        raise _diverged(str(error)) from error
    except RuntimeError as error:
        if "out of bounds" not in str(error):
            raise
        raise _diverged("values that are not finite inside the network") from error


@contextlib.contextmanager
def _quiet():
    """Swallow what pytorch-tabnet prints and its notice that the best weights are used."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Best weights from best epoch")
        yield
