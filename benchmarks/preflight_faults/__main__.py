"""Plant every fault in clean vertebrae, judge them by the stages, and count what is found.

``python -m benchmarks.preflight_faults --data TESTDATA`` prints the tables of docs/preflight.md;
without public data only the synthetic spines are judged.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.preflight_faults.faults import FAULTS
from benchmarks.preflight_faults.judging import judge_clean, plant
from benchmarks.preflight_faults.scenes import Scene, real, synthetic
from pipeline.study.option_numbers import bounded_number

SYNTHETIC = 12
KINDS = {
    "synthetic": "synthetic bodies",
    "body": "real bodies",
    "vertebra": "real whole vertebrae",
}


def clean_table(scenes: Sequence[Scene]) -> str:
    """Return the table of false alarms as Markdown."""
    verdicts: dict[str, Counter] = defaultdict(Counter)
    said: dict[str, Counter] = defaultdict(Counter)
    for kind, verdict, codes in judge_clean(scenes):
        verdicts[kind][verdict] += 1
        said[kind].update(codes.keys())
    lines = [
        "| clean masks | n | errors | warnings | findings |",
        "|---|---|---|---|---|",
    ]
    for kind, counts in verdicts.items():
        listed = ", ".join(f"`{code}` {count}" for code, count in said[kind].most_common())
        lines.append(
            f"| {KINDS[kind]} | {counts.total()} | {counts['error']} | {counts['warning']} "
            f"| {listed or 'none'} |"
        )
    return "\n".join(lines)


def fault_table(scenes: Sequence[Scene]) -> str:
    """Return the table of planted faults as Markdown."""
    counts: dict[str, dict[str, Counter]] = defaultdict(lambda: defaultdict(Counter))
    severities: dict[str, Counter] = defaultdict(Counter)
    for name, kind, codes, named in plant(scenes, FAULTS):
        counts[name][kind].update(n=1, found=bool(codes), named=named)
        worst = "error" if "error" in codes.values() else "warning"
        if codes:
            severities[name][worst] += 1
    kinds = [kind for kind in KINDS if any(kind in by_kind for by_kind in counts.values())]
    lines = [
        "| planted fault | " + " | ".join(KINDS[kind] for kind in kinds) + " | verdict |",
        "|---|" + "---|" * (len(kinds) + 1),
    ]
    for name in FAULTS:
        by_kind = counts[name]
        cells = []
        for kind in kinds:
            one = by_kind[kind]
            cell = f"{one['named']}/{one['n']}"
            if one["found"] != one["named"]:
                cell += f" ({one['found']})"
            cells.append(cell if one["n"] else "")
        verdict = ", ".join(f"{word} {count}" for word, count in severities[name].most_common())
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {verdict or 'ok'} |")
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.preflight_faults")
    arguments.add_argument(
        "--data",
        type=Path,
        default=os.environ.get("VERTEBROMICS_TESTDATA"),
        help="folder of the public test data (default: $VERTEBROMICS_TESTDATA)",
    )
    arguments.add_argument(
        "--synthetic", type=bounded_number(minimum=0), default=SYNTHETIC, help="synthetic spines"
    )
    options = arguments.parse_args()
    logging.disable()  # every planted fault would be logged
    scenes = [
        *synthetic(range(options.synthetic)),
        *(real(Path(options.data)) if options.data else ()),
    ]
    print(clean_table(scenes), fault_table(scenes), sep="\n\n")


if __name__ == "__main__":
    main()
