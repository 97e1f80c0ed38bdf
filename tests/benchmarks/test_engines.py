"""What the comparison of TabNet's engines says of paired differences."""

import pytest

from benchmarks.engines import ENGINES, MEASURES, rows


def seeds(*differences):
    """Return seeds on which the first engine is better by the differences."""
    return [
        {
            ENGINES[0]: dict.fromkeys(MEASURES, 0.8 + number / 100 + difference),
            ENGINES[1]: dict.fromkeys(MEASURES, 0.8 + number / 100),
        }
        for number, difference in enumerate(differences)
    ]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        # By hand: mean .002, standard error .002 / sqrt(3), t(.95, 2) = 2.920.
        ((0.0, 0.002, 0.004), "+0.0020   -0.0014 to +0.0054, within 0.01"),
        ((0.01, 0.012, 0.014), "+0.0120   +0.0086 to +0.0154, not within 0.01"),
        ((-0.01, -0.012, -0.014), "-0.0120   -0.0154 to -0.0086, not within 0.01"),
    ],
)
def test_a_difference_is_none_where_its_interval_lies_within_the_margin(differences, expected):
    heading, *lines = rows(seeds(*differences))
    assert heading.startswith("AUROC over 3 seeds")
    assert len(lines) == len(MEASURES)
    assert all(line.endswith(expected) for line in lines)


def test_one_seed_has_no_interval():
    _, *lines = rows(seeds(0.5))
    assert all(line.endswith("+0.5000") for line in lines)
