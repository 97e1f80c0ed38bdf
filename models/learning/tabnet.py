"""TabNet (pytorch-tabnet) as a scikit-learn classifier, with the library's traps closed."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from pipeline.core.errors import DivergedError, FitError, StudyError

MINIMAL_ROWS = 4
"""Rows below which no batch normalisation is meaningful."""


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
    network_ : models.learning.tabnet_training.LeanClassifier
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
        import torch

        from models.learning.tabnet_training import LeanClassifier, ValidationAUROC

        X, y = validate_data(self, X, y, dtype=np.float32)
        X_valid = validate_data(self, X_valid, dtype=np.float32, reset=False)
        self.classes_ = np.unique(y)
        if len(y) < MINIMAL_ROWS or len(self.classes_) != 2 or len(np.unique(y_valid)) != 2:
            raise FitError(
                "TabNet needs both outcomes among its training and its validation rows",
                found=f"{len(y)} training rows, {len(y_valid)} validation rows",
                remedy="use more patients, fewer folds or a larger tabnet.validation_fraction",
            )
        self.device_ = resolve_device(self.device)
        self.batch_size_ = min(self.batch_size, len(y))
        with _torch_state(torch, self.threads), _quiet(), _divergence_named():
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
            self.network_.fit(
                X,
                y,
                eval_set=[(X_valid, np.asarray(y_valid))],
                eval_metric=[ValidationAUROC],
                max_epochs=self.max_epochs,
                patience=self.patience,
                batch_size=self.batch_size_,
                virtual_batch_size=self.batch_size_,
                compute_importance=self.attention,
            )
        self.best_epoch_ = int(self.network_.best_epoch)
        self.epochs_ = self.network_.epochs
        self.stopped_early_ = self.network_.stopped_early
        if self.attention:
            self.feature_importances_ = np.asarray(self.network_.feature_importances_)
        with _divergence_named():
            if not np.isfinite(self.predict_proba(X)).all():
                raise _diverged("probabilities that are not finite")
        return self

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
    )


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
