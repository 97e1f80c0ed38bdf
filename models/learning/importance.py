"""Which columns of its signature a fitted model relies on: three measures beside one another.

Attention is TabNet's own and was published; permutation works for every family; SHAP values share
a prediction out among the columns. All look at training rows only, so that what an ablation removes
is chosen before a test row is seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from models.learning.fitted_procedure import FittedModel
from models.learning.one_fit import Fit
from models.learning.tabnet import TabNet
from pipeline.core.seeds import derive_seed
from pipeline.core.table_schema import types_of
from pipeline.study.sections.judging import Interpretation
from pipeline.tables.schemas.prediction.training import Importance

MEASURES = ("attention", "permutation", "permutation_sd", "shap")
"""Columns of an importance table beside the share; null where a measure does not apply."""

COLUMNS = types_of(Importance)
"""Columns of an importance table."""


def importance_table(
    fitted: FittedModel, training: pd.DataFrame, options: Interpretation, seed: int
) -> tuple[pd.DataFrame, list[str]]:
    """Measure what each column of a fitted model's signature does for it.

    Parameters
    ----------
    fitted : FittedModel
        Fitted to `training`.
    training : pandas.DataFrame
        Training rows of the analysis table.
    options : Interpretation
        What is measured, and how often.
    seed : int
        Seed of the study.

    Returns
    -------
    table : pandas.DataFrame
        ``feature, block, importance`` (share by the family's main measure, highest first)``,
        attention`` (share; TabNet only)``, permutation, permutation_sd`` (loss of AUROC, mean and
        SD over the shuffles)``, shap`` (mean absolute SHAP value, in units of probability; null
        unless asked for).
    notes : list of str
        The methods, for model.json.
    """
    seed = derive_seed(seed, fitted.model, "importance")
    Z = fitted.chain.transform(fitted.columns.take(training)).to_numpy()
    y = training["outcome"].to_numpy(dtype=int)
    signature = fitted.signature
    table = pd.DataFrame(
        {
            "feature": pd.Series(signature, dtype=object),
            "block": pd.Series(map(fitted.columns.block_of, signature), dtype=object),
            **{name: np.full(len(signature), np.nan) for name in ("importance", *MEASURES)},
        }
    )
    if not signature:
        return table, ["Importance: none, nothing was selected."]
    attention = attention_of(fitted.fit)
    mean, sd = permuted_loss(fitted.fit, Z, y, options.permutations, seed)
    table["permutation"], table["permutation_sd"] = mean, sd
    notes = [
        "Permutation importance: loss of AUROC on the training patients when a column is permuted, "
        f"mean of {options.permutations} permutations."
    ]
    if attention is None:
        main = np.clip(mean, 0.0, None)
        notes.append("Importance is the share of the permutation importance.")
    else:
        table["attention"] = main = attention
        notes.append("Importance is TabNet's attention, summed over the training patients.")
    if options.shap:
        rows = sampled_rows(len(Z), options.shap_rows, derive_seed(seed, "explained"))
        against = sampled_rows(len(Z), options.shap_background, derive_seed(seed, "background"))
        values = shap_values(fitted.fit.probability, Z[rows], Z[against], seed)
        table["shap"] = np.abs(values).mean(axis=0)
        notes.append(
            f"SHAP: mean absolute value over {len(rows)} predictions of training patients, "
            f"against {len(against)} as background, by permutations."
        )
    if main.sum() == 0:
        table["importance"] = 0.0
        return table, [*notes, "No column made a difference to the importance."]
    table["importance"] = main / main.sum()
    ordered = table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    return ordered, notes


def attention_of(fit: Fit) -> np.ndarray | None:
    """Return TabNet's attention per column, as a share [1]_; None for any other family.

    References
    ----------
    .. [1] Arik SO, Pfister T. TabNet: attentive interpretable tabular learning.
       AAAI 2021;35:6679-6687.
    """
    if not isinstance(fit.estimator, TabNet):
        return None
    return np.nan_to_num(fit.estimator.feature_importances_).astype(np.float64)


def permuted_loss(
    fit: Fit, Z: np.ndarray, y: np.ndarray, repeats: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return how much AUROC a model loses when one column is permuted [1]_.

    A model that fits its training rows closely loses little of any one column there, and columns
    that say the same stand in for one another.

    Parameters
    ----------
    fit : Fit
        Fitted classifier.
    Z : ndarray of shape (n_rows, n_features)
        Rows to permute, at least one column.
    y : ndarray of shape (n_rows,)
        Outcome.
    repeats : int
        Permutations per column.
    seed : int
        Seed of the permutations.

    Returns
    -------
    mean, sd : ndarray of shape (n_features,)
        Over the permutations; a negative mean says that the column did nothing.

    References
    ----------
    .. [1] Breiman L. Random forests. Machine Learning 2001;45:5-32.
    """
    found = permutation_importance(
        fit.estimator, Z, y, scoring="roc_auc", n_repeats=repeats, random_state=seed
    )
    return found.importances_mean, found.importances_std


def shap_values(
    predict: Callable[[np.ndarray], np.ndarray],
    Z: np.ndarray,
    background: np.ndarray,
    seed: int,
) -> np.ndarray:
    """Share each prediction out among the columns, by SHAP values [1]_.

    The library's permutation explainer is used for every family, so that families compare: its
    values sum to the prediction less the mean prediction of `background`, and are exact where a
    model has no interactions of more than two columns.

    Parameters
    ----------
    predict : callable
        Takes rows (n, n_features) and gives one number a row.
    Z : ndarray of shape (n_rows, n_features)
        Rows to explain.
    background : ndarray of shape (n_background, n_features)
        Rows that a column's value is replaced from.
    seed : int
        Seed of the order in which columns are replaced.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        In the unit of `predict`.

    References
    ----------
    .. [1] Lundberg SM, Lee S-I. A unified approach to interpreting model predictions.
       NeurIPS 2017;30:4765-4774.
    """
    with warnings.catch_warnings():
        # Its plots, which are not used, call what matplotlib is going to remove.
        warnings.filterwarnings("ignore", category=PendingDeprecationWarning)
        import shap

    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.explainers.Permutation(predict, masker, seed=seed)
    # One pass through the columns in a drawn order and one back through them.
    explained = explainer(Z, max_evals=2 * Z.shape[1] + 1, silent=True)
    return np.asarray(explained.values)


def sampled_rows(n_rows: int, at_most: int, seed: int) -> np.ndarray:
    """Return sorted positions of `at_most` rows drawn without replacement, or of all rows."""
    if n_rows <= at_most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, at_most, replace=False))
