"""A sheet without ids, small: what is confused goes to nobody (full size: docs/proofs.md)."""

from __future__ import annotations

from proofs.wrong_names import PLANTED, judge, make, summary


def test_no_row_goes_to_the_wrong_patient_by_its_name(tmp_path):
    rows = make(tmp_path, seed=3, scale=0.05)
    assert set(rows["kind"]) == {"right", *PLANTED}
    found, early = judge(tmp_path, rows)
    assert early == 0
    confused = found[found["kind"] != "right"]
    assert set(confused["verdict"]) == {"questioned"}
    assert set(found[found["kind"] == "right"]["verdict"]) == {"accepted"}
    found.loc[confused.index[0], "verdict"] = "wrong in silence"  # the trial would tell it
    assert summary(found)[1] == 1


def test_the_full_trial_plants_fifty():
    assert sum(PLANTED.values()) == 50
