"""The stage that extracts controls: every mask, kind and draw, once, from the store."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from pipeline import control_features
from pipeline.control_features import control_features as extracted
from pipeline.control_features import masks_with_features
from pipeline.core.errors import ProgramError
from pipeline.core.keeping.store import Store
from pipeline.extraction import load_params
from tests.support.refusals import refusal
from tests.support.store_entries import put_volume

OPTIONS = {"kinds": ["shuffled_inside", "sampled_outside"], "draws": 2}
PARAMS = load_params(
    {
        "imageType": {"Original": {}},
        "featureClass": {"firstorder": ["Mean"], "glcm": ["Contrast"]},
        "setting": {"binWidth": 25},
    }
)


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> tuple[Store, pd.DataFrame]:
    """Return a store with a CT and two readers' masks, one of them a single line."""
    store = Store(tmp_path_factory.mktemp("store"))
    hu = 10 * np.arange(20) + np.random.default_rng(0).normal(0, 3, (12, 14, 20))
    ct = sitk.GetImageFromArray(hu.astype(np.int16))
    image = put_volume(store, "image", "ct", ct)
    rows = []
    for reader, box in (("A", np.s_[3:9, 3:10, 4:16]), ("B", np.s_[5:6, 5:6, 4:16])):
        drawn = np.zeros(hu.shape, np.uint8)
        drawn[box] = 1
        mask = sitk.GetImageFromArray(drawn)
        rows.append(
            {
                "case_id": "c1", "scan_id": "s1", "reader": reader, "image": image,
                "image_hash": "i", "mask": put_volume(store, "mask", reader, mask),
                "mask_hash": reader,
            }
        )  # fmt: skip
    return store, pd.DataFrame(rows)


def test_every_mask_kind_and_draw_has_a_row(given, caplog):
    store, masks = given
    table = extracted(masks, store, PARAMS, OPTIONS, 1)
    assert len(table) == 2 * 2 * 2
    assert not table.duplicated(["case_id", "reader", "kind", "draw"]).any()
    whole = table[table["reader"] == "A"]
    assert whole.notna().all().all()
    # Shuffled twice: the same mean, another arrangement.
    inside = whole[whole["kind"] == "shuffled_inside"]
    assert inside["original_firstorder_Mean"].nunique() == 1
    assert inside["original_glcm_Contrast"].nunique() == 2
    # Without interpolation nothing around the mask reaches into it.
    outside = whole[whole["kind"] == "sampled_outside"]
    assert outside["original_glcm_Contrast"].nunique() == 1
    # A line has no texture: its rows are there, without values, and the log says why.
    assert table.loc[table["reader"] == "B", "original_glcm_Contrast"].isna().all()
    assert "c1 B, shuffled_inside 0" in caplog.text


def test_what_the_store_holds_is_not_computed_again(given, monkeypatch):
    store, masks = given
    masks = masks[masks["reader"] == "A"]
    first = extracted(masks, store, PARAMS, OPTIONS, 1)

    def no_scan(*_: object, **__: object) -> None:
        raise AssertionError("a scan was read")

    monkeypatch.setattr(control_features, "open_scan", no_scan)
    pd.testing.assert_frame_equal(extracted(masks, store, PARAMS, OPTIONS, 1), first)
    fewer = extracted(masks, store, PARAMS, OPTIONS | {"draws": 1}, 1)
    assert len(fewer) == 2
    with refusal(
        "unforeseen-error", ProgramError, match="AssertionError at c1 A, shuffled_inside 0"
    ):
        extracted(masks, store, PARAMS, OPTIONS, 2)


def test_masks_without_features_have_no_controls():
    extraction = pd.DataFrame(
        {"case_id": ["c1", "c1"], "reader": ["A", "B"], "scan_id": "s1", "status": ["ok", "error"]}
    )
    masks = pd.DataFrame(
        {"case_id": ["c1", "c1"], "reader": ["A", "B"], "mask": ["a", "b"], "mask_hash": ["1", "2"]}
    )
    ingest = pd.DataFrame({"scan_id": ["s1"], "image": ["i"], "image_hash": ["3"]})
    rows = masks_with_features(extraction, ingest, masks)
    assert rows["reader"].tolist() == ["A"]
    assert rows.loc[0, ["image", "mask_hash"]].tolist() == ["i", "1"]
