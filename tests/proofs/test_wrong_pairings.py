"""Planted confusions: a small hospital of every kind of them (docs/proofs.md has the full size)."""

from __future__ import annotations

from proofs.wrong_pairings import PLANTED, judge, make, summary


def test_no_confusion_is_accepted_in_silence(tmp_path):
    patients, planted = make(tmp_path, seed=3, scale=0.05)
    assert sorted({*planted.masks.values(), *planted.rows.values()}) == sorted(PLANTED)
    found = judge(tmp_path, patients, planted)
    confused = found[found["kind"] != "right"]
    assert len(confused) == 2 * len(PLANTED)
    assert set(confused["verdict"]) <= {"refused", "questioned"}
    masks = found[(found["what"] == "mask") & (found["kind"] == "right")]
    assert set(masks["verdict"]) == {"accepted"}
    _, silent, _ = summary(found)
    assert silent == 0
    # the trial itself tells silence: a confusion that nobody refused would be one
    found.loc[confused.index[0], "verdict"] = "wrong in silence"
    assert summary(found)[1] == 1


def test_the_full_trial_plants_fifty():
    assert sum(PLANTED.values()) == 50
