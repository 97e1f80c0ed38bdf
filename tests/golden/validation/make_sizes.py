"""Makes sizes.csv with pmvalsampsize of PyPI; no test runs it, the package is not needed.

pip install pmvalsampsize==0.2.1 matplotlib; python make_sizes.py
"""

import csv
from importlib.metadata import version

import matplotlib

matplotlib.use("Agg")
from pmvalsampsize.pmvalsampsize import pmvalsampsize

#: Share of events, AUROC, mean and SD of the logits, widths (O/E, slope, AUROC), threshold.
CASES = [
    (0.043, 0.80, (-3.8, 1.1), (0.2, 0.2, 0.1), None),
    (0.18, 0.75, (-1.75, 1.0), (0.2, 0.2, 0.1), None),
    (0.5, 0.90, (0.0, 2.0), (0.1, 0.3, 0.05), None),
    (0.22, 0.82, (-1.9, 1.5), (0.4, 0.25, 0.12), 0.1),
]
HEADER = (
    *("prevalence", "auroc", "lp_mean", "lp_sd", "oe_width", "slope_width", "auroc_width"),
    *("threshold", "sensitivity", "specificity", "oe", "slope", "area", "benefit", "made_by"),
)

with open("sizes.csv", "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(HEADER)
    for prevalence, auroc, lp, (oe, slope, area), threshold in CASES:
        asked = {} if threshold is None else {"threshold": threshold}
        found = pmvalsampsize(
            type="b", prevalence=prevalence, cstatistic=auroc, lpnormal=lp, oeciwidth=oe,
            csciwidth=slope, cstatciwidth=area, noprint=True, **asked,
        )  # fmt: skip
        sizes = [row[1] for row in found["results_table"] if str(row[0]).startswith("Criteria")]
        sizes += [""] * (4 - len(sizes))
        known = [found.get(name, "") for name in ("sensitivity", "specificity")]
        given = [prevalence, auroc, *lp, oe, slope, area, threshold or ""]
        out.writerow([*given, *known, *sizes, f"pmvalsampsize {version('pmvalsampsize')}"])
