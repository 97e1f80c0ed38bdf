"""Files of frozen models that a stranger made to do harm: each must be refused, none may act.

Digests are made anew, so that the first lock does not hide the others.
"""

from __future__ import annotations

import copy
import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from models.frozen.container import DIGESTS, MODEL, _digests, object_bytes, zip_of

Members = dict[str, bytes]
Random = np.random.Generator


class Planted:
    """What runs if somebody unpickles it: it leaves a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def packed(members: Members) -> bytes:
    """Return members as a file whose digests are right."""
    whole = {name: data for name, data in members.items() if name != DIGESTS}
    return zip_of({**whole, DIGESTS: _digests(whole)})


def with_model(members: Members, change: Callable[[dict], object]) -> bytes:
    """Return the file with a changed model.json."""
    facts = json.loads(members[MODEL])
    change(facts)
    return packed({**members, MODEL: object_bytes(facts)})


def array_name(members: Members, random: Random, ending: str = "") -> str:
    """Return the name of an array, drawn."""
    names = sorted(name for name in members if name.endswith(f"{ending}.npy"))
    return names[int(random.integers(len(names)))]


def changed_array(members: Members, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """Return the file with a changed array."""
    values = np.load(io.BytesIO(members[name]))
    stream = io.BytesIO()
    npy.write_array(stream, change(values.copy()), version=(1, 0))
    return packed({**members, name: stream.getvalue()})


# --- ways: (members, random, mark) -> bytes -------------------------------------------------------


def planted_pickle(members: Members, random: Random, mark: Path) -> bytes:
    stream = io.BytesIO()
    values = np.array([Planted(mark)], dtype=object)
    npy.write_array(stream, values, version=(1, 0), allow_pickle=True)
    return packed({**members, array_name(members, random): stream.getvalue()})


def bare_pickle(members: Members, random: Random, mark: Path) -> bytes:
    return packed({**members, array_name(members, random): pickle.dumps(Planted(mark))})


def pickle_alone(members: Members, random: Random, mark: Path) -> bytes:
    return pickle.dumps(Planted(mark))


def code_in_a_header(members: Members, random: Random, mark: Path) -> bytes:
    code = f"__import__('os').system('touch {mark}')"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({code},)}}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return packed({**members, array_name(members, random): data})


def traversal(members: Members, random: Random, mark: Path) -> bytes:
    names = (
        "../../x.npy",
        "/tmp/x",
        "arrays/../../x.npy",
        "..\\x",
        "C:\\x",
        "arrays/x\0.npy",
        "a/",
    )
    return packed({**members, names[int(random.integers(len(names)))]: b"x"})


def twice(members: Members, random: Random, mark: Path) -> bytes:
    stream = io.BytesIO(packed(members))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.infolist().clear()
        archive.NameToInfo.clear()
        archive.writestr(MODEL, members[MODEL])
        archive.filelist = zipfile.ZipFile(io.BytesIO(packed(members))).filelist + archive.filelist
    return stream.getvalue()


def bomb(members: Members, random: Random, mark: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("arrays/procedure.more.npy", bytes(30_000_000))
    return stream.getvalue()


def claimed_size(members: Members, random: Random, mark: Path) -> bytes:
    """State in the directory of the zip that a member is larger than the file."""
    content = bytearray(packed(members))
    at = content.rindex(b"PK\x01\x02")
    content[at + 20 : at + 28] = (0x7FFF0000).to_bytes(4, "little") * 2
    return bytes(content)


def overlap(members: Members, random: Random, mark: Path) -> bytes:
    """Let two names of the directory share the bytes of one member."""
    content = bytearray(packed(members))
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    return bytes(content)


def bytes_between(members: Members, random: Random, mark: Path) -> bytes:
    content = packed(members)
    at = content.index(b"PK\x01\x02")
    return content[:at] + b"#!/bin/sh\n" + content[at:]


def bytes_in_front(members: Members, random: Random, mark: Path) -> bytes:
    return b"#!/bin/sh\ntouch x\n" + packed(members)


def bytes_behind(members: Members, random: Random, mark: Path) -> bytes:
    return packed(members) + b"x"


def huge_array(members: Members, random: Random, mark: Path) -> bytes:
    shapes = ("(10**12,)", "(1000000000000,)", "(2147483647, 2147483647)", "(-1,)", "(-8, -8)")
    shape = shapes[int(random.integers(len(shapes)))]
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return packed({**members, array_name(members, random): data})


def nested_header(members: Members, random: Random, mark: Path) -> bytes:
    header = b"(" * 60_000
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    return packed({**members, array_name(members, random): data})


def not_finite(members: Members, random: Random, mark: Path) -> bytes:
    names = [n for n in members if n.endswith(".npy") and b"<f8" in members[n][:80]]
    bad = (np.nan, np.inf, -np.inf)[int(random.integers(3))]

    def spoil(values: np.ndarray) -> np.ndarray:
        values.flat[int(random.integers(values.size))] = bad
        return values

    if not names:
        return other_type(members, random, mark)
    return changed_array(members, sorted(names)[int(random.integers(len(names)))], spoil)


def other_type(members: Members, random: Random, mark: Path) -> bytes:
    kinds = ("<f4", ">f8", "<i8", "<c16", "<U8", "|S8", "<f2", "|u1", "<M8[s]")
    kind = kinds[int(random.integers(len(kinds)))]
    name = array_name(members, random)
    return changed_array(members, name, lambda values: np.zeros(values.shape, kind))


def other_shape(members: Members, random: Random, mark: Path) -> bytes:
    changes = (
        lambda values: np.concatenate([values, values]),
        lambda values: values[..., None],
        lambda values: values[:0],
        lambda values: values[None],
        lambda values: np.asfortranarray(np.outer(values, [1.0, 2.0])),
    )
    change = changes[int(random.integers(len(changes)))]
    return changed_array(members, array_name(members, random), change)


def no_truth(members: Members, random: Random, mark: Path) -> bytes:
    name = array_name(members, random, ".constant")
    data = members[name][:-1] + b"\x07"
    return packed({**members, name: data})


def no_scale(members: Members, random: Random, mark: Path) -> bytes:
    factor = (0.0, -1.0)[int(random.integers(2))]
    return changed_array(members, array_name(members, random, ".scale"), lambda v: v * factor)


def stranger(members: Members, random: Random, mark: Path) -> bytes:
    names = ("arrays/procedure.more.npy", "trees/procedure9.json", "arrays/refit0.block0.fill.npy")
    data = members[array_name(members, random)]
    return packed({**members, names[int(random.integers(len(names)))]: data})


def lost(members: Members, random: Random, mark: Path) -> bytes:
    gone = sorted(members)[int(random.integers(len(members)))]
    return packed({name: data for name, data in members.items() if name != gone})


def no_digests(members: Members, random: Random, mark: Path) -> bytes:
    return zip_of(members)


def wrong_digest(members: Members, random: Random, mark: Path) -> bytes:
    digests = _digests(members)
    at = digests.index(b'": "') + 4
    letter = b"0" if digests[at : at + 1] != b"0" else b"1"
    return zip_of({**members, DIGESTS: digests[:at] + letter + digests[at + 1 :]})


def bad_json(members: Members, random: Random, mark: Path) -> bytes:
    texts = (
        b"[" * 100_000,
        b'{"a": 1, "a": 2}',
        members[MODEL].replace(b'"schema"', b'"schema": 1, "schema"', 1),
        members[MODEL].replace(b'"seed": ', b'"seed": NaN, "more": ', 1),
        members[MODEL].replace(b'"seed": ', b'"seed": 1e999, "more": ', 1),
        members[MODEL].replace(b'"seed": ', b'"seed": ' + b"9" * 5000 + b', "more": ', 1),
        members[MODEL][:-3],
        b"\xff\xfe" + members[MODEL],
        b"null",
        b"",
        b'"' + b"x" * 33_000_000 + b'"',
    )
    return packed({**members, MODEL: texts[int(random.integers(len(texts)))]})


def other_facts(members: Members, random: Random, mark: Path) -> bytes:
    """Put a value that cannot be one at a drawn place of model.json."""
    values: tuple[object, ...] = ({"$ref": "file:///etc/passwd"}, ["x"], "x" * 9000, -1e305, True)
    value = values[int(random.integers(len(values)))]
    places: list[tuple] = [
        ("schema",), ("title",), ("outcome",), ("predictors", 0, "type"), ("predictors", 0, "low"),
        ("predictors", 0, "counts"), ("procedure",),
        ("procedure", "blocks", 0, "inputs", 0, "column"),
        ("procedure", "blocks", 0, "impute", "kind"), ("procedure", "classifier", "kind"),
        ("procedure", "blocks", 0, "kept"), ("recalibration", "slope"), ("training", "rows"),
        ("training", "quantiles"), ("threshold", "rule"), ("refits",), ("imaging",), ("notes",),
    ]  # fmt: skip
    place = places[int(random.integers(len(places)))]
    if place == ("threshold", "rule") and isinstance(value, str | dict):
        value = 3
    if place == ("predictors", 0, "counts") and isinstance(value, dict):
        value = {"$ref": "x"}
    if place == ("notes",) and value == ["x"]:
        value = [3]
    if place == ("procedure", "blocks", 0, "kept") and value == ["x"]:
        value = ["x", "x"]

    def change(facts: dict) -> None:
        at = facts
        for key in place[:-1]:
            at = at[key]
        at[place[-1]] = value

    return with_model(members, change)


def other_names(members: Members, random: Random, mark: Path) -> bytes:
    """Let columns, levels or predictors contradict each other."""

    def twice_in(facts: dict) -> None:
        inputs = facts["procedure"]["blocks"][0]["inputs"]
        inputs[-1]["column"] = inputs[0]["column"]

    def unknown(facts: dict) -> None:
        facts["procedure"]["blocks"][0]["kept"][0] = "another"

    def fewer(facts: dict) -> None:
        facts["predictors"].pop()

    def renamed(facts: dict) -> None:
        facts["predictors"][0]["name"] = "another"

    def reversed_range(facts: dict) -> None:
        one = next(each for each in facts["predictors"] if not each["levels"])
        one["low"], one["high"] = one["high"] + 1, one["low"]

    def no_fill(facts: dict) -> None:
        for block in facts["procedure"]["blocks"]:
            for one in block["inputs"]:
                if "levels" in one:
                    one["fill"] = "another"
                    return
        unknown(facts)

    def more_refits(facts: dict) -> None:
        facts["refits"] = [copy.deepcopy(facts["procedure"])]

    ways = (twice_in, unknown, fewer, renamed, reversed_range, no_fill, more_refits)
    return with_model(members, ways[int(random.integers(len(ways)))])


def spoiled_trees(members: Members, random: Random, mark: Path) -> bytes:
    """Make a cycle, a loose end, a column that there is not; of a model without trees, a NaN."""
    if "trees/procedure.json" in members:
        return _spoiled_boosted(members, random)
    if "arrays/procedure.classifier.left.npy" not in members:
        return not_finite(members, random, mark)
    prefix = "arrays/procedure.classifier."
    left = np.load(io.BytesIO(members[f"{prefix}left.npy"]))
    inner = np.flatnonzero(left >= 0)
    node = int(inner[int(random.integers(len(inner)))])
    begin = np.load(io.BytesIO(members[f"{prefix}begin.npy"]))
    own = node - int(begin[np.searchsorted(begin, node, side="right") - 1])

    def put(value: float) -> Callable[[np.ndarray], np.ndarray]:
        def change(values: np.ndarray) -> np.ndarray:
            values[node] = value
            return values

        return change

    ways = (
        ("left", put(own)), ("right", put(own)), ("left", put(0)), ("left", put(-1)),
        ("right", put(2**31 - 1)), ("left", put(-(2**31))), ("column", put(10_000)),
        ("column", put(-1)), ("share", put(2.0)), ("share", put(-0.1)),
        ("begin", lambda values: values[::-1].copy()), ("begin", lambda values: values + 1),
    )  # fmt: skip
    name, change = ways[int(random.integers(len(ways)))]
    return changed_array(members, f"{prefix}{name}.npy", change)


def _spoiled_boosted(members: Members, random: Random) -> bytes:
    model = json.loads(members["trees/procedure.json"])
    learner = model["learner"]
    booster = learner["gradient_booster"]["model"]
    trees = [tree for tree in booster["trees"] if len(tree["left_children"]) > 1]
    tree = trees[int(random.integers(len(trees)))]

    def put(name: str, at: int, value: object) -> Callable[[], None]:
        return lambda: tree[name].__setitem__(at, value)

    ways: tuple[Callable[[], object], ...] = (
        put("left_children", 0, 0), put("right_children", 0, 1), put("left_children", 0, 10**6),
        put("left_children", 0, -5), put("left_children", 0, 1.5), put("left_children", 0, True),
        put("split_indices", 0, 999), put("split_indices", 0, -1), put("parents", 1, 2),
        put("split_conditions", 0, 1e300), put("split_conditions", 0, "x"), put("split_type", 0, 1),
        put("default_left", 0, 2), put("base_weights", 0, None),
        tree["left_children"].pop, lambda: tree["sum_hessian"].append(0.0),
        lambda: tree.update(id=7000), lambda: tree.update(categories=[1]), lambda: tree.pop("id"),
        lambda: tree["tree_param"].update(num_nodes="99999999"),
        lambda: tree.update(more=1), lambda: learner.update(attributes={"a": "b"}),
        lambda: learner["learner_model_param"].update(num_feature="9999"),
        lambda: learner["learner_model_param"].update(num_class="3"),
        lambda: learner["learner_model_param"].update(base_score="nan"),
        lambda: learner["learner_model_param"].update(base_score="7E-1]; x"),
        lambda: learner["objective"].update(name="reg:squarederror"),
        lambda: learner["gradient_booster"].update(name="dart"),
        lambda: booster["gbtree_model_param"].update(num_trees="4000000000"),
        lambda: booster["tree_info"].append(0), booster["trees"].clear,
        booster["iteration_indptr"].reverse, lambda: booster.update(cats={}),
        lambda: model.update(version=[99, "x", 0]), lambda: model.pop("learner"),
    )  # fmt: skip
    ways[int(random.integers(len(ways)))]()
    data = json.dumps(model).encode()
    return packed({**members, "trees/procedure.json": data})


def library_format(members: Members, random: Random, mark: Path) -> bytes:
    """Hand over something that a library would unpack, under the name of trees."""
    facts = json.loads(members[MODEL])
    facts["procedure"]["classifier"] = {"kind": "boosted_trees"}
    data = (b"{L\x00\x00", zlib.compress(bytes(1000)), b"binf", b"{}")[int(random.integers(4))]
    return packed({**members, MODEL: object_bytes(facts), "trees/procedure.json": data})


WAYS: tuple[Callable[[Members, Random, Path], bytes], ...] = (
    planted_pickle, bare_pickle, pickle_alone, code_in_a_header, traversal, twice, bomb,
    claimed_size, overlap, bytes_between, bytes_in_front, bytes_behind, huge_array, nested_header,
    not_finite, other_type, other_shape, no_truth, no_scale, stranger, lost, no_digests,
    wrong_digest, bad_json, other_facts, other_names, spoiled_trees, spoiled_trees, library_format,
)  # fmt: skip


def spoiled_sites(members: Members, random: Random, mark: Path) -> bytes:
    """Let the description of a harmonisation contradict itself, its arrays or the predictors."""

    def change(facts: dict) -> None:
        step = facts["procedure"]["blocks"][0]["harmonise"]
        site = next(one for one in facts["predictors"] if one["block"] == "site")
        ways: tuple[Callable[[], object], ...] = (
            lambda: step["sites"].append("east"), step["sites"].pop,
            step["sites"].clear, lambda: step["sites"].append(step["sites"][0]),
            lambda: step.update(sites=["x"] * 1001), lambda: step.update(passed=["east"]),
            lambda: step.update(passed=step["sites"]), lambda: step.update(reference="east"),
            lambda: step.update(column="age"), lambda: step.update(column="another"),
            lambda: step.update(method="own"), lambda: step.update(more=1),
            step["covariates"].pop, step["covariates"].clear,
            lambda: step["covariates"].append(step["covariates"][0]),
            lambda: step["covariates"][0].update(column="another"),
            lambda: step["covariates"][-1].update(fill="another"),
            lambda: site.update(block="clinical"), lambda: site.update(levels=["north", "east"]),
            lambda: facts["predictors"].remove(site), lambda: step.pop("sites"),
            lambda: facts["predictors"][0].update(block="site"),
            lambda: facts["procedure"]["blocks"][0].pop("harmonise"),
            lambda: facts["procedure"]["blocks"][0].update(harmonise=None),
        )  # fmt: skip
        ways[int(random.integers(len(ways)))]()

    return with_model(members, change)


def spoiled_site_arrays(members: Members, random: Random, mark: Path) -> bytes:
    """Give an array of a harmonisation another shape, type or sign, NaN, or take it away."""
    names = sorted(name for name in members if ".harmonise." in name)
    name = names[int(random.integers(len(names)))]
    if name.endswith((".unit.npy", ".spread.npy", ".stretch.npy")) and random.random() < 0.5:
        return changed_array(members, name, lambda values: -values)
    ways: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        lambda values: values[:-1], lambda values: values[..., :-1], lambda values: values[None],
        lambda values: values.astype(np.int32), lambda values: values * np.float64(np.nan),
        lambda values: values.ravel()[:0], lambda values: np.concatenate([values, values]),
    )  # fmt: skip
    at = int(random.integers(len(ways) + 1))
    if at == len(ways):
        return packed({each: data for each, data in members.items() if each != name})
    return changed_array(members, name, ways[at])


#: Of a model that harmonises features between sites, with covariates, the last of levels.
SITE_WAYS: tuple[Callable[[Members, Random, Path], bytes], ...] = (
    spoiled_sites, spoiled_site_arrays,
)  # fmt: skip
