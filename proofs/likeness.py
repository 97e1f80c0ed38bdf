"""How much radiomic features hang together: simulated ones beside extracted ones.

``python -m proofs.likeness --features results/demo/tables/features.parquet --repeat FILE`` prints
the table of docs/proofs.md. ``--repeat`` takes a table of the public QIN prostate test-retest data
(separator ``;``, one row an image and region). Few patients make correlations look high by chance,
so that simulated cohorts of the same size stand beside each table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from demo.population import PUBLISHED_PATIENTS, draw_population
from demo.tables import simulate_tables
from pipeline.comparison.agreement.concordance import lin_ccc
from pipeline.core import command
from pipeline.core.files import read_table

SEEDS = range(5)
FEWEST = 20
"""Patients that `demo.tables` asks for."""
CCC_THRESHOLD = 0.85
NEAR_COPY = 0.95
SHOWN = ("median_r", "near_copy", "pc1", "pc1_3", "pc1_10", "ccc")


def redundancy(values: np.ndarray) -> dict[str, float]:
    """Measure how much the columns of a table hang together.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_features)
        Features; constant ones are left out.

    Returns
    -------
    dict
        ``n, features``; ``median_r``, the median absolute Pearson correlation of all pairs;
        ``near_copy``, the share of features with another at 0.95 or above; ``pc1, pc1_3, pc1_10``,
        shares of the variance of standardised features in the first components.
    """
    spread = values.std(axis=0)
    values = values[:, spread > 1e-12 * np.abs(values.mean(axis=0))]
    likeness = np.abs(np.corrcoef(values, rowvar=False))
    pairs = likeness[np.triu_indices(len(likeness), 1)]
    np.fill_diagonal(likeness, 0)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    share = np.linalg.svd(scaled, compute_uv=False) ** 2
    share = (share / share.sum()).cumsum()
    return {
        "n": len(values),
        "features": values.shape[1],
        "median_r": float(np.median(pairs)),
        "near_copy": float((likeness.max(axis=0) >= NEAR_COPY).mean()),
        "pc1": float(share[0]),
        "pc1_3": float(share[2]),
        "pc1_10": float(share[9]),
    }


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Return the share of features on which two readings reach a CCC of 0.85."""
    return float((lin_ccc(first, second) >= CCC_THRESHOLD).mean())


def simulated(n: int) -> Iterator[tuple[str, dict]]:
    """Yield the facts of both simulations at `n` patients, means over seeds."""
    for name, draw in (
        ("`demo.population`", lambda seed: draw_population(seed).draw(n, seed).tables),
        ("`demo.tables`", lambda seed: simulate_tables(max(n, FEWEST), seed)),
    ):
        rows = []
        for seed in SEEDS:
            tables = draw(seed).features
            a, b = (tables[reader].drop(columns="case_id").to_numpy()[:n] for reader in ("A", "B"))
            rows.append(redundancy(a) | {"ccc": agreement(a, b)})
        yield name, pd.DataFrame(rows).mean().to_dict()


def extracted(path: Path) -> tuple[str, dict]:
    """Return the facts of a feature table of this project with two readers."""
    table = read_table(path)
    first, second = sorted(table["reader"].unique())[:2]
    a, b = (
        table[table["reader"] == reader].drop(columns="reader").set_index("case_id")
        for reader in (first, second)
    )
    both = a.index.intersection(b.index)
    a, b = a.loc[both].to_numpy(), b.loc[both].to_numpy()
    return "extracted from synthetic CT", redundancy(a) | {"ccc": agreement(a, b)}


def repeated(path: Path) -> Iterator[tuple[str, dict]]:
    """Yield the facts of each region of the test-retest table, first visits; CCC of the visits."""
    table = pd.read_csv(path, sep=";")
    for region, rows in table.sort_values("study").groupby("segmentedStructure"):
        patient = rows["study"].str.rsplit("_", n=2).str[0]
        values = rows.drop(columns=[c for c in rows if c.startswith("general_info")])
        values = values.select_dtypes("number").drop(columns="series").groupby(patient)
        first, second = values.nth(0), values.nth(1)
        known = first.index.map(patient).isin(second.index.map(patient))
        facts = redundancy(first.to_numpy(float))
        pair = first[known].to_numpy(float), second.to_numpy(float)
        yield f"real MRI, {region}", facts | {"ccc": agreement(*pair)}


def arguments_of() -> argparse.ArgumentParser:
    """Return the options of the command line."""
    arguments = command.parser("proofs.likeness", __doc__)
    arguments.add_argument("--features", type=Path, help="features.parquet with two readers")
    arguments.add_argument("--repeat", type=Path, help="table of the QIN test-retest data")
    return arguments


def main(options: argparse.Namespace) -> None:
    """Print one row per table, and simulated cohorts of each size."""
    rows = [*repeated(options.repeat)] if options.repeat else []
    rows += [extracted(options.features)] if options.features else []
    for n in sorted({facts["n"] for _, facts in rows} | {PUBLISHED_PATIENTS}):
        rows += [*simulated(int(n))]
    print("| table | patients | median abs r | near-copy | PC1 | PC1-3 | PC1-10 | CCC >= 0.85 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, facts in sorted(rows, key=lambda row: row[1]["n"]):
        numbers = (
            f"{facts[k]:.2f}" for k in ("median_r", "near_copy", "pc1", "pc1_3", "pc1_10", "ccc")
        )
        print(f"| {name} | {facts['n']:.0f} | {' | '.join(numbers)} |")


if __name__ == "__main__":
    command.run(main, arguments_of())
