"""pytorch-tabnet's classifier without what costs time on tables of a few hundred patients.

The network, its loss and the rule of early stopping are the library's. What differs: batches are
cut from one tensor instead of being collated row by row; a ghost batch that is the whole batch is
plain batch normalisation; predictions keep no gradients; Adam steps through all weights at once.
This module imports torch; `models.learning.tabnet` imports it when a network is trained.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

with warnings.catch_warnings():
    # It names a module that SciPy is going to remove; scipy is pinned below that.
    warnings.filterwarnings("ignore", message=".*scipy.sparse.base.*")
    from pytorch_tabnet.metrics import Metric
    from pytorch_tabnet.tab_model import TabNetClassifier
    from pytorch_tabnet.tab_network import GBN


class ValidationAUROC(Metric):
    """AUROC in which an epoch that diverged is the worst one, not a crash."""

    def __init__(self) -> None:
        self._name = "auroc"
        self._maximize = True

    def __call__(self, y_true: np.ndarray, y_score: np.ndarray) -> float:
        """Return the AUROC of the event's probabilities, the second column of `y_score`."""
        if not np.isfinite(y_score).all():
            return 0.0
        return float(roc_auc_score(y_true, y_score[:, 1]))


class Batches:
    """Batches of rows in random order, another one each time; an incomplete last one is left out.

    Parameters
    ----------
    X : torch.Tensor of shape (n_rows, n_features)
        Rows, on the device.
    y : torch.Tensor of shape (n_rows,)
        Outcome, on the device.
    size : int
        Rows per batch, at most ``n_rows``.
    """

    def __init__(self, X: torch.Tensor, y: torch.Tensor, size: int) -> None:
        self.X = X
        self.y = y
        self.size = size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        # Drawn on the CPU, so that every device sees the same batches.
        order = torch.randperm(len(self.y)).to(self.y.device)
        for start in range(0, len(order) - self.size + 1, self.size):
            rows = order[start : start + self.size]
            yield self.X[rows], self.y[rows]


class LeanClassifier(TabNetClassifier):
    """`TabNetClassifier` for small tables: the same network, trained with less overhead."""

    @property
    def stopped_early(self) -> bool:
        """Whether patience ended the training, not the largest number of epochs."""
        return self._stop_training

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(self.history["loss"])

    def begin(self, X: np.ndarray, y: np.ndarray, batch_size: int) -> torch.Generator:
        """Make the network as `fit` begins with it; return what then draws the order of rows.

        Parameters
        ----------
        X : ndarray of float32 of shape (n_rows, n_features)
            Rows to learn from.
        y : ndarray of shape (n_rows,)
            Outcome.
        batch_size : int
            Rows of a batch.
        """
        self.input_dim = X.shape[1]
        self.batch_size = self.virtual_batch_size = batch_size
        self.update_fit_params(X, y, [], 0)
        self._set_network()
        self._update_network_params()
        random = torch.Generator()
        random.set_state(torch.get_rng_state())
        return random

    def explained(self, X: np.ndarray) -> np.ndarray:
        """Return the attention summed over rows and steps, as a share, shape (n_features,)."""
        return np.asarray(self._compute_feature_importances(X))

    def tensors(self, X: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return rows and outcomes on the device."""
        rows = torch.from_numpy(np.ascontiguousarray(X, dtype=np.float32)).to(self.device)
        return rows, torch.from_numpy(self.prepare_target(y).astype(np.int64)).to(self.device)

    def _construct_loaders(
        self, X_train: np.ndarray, y_train: np.ndarray, eval_set: list
    ) -> tuple[Batches, list]:
        X, y = self.tensors(X_train, y_train)
        return Batches(X, y, self.batch_size), [[self.tensors(*pair)] for pair in eval_set]

    def _set_network(self) -> None:
        super()._set_network()
        for module in self.network.modules():
            for name, child in module.named_children():
                if isinstance(child, GBN):
                    setattr(module, name, child.bn)
        # The library fixes it at .01 for the first layer alone, whatever `momentum` is.
        self.network.tabnet.encoder.initial_bn.momentum = self.momentum

    def _set_optimizer(self) -> None:
        super()._set_optimizer()
        self._weights = list(self.network.parameters())

    def _train_epoch(self, train_loader: Batches) -> None:
        self.network.train()
        losses = []
        for X, y in train_loader:
            self._optimizer.zero_grad(set_to_none=True)
            output, sparsity = self.network(X)
            loss = self.compute_loss(output, y) - self.lambda_sparse * sparsity
            loss.backward()
            slope = torch.nn.utils.clip_grad_norm_(self._weights, self.clip_value)
            if not torch.isfinite(loss + slope):
                # Weights that are not finite make the library's sparsemax fail, on a GPU beyond
                # repair for the whole process.
                raise FloatingPointError("a loss or gradient that is not finite")
            self._optimizer.step()
            losses.append(loss.item())
        self.history.epoch_loss = float(np.mean(losses))

    def _predict_epoch(self, name: str, loader: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
        (X, y) = loader[0]
        logs = self._metric_container_dict[name](y.cpu().numpy(), self._probabilities(X))
        self.history.epoch_metrics.update(logs)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return probabilities, shape (n_rows, 2), for rows of float32."""
        return self._probabilities(torch.from_numpy(X).to(self.device))

    def _probabilities(self, X: torch.Tensor) -> np.ndarray:
        self.network.eval()
        with torch.inference_mode():
            return torch.softmax(self.network(X)[0], dim=1).cpu().numpy()
