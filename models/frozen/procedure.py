"""One fitted procedure: blocks of steps and a classifier, from a description and its arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from models.frozen import classifiers, steps
from models.frozen.boosted_trees import BoostedTrees, is_tree
from models.frozen.container import refused
from models.frozen.harmonisation import Harmonisation, read_harmonisation
from models.frozen.steps import Input

#: Columns, rows and layers beyond these are no model of this project.
MOST_COLUMNS, MOST_STEPS, MOST_GATED = 20_000, 20, 20

Shape = tuple[int | None, ...]
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Block:
    """Steps from some columns of a table to some columns that a classifier sees.

    Attributes
    ----------
    inputs : tuple of Input
        Columns of the table.
    impute : mapping
        ``kind`` (fill, nearest or round_robin), and ``neighbours`` of nearest.
    kept : ndarray of int
        Which of the encoded columns are handed on.
    arrays : dict
        What the steps learned.
    harmonise : Harmonisation or None
        What was learned of sites, where the study harmonised the block's columns.
    """

    inputs: tuple[Input, ...]
    impute: Mapping
    kept: np.ndarray
    arrays: Arrays
    harmonise: Harmonisation | None = None

    @property
    def encoded(self) -> list[str]:
        """Names of the encoded columns."""
        return [name for one in self.inputs for name in one.encoded]

    def apply(self, table: pd.DataFrame) -> np.ndarray:
        """Return what a table's rows are to the classifier, shape (n_rows, n_kept)."""
        values = steps.encode(table, self.inputs)
        if self.impute["kind"] == "fill":
            values = steps.fill(values, self.arrays)
        elif self.impute["kind"] == "nearest":
            values = steps.nearest(values, self.arrays, self.impute["neighbours"])
        else:
            values = steps.round_robin(values, self.arrays)
        if self.harmonise is not None:
            values = self.harmonise.apply(values, table)
        return steps.scale(values, self.arrays)[:, self.kept]


@dataclass(frozen=True)
class Procedure:
    """Blocks of steps and the classifier behind them.

    Attributes
    ----------
    blocks : tuple of Block
        In the order of their columns.
    signature : tuple of str
        Columns that the classifier sees.
    classifier : mapping
        Its ``kind`` and numbers.
    risk_of : callable
        From rows of these columns to risks.
    arrays : dict
        The classifier's arrays.
    """

    blocks: tuple[Block, ...]
    signature: tuple[str, ...]
    classifier: Mapping
    risk_of: Callable[[np.ndarray], np.ndarray]
    arrays: Arrays

    @property
    def inputs(self) -> list[Input]:
        """Columns of a table from which it starts; one that two steps need stands twice."""
        own = [one for block in self.blocks for one in block.inputs]
        return own + [one for step in self.harmonisations for one in step.inputs]

    @property
    def harmonisations(self) -> list[Harmonisation]:
        """Steps that need to know the site of each row."""
        return [block.harmonise for block in self.blocks if block.harmonise is not None]

    def design(self, table: pd.DataFrame) -> np.ndarray:
        """Return what a table's rows are to the classifier, shape (n_rows, n_signature)."""
        parts = [block.apply(table) for block in self.blocks]
        return np.column_stack(parts) if parts else np.empty((len(table), 0))

    def risk(self, table: pd.DataFrame) -> np.ndarray:
        """Return the risk of each row, shape (n_rows,); NaN where a site is needed and blank."""
        risk = self.risk_of(self.design(table))
        for step in self.harmonisations:
            risk = np.where(step.unknown(table), np.nan, risk)
        return risk


def read_procedure(
    facts: Mapping,
    name: str,
    members: Mapping[str, bytes],
    taken: dict[str, np.ndarray],
    where: str,
) -> Procedure:
    """Return the procedure that checked JSON describes, with its arrays.

    Parameters
    ----------
    facts : mapping
        Its description, which keeps to the schema.
    name : str
        Its name in the names of members: ``procedure``, or ``refit12``.
    members : mapping
        Members of the file.
    taken : dict
        Arrays by member, as read; those that belong to the procedure are taken out of it.
    where : str
        Name of the file, for errors.

    Raises
    ------
    StudyError
        If arrays are missing, of another type or shape, or contradict each other.
    """

    def get(path: str, kind: str, *shape: int | None) -> np.ndarray:
        member = f"arrays/{name}.{path}.npy"
        values = taken.pop(member, None)
        if values is None:
            raise refused(
                "A frozen model must hold its arrays",
                f"no {member}",
                where,
                code="frozen-array-missing",
            )
        fits = values.ndim == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, values.shape, strict=True)
        )
        if values.dtype.str != kind or not fits:
            due = " x ".join("any" if size is None else str(size) for size in shape)
            raise refused(
                "An array of a frozen model must have the type and shape that its model states",
                f"{values.dtype.str} {values.shape}, where {kind} {due} is due",
                f"{where}, {member}",
                code="frozen-array-shape",
            )
        return values

    blocks = tuple(_block(one, number, get, where) for number, one in enumerate(facts["blocks"]))
    signature = tuple(each for one in facts["blocks"] for each in one["kept"])
    columns = [one.column for block in blocks for one in block.inputs]
    columns += [block.harmonise.site.column for block in blocks if block.harmonise is not None]
    if len(set(columns)) < len(columns) or len(set(signature)) < len(signature):
        raise refused(
            "Each column must stand in a frozen procedure once",
            "one that stands twice",
            where,
            code="frozen-column-repeated",
        )
    kind = facts["classifier"]["kind"]
    if (kind == "constant") != (not signature):
        raise refused(
            "A frozen classifier needs columns, and only the constant one needs none",
            f"{kind} with {len(signature)} columns",
            where,
            code="frozen-classifier-columns",
        )
    member = f"trees/{name}.json"
    trees = None
    if kind == "boosted_trees":
        if member not in members:
            raise refused(
                "A frozen model must hold its trees",
                f"no {member}",
                where,
                code="frozen-trees-missing",
            )
        trees = BoostedTrees(members[member], len(signature), f"{where}, {member}")
    return _with_classifier(facts["classifier"], blocks, signature, get, trees, where)


def array_names(facts: Mapping, name: str) -> set[str]:
    """Return the names of the JSON members that belong to a procedure."""
    return {f"trees/{name}.json"} if facts["classifier"]["kind"] == "boosted_trees" else set()


Get = Callable[..., np.ndarray]


def _block(facts: Mapping, number: int, get: Get, where: str) -> Block:
    inputs = tuple(
        Input(one["column"], tuple(one.get("levels", ())), one.get("fill"), one["indicator"])
        for one in facts["inputs"]
    )
    for one in inputs:
        if one.levels and (len(set(one.levels)) < len(one.levels) or one.fill not in one.levels):
            raise refused(
                "Levels of a frozen predictor must differ, and the one that fills be one of them",
                one.column[:80],
                where,
                code="frozen-levels-repeated",
            )
        if not one.levels and one.fill is not None:
            raise refused(
                "A number is not filled by a level",
                one.column[:80],
                where,
                code="frozen-number-filled-by-level",
            )
    encoded = [name for one in inputs for name in one.encoded]
    n = len(encoded)
    if len(set(encoded)) < n or not set(facts["kept"]) <= set(encoded) or n > MOST_COLUMNS:
        raise refused(
            "The columns that a frozen block hands on must be columns that it has, each once",
            f"{len(facts['kept'])} of {n}",
            where,
            code="frozen-block-columns",
        )
    kept = np.array([encoded.index(name) for name in facts["kept"]], dtype=np.int64)
    b, kind = f"block{number}", facts["impute"]["kind"]
    arrays = {name: get(f"{b}.{name}", "<f8", n) for name in ("center", "scale")}
    arrays["constant"] = get(f"{b}.constant", "|b1", n)
    positive = ["scale"]
    if kind == "fill":
        arrays["fill"] = get(f"{b}.fill", "<f8", n)
    else:
        arrays |= {name: get(f"{b}.{name}", "<f8", n) for name in ("middle", "spread")}
        positive.append("spread")
    if kind == "nearest":
        arrays["rows"] = get(f"{b}.rows", "<f8", None, n)
        arrays["known"] = get(f"{b}.known", "|b1", len(arrays["rows"]), n)
    if kind == "round_robin":
        arrays["initial"] = get(f"{b}.initial", "<f8", n)
        arrays |= _regressions(get, b, n, where)
    if any((arrays[name] <= 0).any() for name in positive):
        raise refused(
            "A scale of a frozen model must be above 0",
            "one that is not",
            where,
            code="frozen-scale-not-positive",
        )
    harmonise = None
    if "harmonise" in facts:

        def of_sites(name: str, kind: str, *shape: int | None) -> np.ndarray:
            return get(f"{b}.harmonise.{name}", kind, *shape)

        harmonise = read_harmonisation(facts["harmonise"], of_sites, n, where)
    return Block(inputs, facts["impute"], kept, arrays, harmonise)


def _regressions(get: Get, b: str, n: int, where: str) -> Arrays:
    target = get(f"{b}.target", "<i4", None)
    begin = get(f"{b}.begin", "<i4", len(target) + 1)
    source = get(f"{b}.source", "<i4", None)
    if not (_within(target, n) and _within(source, n) and _rises(begin, len(source))):
        raise refused(
            "Regressions of a frozen imputation must name columns that there are",
            "another",
            where,
            code="frozen-imputation-columns",
        )
    return {
        "target": target,
        "begin": begin,
        "source": source,
        "weight": get(f"{b}.weight", "<f8", len(source)),
        "intercept": get(f"{b}.intercept", "<f8", len(target)),
    }


def _with_classifier(
    facts: Mapping,
    blocks: tuple[Block, ...],
    signature: tuple[str, ...],
    get: Get,
    trees: BoostedTrees | None,
    where: str,
) -> Procedure:
    kind, n, arrays = facts["kind"], len(signature), {}
    if kind == "boosted_trees":
        return Procedure(blocks, signature, facts, trees.risk, arrays)
    if kind in ("logistic", "linear_machine"):
        arrays["coefficient"] = get("classifier.coefficient", "<f8", n)
    elif kind == "radial_machine":
        arrays["vectors"] = get("classifier.vectors", "<f8", None, n)
        arrays["weight"] = get("classifier.weight", "<f8", len(arrays["vectors"]))
    elif kind == "forest":
        arrays = _forest(get, n, where)
    elif kind == "tabnet":
        arrays = _tabnet(get, facts, n)
    compute = getattr(classifiers, _FUNCTIONS[kind])

    def risk_of(Z: np.ndarray) -> np.ndarray:
        return compute(Z, facts, arrays)

    return Procedure(blocks, signature, facts, risk_of, arrays)


#: Every classifier that is computed here: function of `models.frozen.classifiers` by kind.
_FUNCTIONS = {
    "constant": "constant",
    "logistic": "logistic",
    "linear_machine": "linear_machine",
    "radial_machine": "radial_machine",
    "forest": "forest",
    "tabnet": "tabnet",
}


def _forest(get: Get, n: int, where: str) -> Arrays:
    begin = get("classifier.begin", "<i4", None)
    left = get("classifier.left", "<i4", None)
    size = len(left)
    arrays = {"begin": begin, "left": left}
    arrays |= {name: get(f"classifier.{name}", "<i4", size) for name in ("right", "column")}
    arrays |= {name: get(f"classifier.{name}", "<f8", size) for name in ("threshold", "share")}
    if not _rises(begin, size) or len(begin) < 2:
        raise refused(
            "Trees of a frozen forest must lie one behind another",
            "another order",
            where,
            code="frozen-forest-order",
        )
    inner = left >= 0
    if not _within(arrays["column"][inner], n):
        raise refused(
            "A tree must split by a column that there is",
            "another column",
            where,
            code="frozen-tree-column",
        )
    if ((arrays["share"] < 0) | (arrays["share"] > 1)).any():
        raise refused(
            "A leaf must hold a share from 0 to 1",
            "another number",
            where,
            code="frozen-leaf-share",
        )
    for number, (first, end) in enumerate(pairwise(begin)):
        if not is_tree(left[first:end], arrays["right"][first:end]):
            raise refused(
                "A tree must be one: no cycle, no loose end, no child of two parents",
                f"tree {number}",
                where,
                code="frozen-tree-broken",
            )
    return arrays


def _tabnet(get: Get, facts: Mapping, n: int) -> Arrays:
    n_d, n_a = facts["n_d"], facts["n_a"]
    arrays = {name: get(f"classifier.{name}", "<f8", n) for name in ("input_scale", "input_shift")}

    def layer(name: str, n_out: int, n_in: int) -> None:
        arrays[f"{name}_weight"] = get(f"classifier.{name}_weight", "<f8", n_out, n_in)
        arrays[f"{name}_shift"] = get(f"classifier.{name}_shift", "<f8", n_out)

    width = n_d + n_a
    names = ["split", *(f"step{step}_" for step in range(facts["steps"]))]
    for name in names:
        for number in range(facts["gated"]):
            layer(f"{name}{number}", 2 * width, width if number else n)
    for step in range(facts["steps"]):
        layer(f"attention{step}", n, n_a)
    arrays["final_weight"] = get("classifier.final_weight", "<f8", 2, n_d)
    return arrays


def _within(values: np.ndarray, n: int) -> bool:
    return bool(((values >= 0) & (values < n)).all())


def _rises(begin: np.ndarray, end: int) -> bool:
    return bool(len(begin) and begin[0] == 0 and begin[-1] == end and (np.diff(begin) >= 0).all())
