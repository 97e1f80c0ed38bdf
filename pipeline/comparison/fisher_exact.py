"""Fisher's exact test of a table of any size, exact and not by chance.

scipy's `fisher_exact` is exact for two rows and two columns only; a larger table it answers by
random tables. Here the network algorithm walks through the columns of the table.

References
----------
.. [1] Mehta CR, Patel NR. A network algorithm for performing Fisher's exact test in r x c
   contingency tables. J Am Stat Assoc 1983;78:427-434.
.. [2] Freeman GH, Halton JH. Note on an exact treatment of contingency, goodness of fit and other
   problems of significance. Biometrika 1951;38:141-149.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from pipeline.core.errors import VertebromicsError

#: Tables whose probability exceeds that of the observed one by no more than this share count as
#: equally probable, since both are rounded (R's `fisher.test` has the same bound).
TIE_TOLERANCE = 1e-7

#: Sums of logarithms that differ by less are one path: rounding of a few hundred terms is below it.
_SAME_PATH = 1e-10

#: Paths that may be looked at: some seconds, and less than 1 GB of memory.
MAX_PATHS = 10_000_000


#: Ways to fill one column that are held in memory at once (some 100 MB with their bounds).
MAX_PARTS = 300_000


class TooManyTablesError(VertebromicsError):
    """The exact test of this table would take too long."""


def fisher_p(counts: np.ndarray, max_paths: int = MAX_PATHS) -> tuple[float, float]:
    """Return the two-sided P value of Fisher's exact test (Freeman and Halton).

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (n_rows, n_columns)
        The observed table.
    max_paths : int
        Paths of the network that may be looked at.

    Returns
    -------
    probability : float
        Of the observed table, its margins given: scipy's statistic.
    p : float
        Sum of the probabilities of all tables with the same margins that are no more probable.

    Raises
    ------
    TooManyTablesError
        If the table has too many others beside it.

    Notes
    -----
    The columns are taken one after the other. A node of the network is what is left of the row
    totals, sorted, since the order of rows does not change a probability. Paths that reach a node
    with the same probability are one. From each node, the least and the largest probability of the
    rest are bounded: a path that stays above the observed table is dropped, and of one that stays
    below it, all ends are added at once.

    Examples
    --------
    >>> job = np.array([[1, 2, 1, 0], [3, 3, 6, 1], [10, 10, 14, 9], [6, 7, 12, 11]])
    >>> round(fisher_p(job)[1], 4)
    0.7827
    """
    counts = np.asarray(counts, dtype=int)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape, default=0) < 2:
        return 1.0, 1.0
    if counts.shape[0] > counts.shape[1]:
        counts = counts.T
    rows = tuple(sorted((int(total) for total in counts.sum(axis=1)), reverse=True))
    columns = sorted((int(total) for total in counts.sum(axis=0)), reverse=True)
    total = _completions(np.array([rows]), columns)[0]
    observed = -gammaln(counts + 1).sum()
    limit = observed + TIE_TOLERANCE
    nodes = {rows: (np.zeros(1), np.ones(1))}
    below, looked_at = 0.0, 0
    for at, column in enumerate(columns):
        rest = columns[at + 1 :]
        reached: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for node, (paths, ways) in nodes.items():
            parts = _parts_of_column(node, column, last=not rest)
            looked_at += 0 if parts is None else len(parts) * len(paths)
            if parts is None or looked_at > max_paths:
                raise TooManyTablesError(
                    "Fisher's exact test must have few enough tables to look at",
                    found=f"a table of {counts.shape[0]} x {counts.shape[1]}, n = {counts.sum()}",
                    remedy="name another test for this variable, such as `pearson` in the column "
                    "`test` of the data dictionary",
                )
            left = -np.sort(-(np.array(node) - parts), axis=1)
            steps = -gammaln(parts + 1).sum(axis=1)
            longest, shortest = _bounds(left, rest)
            sums = steps[:, None] + paths[None, :]
            settled = sums + longest[:, None] <= limit
            if settled.any():
                ends = sums + _completions(left, rest)[:, None] - total
                below += float((np.exp(ends) * ways[None, :])[settled].sum())
            open_ = ~settled & (sums + shortest[:, None] <= limit)
            if open_.any():
                which, path = np.nonzero(open_)
                reached.append((left[which], sums[open_], ways[path]))
        nodes = _merged(reached)
    return float(np.exp(observed - total)), min(below, 1.0)


def _parts_of_column(node: tuple[int, ...], column: int, *, last: bool) -> np.ndarray | None:
    """Return every way to take a column's units from what is left of the rows, a row each.

    None where there are more than `MAX_PARTS`.
    """
    if last:
        return np.array([node])
    others = np.zeros((1, 0), dtype=int)
    for total in node[1:]:
        taken = np.arange(min(total, column) + 1)
        if len(others) * len(taken) > MAX_PARTS:
            return None
        others = np.column_stack([np.repeat(others, len(taken), 0), np.tile(taken, len(others))])
        others = others[others.sum(axis=1) <= column]
    first = column - others.sum(axis=1)
    return np.column_stack([first, others])[first <= node[0]]


def _completions(left: np.ndarray, columns: list[int]) -> np.ndarray:
    """Return the logarithm of the sum over all rests of a table of the product of 1 / n_ij!."""
    return (
        gammaln(left.sum(axis=1) + 1)
        - gammaln(left + 1).sum(axis=1)
        - gammaln(np.array(columns, dtype=float) + 1).sum()
    )


def _bounds(left: np.ndarray, columns: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of the logarithm of the product of 1 / n_ij! over the rest of a table.

    Above: with cells as independent Poisson counts of the expected means, no table is more
    probable than that of every cell's mode. Below: in each column (and in each row) by itself, the
    product is least where its units lie in as few cells as they can.
    """
    if len(columns) <= 1:
        exact = -gammaln(left + 1).sum(axis=1)
        return exact, exact
    totals = np.array(columns, dtype=float)
    n = totals.sum()
    if n == 0:
        return np.zeros(len(left)), np.zeros(len(left))
    means = left[:, :, None] * totals[None, None, :] / n
    modes = np.floor(means)
    logs = np.log(np.where(means > 0, means, 1.0))
    above = (modes * logs - gammaln(modes + 1)).sum(axis=(1, 2))
    row_logs = np.log(np.where(left > 0, left, 1))
    above -= (left * row_logs).sum(axis=1) + (totals * np.log(totals / n)).sum()
    below = np.maximum(
        _piled(left, np.broadcast_to(totals, (len(left), len(totals)))),
        _piled(np.broadcast_to(totals, (len(left), len(totals))), left),
    )
    return above + _SAME_PATH, below - _SAME_PATH


def _piled(capacities: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Return the sum of -log n! where each amount fills the largest of its places first.

    Parameters
    ----------
    capacities : numpy.ndarray of shape (n_nodes, n_places)
        In descending order.
    amounts : numpy.ndarray of shape (n_nodes, n_amounts)
    """
    before = np.concatenate(
        [np.zeros((len(capacities), 1)), np.cumsum(capacities, axis=1)[:, :-1]], axis=1
    )
    filled = np.clip(amounts[:, :, None] - before[:, None, :], 0, capacities[:, None, :])
    return -gammaln(filled + 1).sum(axis=(1, 2))


def _merged(
    reached: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
    """Return the nodes reached, each with its different paths and how many ways each stands for."""
    if not reached:
        return {}
    left, paths, ways = (np.concatenate(each) for each in zip(*reached, strict=True))
    names, node = np.unique(left, axis=0, return_inverse=True)
    node = node.ravel()
    order = np.lexsort((paths, node))
    node, paths, ways = node[order], paths[order], ways[order]
    new = np.ones(len(paths), dtype=bool)
    new[1:] = (np.diff(node) > 0) | (np.diff(paths) > _SAME_PATH)
    starts = np.flatnonzero(new)
    ways, paths, node = np.add.reduceat(ways, starts), paths[starts], node[starts]
    ends = np.searchsorted(node, np.arange(len(names) + 1))
    return {
        tuple(int(total) for total in name): (paths[a:b], ways[a:b])
        for name, a, b in zip(names, ends, ends[1:], strict=False)
    }
