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
MAX_PATHS = 20_000_000


#: What a node costs by itself, in paths.
NODE_COST = 500

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
    The columns are taken one after the other, the smallest first. A node of the network is what is
    left of the row totals, sorted, since the order of rows does not change a probability. Paths
    that reach a node with the same probability are one. From each node, the least and the largest
    probability of the rest are bounded: a path that stays above the observed table is dropped, and
    of one that stays below it, all ends are added at once. Once two columns are left, a node's ends
    are sorted, and each path finds by bisection how many of them are no more probable.

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
    columns = sorted(int(total) for total in counts.sum(axis=0))
    logs = gammaln(np.arange(counts.sum() + 1) + 1.0)
    total = _completions(np.array([rows]), columns, logs)[0]
    observed = -logs[counts].sum()
    limit = observed + TIE_TOLERANCE
    nodes = {rows: (np.zeros(1), np.ones(1))}
    below, work = 0.0, _Work(max_paths, counts)
    for at, column in enumerate(columns[:-2]):
        rest = columns[at + 1 :]
        reached: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for node, (paths, ways) in nodes.items():
            parts = work.done(_parts_of_column(node, column), len(paths))
            left = -np.sort(-(np.array(node) - parts), axis=1)
            longest, shortest = _bounds(left, rest, logs)
            sums = -logs[parts].sum(axis=1)[:, None] + paths[None, :]
            settled = sums + longest[:, None] <= limit
            if settled.any():
                ends = sums + _completions(left, rest, logs)[:, None] - total
                below += float((np.exp(ends) * ways[None, :])[settled].sum())
            open_ = ~settled & (sums + shortest[:, None] <= limit)
            if open_.any():
                which, path = np.nonzero(open_)
                reached.append((left[which], sums[open_], ways[path]))
        nodes = _merged(reached)
    for node, (paths, ways) in nodes.items():
        parts = work.done(_parts_of_column(node, columns[-2]), 1)
        ends = np.sort(-logs[parts].sum(axis=1) - logs[np.array(node) - parts].sum(axis=1))
        sums = np.concatenate([[0.0], np.cumsum(np.exp(ends - ends[-1]))])
        found = sums[np.searchsorted(ends, limit - paths, side="right")]
        below += float((ways * np.exp(paths + ends[-1] - total) * found).sum())
    return float(np.exp(observed - total)), min(below, 1.0)


class _Work:
    """Counts the paths that were looked at, and ends a test that would take too long."""

    def __init__(self, most: int, counts: np.ndarray) -> None:
        self.left, self.counts = most, counts

    def done(self, parts: np.ndarray | None, paths: int) -> np.ndarray:
        """Return `parts` again, unless they are too many for these paths."""
        self.left -= 0 if parts is None else NODE_COST + len(parts) * paths
        if parts is None or self.left < 0:
            shape = f"{self.counts.shape[0]} x {self.counts.shape[1]}"
            raise TooManyTablesError(
                "Fisher's exact test must have few enough tables to look at",
                found=f"a table of {shape}, n = {self.counts.sum()}",
                remedy="name another test for this variable, such as `pearson` in the column "
                "`test` of the data dictionary",
                code="fisher-too-many-tables",
            )
        return parts


def _parts_of_column(node: tuple[int, ...], column: int) -> np.ndarray | None:
    """Return every way to take a column's units from what is left of the rows, a row each.

    None where there are more than `MAX_PARTS`.
    """
    others = np.zeros((1, 0), dtype=int)
    for total in node[1:]:
        taken = np.arange(min(total, column) + 1)
        if len(others) * len(taken) > MAX_PARTS:
            return None
        others = np.column_stack([np.repeat(others, len(taken), 0), np.tile(taken, len(others))])
        others = others[others.sum(axis=1) <= column]
    first = column - others.sum(axis=1)
    return np.column_stack([first, others])[first <= node[0]]


def _completions(left: np.ndarray, columns: list[int], logs: np.ndarray) -> np.ndarray:
    """Return the logarithm of the sum over all rests of a table of the product of 1 / n_ij!."""
    return logs[left.sum(axis=1)] - logs[left].sum(axis=1) - logs[columns].sum()


def _bounds(
    left: np.ndarray, columns: list[int], logs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of the logarithm of the product of 1 / n_ij! over the rest of a table.

    Above: with cells as independent Poisson counts of the expected means, no table is more
    probable than that of every cell's mode. Below: in each column (and in each row) by itself, the
    product is least where its units lie in as few cells as they can.
    """
    totals = np.array(columns[::-1])
    n = totals.sum()
    means = left[:, :, None] * totals[None, None, :] / n
    modes = np.floor(means).astype(int)
    log_means = np.log(np.where(means > 0, means, 1.0))
    above = (modes * log_means - logs[modes]).sum(axis=(1, 2))
    row_logs = np.log(np.where(left > 0, left, 1))
    above -= (left * row_logs).sum(axis=1) + (totals * np.log(totals / n)).sum()
    below = np.maximum(
        _piled(left, np.broadcast_to(totals, (len(left), len(totals))), logs),
        _piled(np.broadcast_to(totals, (len(left), len(totals))), left, logs),
    )
    return above + _SAME_PATH, below - _SAME_PATH


def _piled(capacities: np.ndarray, amounts: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the sum of -log n! where each amount fills the largest of its places first.

    Parameters
    ----------
    capacities : numpy.ndarray of shape (n_nodes, n_places)
        In descending order.
    amounts : numpy.ndarray of shape (n_nodes, n_amounts)
        Units to place.
    logs : numpy.ndarray of shape (n_units + 1,)
        Logarithm of n! by n.
    """
    before = np.concatenate(
        [np.zeros((len(capacities), 1), dtype=int), np.cumsum(capacities, axis=1)[:, :-1]], axis=1
    )
    filled = np.clip(amounts[:, :, None] - before[:, None, :], 0, capacities[:, None, :])
    return -logs[filled].sum(axis=(1, 2))


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
