"""Harmonisation of features between sites, learned from the training rows alone.

ComBat needs to know the site of each row, which is no feature. The columns of X that say it, and
those that say what is kept, ride along in X under names that no candidate has (`SITE`, `KEPT`);
`SitePipeline` hands them to the one step that takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from models.transformers.columns import KEPT, SITE_OF_ROW, Columns, Predictor
from models.transformers.combat import Combat, apply_combat, fit_combat, site_effect, standardised
from models.transformers.frames import like, numbers_of
from pipeline.core.errors import FitError
from pipeline.core.problems import listing
from pipeline.study.sections.sites import Harmonisation
from pipeline.tables.identifying.checks import shown

HARMONISE = "harmonise"
"""Name of the step."""


class Harmoniser(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Bring features of several sites to one location and scale by ComBat.

    Features are standardised first and put back afterwards: their units do not count.

    Parameters
    ----------
    covariates : sequence of Predictor
        Clinical predictors whose effects on the features are kept. A missing number counts as the
        mean of the training rows, a missing level as their most frequent.
    reference : str or None
        Site whose values stay as they are; None for the common mean.
    unseen_site : {'refuse', 'own_rows'}
        ``own_rows`` estimates location and scale of a site that was not learned from of the rows
        that are handed in together, without their outcomes. That looks at the patients who are to
        be predicted, and takes true differences of case mix for effects of the site.
    tiny_site : {'refuse', 'pass'}
        Of a site with fewer than `min_rows` rows: ``pass`` leaves its rows as they are.
    min_rows : int
        Rows from which on location and scale of a site are estimated.

    Attributes
    ----------
    combat_ : Combat or None
        What was learned; None where fewer than two sites have enough rows, and nothing is done.
    tiny_ : dict
        Sites with too few rows, and how many.
    fill_ : dict
        What stands for a missing covariate.
    counts_ : dict
        Rows of each site that was learned from.
    """

    def __init__(
        self,
        covariates: tuple[Predictor, ...] = (),
        reference: str | None = None,
        unseen_site: str = "refuse",
        tiny_site: str = "refuse",
        min_rows: int = 5,
    ) -> None:
        self.covariates = covariates
        self.reference = reference
        self.unseen_site = unseen_site
        self.tiny_site = tiny_site
        self.min_rows = min_rows

    def fit(
        self, X: pd.DataFrame, y: object = None, rows: pd.DataFrame | None = None
    ) -> Harmoniser:
        """Learn from features `X` and what `rows` say of the same rows; `y` is ignored.

        Raises
        ------
        FitError
            If a site has too few rows, the reference has none, or covariates cannot be told from
            the sites.
        """
        values = numbers_of(self, X, reset=True)
        sites = _sites(rows, len(values))
        counts = {str(name): int(n) for name, n in pd.Series(sites).value_counts().items()}
        self.tiny_ = {name: n for name, n in counts.items() if n < max(self.min_rows, 2)}
        if self.tiny_ and self.tiny_site == "refuse":
            raise FitError(
                f"Harmonisation needs at least {self.min_rows} rows of training patients of each "
                "site",
                found=listing(f"{shown(name)}: {n}" for name, n in self.tiny_.items()),
                where="config key harmonisation.tiny_site",
                remedy="join small sites into one in the tables, or write `harmonisation: "
                "{tiny_site: pass}`, which leaves their rows as they are",
                code="tiny-site",
            )
        self.counts_ = {name: n for name, n in counts.items() if name not in self.tiny_}
        if self.reference is not None and self.reference not in self.counts_:
            raise FitError(
                "The reference of the harmonisation must be a site of the training patients",
                found=f"{self.reference}; training patients are of {listing(map(shown, counts))}",
                where="config key harmonisation.reference",
                remedy="name another site, or write null",
                code="reference-without-rows",
            )
        self.fill_ = {each.column: _filling(rows, each) for each in self.covariates}
        learned = np.isin(sites, list(self.counts_))
        self.middle_ = values[learned].mean(axis=0) if learned.any() else np.zeros(values.shape[1])
        spread = values[learned].std(axis=0) if learned.any() else np.ones(values.shape[1])
        self.unit_ = np.where(spread > 0, spread, 1.0)
        self.combat_: Combat | None = None
        if len(self.counts_) > 1 and values.shape[1]:
            table = self._covariates(rows, len(values))
            # A level that no training row has says nothing of the features.
            self.varies_ = np.ptp(table[learned], axis=0) > 0
            kept = table[:, self.varies_]
            try:
                self.combat_ = fit_combat(
                    (values - self.middle_)[learned] / self.unit_,
                    sites[learned],
                    kept[learned],
                    self.reference,
                )
            except ValueError as error:
                raise FitError(
                    "Covariates of the harmonisation must differ within the sites",
                    found=str(error),
                    where="config key harmonisation.covariates",
                    remedy="remove the covariate that says the same as the site or another",
                    code="covariates-like-sites",
                ) from None
        return self

    def transform(self, X: pd.DataFrame, rows: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return `X` with the effects of the sites removed.

        Raises
        ------
        FitError
            If a row is of a site that was not learned from and the policy is to refuse, or if too
            few rows of it are handed in together.
        """
        check_is_fitted(self)
        values = numbers_of(self, X, reset=False)
        sites = _sites(rows, len(values))
        new = sorted(set(sites).difference(self.counts_, self.tiny_))
        if new and self.unseen_site == "refuse":
            raise FitError(
                "Features of a site can be harmonised only if it has training patients",
                found=f"rows of {listing(map(shown, new))}; learned from {listing(self.counts_)}",
                where="config key harmonisation.method",
                remedy="split so that each site has training patients, or write `harmonisation: "
                "{method: none}`, and look at new sites by `site_validation` (docs/sites.md)",
                code="unseen-site",
            )
        if self.combat_ is None:
            return like(X, values)
        standard = (values - self.middle_) / self.unit_
        kept = self._covariates(rows, len(values))[:, self.varies_]
        own: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for name in new:
            at = sites == name
            if at.sum() < max(self.min_rows, 2):
                raise FitError(
                    f"A site that was not learned from needs at least {self.min_rows} rows that "
                    "are predicted together",
                    found=f"{shown(name)}: {int(at.sum())}",
                    where="config key harmonisation.unseen_site",
                    remedy="hand in more patients of the site together: one patient's features "
                    "cannot be harmonised by themselves",
                    code="unseen-site-of-few",
                )
            seen = standardised(self.combat_, standard[at], kept[at])
            own[name] = site_effect(seen[:, self.combat_.adjusted])
        moved = apply_combat(self.combat_, standard, sites, kept, own)
        return like(X, moved * self.unit_ + self.middle_)

    def _covariates(self, rows: pd.DataFrame | None, count: int) -> np.ndarray:
        """Return the covariates as numbers, shape (n_rows, n_columns)."""
        columns = []
        for each in self.covariates:
            values = rows[KEPT + each.column]  # type: ignore[index]
            values = values.where(values.notna(), self.fill_[each.column])
            if each.is_numeric:
                columns.append(values.to_numpy(np.float64))
            else:
                columns += [(values == level).to_numpy(np.float64) for level in each.levels[1:]]
        return np.column_stack(columns) if columns else np.empty((count, 0))


class SitePipeline(Pipeline):
    """Pipeline whose step `harmonise` also sees what X says of the rows besides candidates."""

    def fit(self, X: pd.DataFrame, y: Any = None, **_: Any) -> SitePipeline:
        """Fit all steps."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None, **_: Any) -> pd.DataFrame:
        """Fit all steps; return X as the last one hands it on."""
        before, harmoniser, after = self._parts()
        Z = before.fit_transform(X, y)
        return after.fit_transform(harmoniser.fit(Z, y, rows=X).transform(Z, rows=X), y)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return X as the last step hands it on."""
        before, harmoniser, after = self._parts()
        return after.transform(harmoniser.transform(before.transform(X), rows=X))

    def _parts(self) -> tuple[Pipeline, Harmoniser, Pipeline]:
        at = [name for name, _ in self.steps].index(HARMONISE)
        return Pipeline(self.steps[:at]), self[at], Pipeline(self.steps[at + 1 :])


def harmoniser_of(options: Harmonisation, columns: Columns) -> Harmoniser:
    """Return the unfitted step that a study's section ``harmonisation`` asks for.

    A site without training rows is refused unless the columns say otherwise: no stage but the
    validation site by site may predict by a site's own rows.
    """
    given = {name: getattr(options, name) for name in ("reference", "tiny_site", "min_rows")}
    unseen = "own_rows" if columns.transductive else "refuse"
    return Harmoniser(columns.kept, unseen_site=unseen, **given)


def harmonisation_note(fitted: Harmoniser) -> str:
    """Say in a sentence what a fitted step does."""
    if fitted.combat_ is None:
        return "Features were not harmonised: fewer than two sites have enough training patients."
    to = "their common mean" if fitted.reference is None else f"site {fitted.reference}"
    note = f"Features of {listing(fitted.counts_)} were harmonised to {to} by ComBat"
    if fitted.covariates:
        note += f", keeping effects of {listing(each.label for each in fitted.covariates)}"
    left = int((~fitted.combat_.adjusted).sum())
    if left:
        note += f"; {left} features that do not vary at a site were left as they are"
    if fitted.tiny_:
        told = listing(f"{name}: {n}" for name, n in fitted.tiny_.items())
        note += f"; sites with too few training patients were left as they are ({told})"
    return note + "."


def _sites(rows: pd.DataFrame | None, count: int) -> np.ndarray:
    if rows is None or SITE_OF_ROW not in rows or rows[SITE_OF_ROW].isna().any():
        raise FitError(
            "Harmonisation needs the site of every row",
            found="a row without one",
            where="the column of the role `site`",
            remedy="fill the column of the role `site` in the clinical table",
            code="row-without-site",
        )
    return rows[SITE_OF_ROW].to_numpy(dtype=str)


def _filling(rows: pd.DataFrame | None, covariate: Predictor) -> object:
    known = rows[KEPT + covariate.column].dropna()  # type: ignore[index]
    if covariate.is_numeric:
        return float(known.mean()) if len(known) else 0.0
    counts = known.value_counts()
    return max(covariate.levels, key=lambda level: counts.get(level, 0))
