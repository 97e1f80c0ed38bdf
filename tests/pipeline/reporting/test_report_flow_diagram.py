"""The flow diagram: every number is drawn, boxes do not overlap, labels cannot break the page."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reporting.figures.flow_diagram import flow_diagram

SVG = "{http://www.w3.org/2000/svg}"


def step(label: str, patients: int, excluded: list[dict] | None = None) -> dict:
    return {"label": label, "patients": patients, "cases": patients, "excluded": excluded or []}


def reason(label: str, patients: int) -> dict:
    return {"reason": label, "patients": patients, "cases": patients, "ids": []}


def boxes(svg: str) -> list[tuple[float, float, float, float]]:
    tree = ElementTree.fromstring(svg)
    return [
        tuple(float(box.get(name)) for name in ("x", "y", "width", "height"))
        for box in tree.iter(f"{SVG}rect")
    ]


def texts(svg: str) -> str:
    return " ".join(node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def test_all_counts_and_reasons_are_drawn():
    steps = [step("Handed in", 1253, [reason("not eligible", 397)]), step("Eligible", 856)]
    drawn = texts(flow_diagram(steps, [("Training", "72 events"), ("Test", "30 events")]))
    for part in ("1,253 patients", "not eligible", "397 patients", "856 patients", "30 events"):
        assert part in drawn


def test_one_patient_is_singular():
    assert "1 patient, 1 case" in texts(flow_diagram([step("Handed in", 1)]))


def test_labels_are_escaped():
    svg = flow_diagram([step("age < 50 & <script>", 3, [reason("<b>", 1)]), step("rest", 2)])
    assert "<script>" not in svg
    assert "age < 50 & <script>" in texts(svg)


def test_an_empty_label_leaves_a_box():
    assert len(boxes(flow_diagram([step("", 3)]))) == 1


@given(
    st.lists(
        st.tuples(st.text("abc ", min_size=1, max_size=120), st.integers(0, 3)),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
)
def test_boxes_never_overlap_nor_leave_the_picture(labels, split):
    steps = [step(label, 9, [reason(label, 1) for _ in range(amount)]) for label, amount in labels]
    svg = flow_diagram(steps, [("Training", "x"), ("Test", "y")] if split else [])
    found = boxes(svg)
    width, height = (float(v) for v in ElementTree.fromstring(svg).get("viewBox").split()[2:])
    assert len(found) == len(steps) + sum(1 for _, n in labels if n) + 2 * split
    for index, (x, y, w, h) in enumerate(found):
        assert x >= 0
        assert x + w <= width
        assert y + h <= height
        for x2, y2, w2, h2 in found[index + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
