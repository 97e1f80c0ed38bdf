"""How fast, how small and how equal the extraction is, against plain PyRadiomics.

``make bench-extraction``, or ``python -m benchmarks.extraction`` with a part of the table. Ratios
are measured side by side in one run, on one core, on the same files; what is compared takes turns
(A B A B), since the load of a machine changes by the minute. A ratio is that of the least CPU
times, which other processes disturb least; the ratio of the median wall times stands beside it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import SimpleITK as sitk
import yaml

from benchmarks.cohort import Scan, make_scan
from benchmarks.timing import ROOT, Runs, commands_take_turns, take_turns
from pipeline.study.option_numbers import bounded_number

#: What the cohort of the first study would be.
COHORT_SCANS, COHORT_MASKS = 856, 1712

#: Scans that stand for the cohort; the time of the others is extrapolated.
SCANS_MEASURED = 64

PARTS = ("warm", "cold", "prepared", "store", "cohort", "equality")


class Row(NamedTuple):
    """One figure of the table.

    Attributes
    ----------
    figure : str
        What was measured.
    value : float
        The measured value.
    unit : str
        ``x`` for ratios.
    must, aim : float or None
        What has to be reached, and what is aimed at; None for a figure that is only told.
    details : str
        The measurements behind the value.
    """

    figure: str
    value: float
    unit: str
    must: float | None
    aim: float | None
    details: str

    @property
    def verdict(self) -> str:
        """Return ``aim``, ``must`` or ``MISSED``; nothing where nothing is demanded."""
        if self.must is None:
            return ""
        # Ratios of speed ask for at least what is demanded, all else for at most.
        reached = self.value.__ge__ if self.unit == "x faster" else self.value.__le__
        return "aim" if reached(self.aim) else "must" if reached(self.must) else "MISSED"


def faster(
    figure: str, fast: Runs, plain: Runs, must: float | None = None, aim: float | None = None
) -> Row:
    """Return the row of a ratio of speed, from the least CPU time of each side."""
    wall = statistics.median(plain.wall) / statistics.median(fast.wall)
    details = f"wall {wall:.1f}x; fast {fast.text()}; plain {plain.text()}"
    return Row(figure, min(plain.cpu) / min(fast.cpu), "x faster", must, aim, details)


def warm(scan: Scan, folder: Path, rounds: int) -> Iterator[Row]:
    """Measure both readers' masks of one scan, from files, in a process that is already running."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    from benchmarks.scan_worker import extract_scan
    from pipeline.extraction import load_params

    files = parameter_files(folder)
    params = load_params(files["lean"])
    extractors = {name: RadiomicsFeatureExtractor(str(path)) for name, path in files.items()}

    def plain(name: str) -> None:
        for mask in scan.masks:
            extractors[name].execute(str(scan.image), str(mask))

    runs = take_turns(
        {
            "fast": lambda: extract_scan(scan.image, scan.masks, params),
            "defaults": lambda: plain("defaults"),
            "lean": lambda: plain("lean"),
        },
        rounds,
    )
    yield faster("two readers, 512x512x120, warm", runs["fast"], runs["defaults"], 25, 30)
    yield faster("the same against additionalInfo: false", runs["fast"], runs["lean"], 11, 18)


def cold(scan: Scan, folder: Path, rounds: int) -> Iterator[Row]:
    """Measure both commands from the start of Python to the table, and their memory."""
    params = parameter_files(folder)
    batch = folder / "batch.csv"
    pd.DataFrame({"Image": scan.image, "Mask": scan.masks}).to_csv(batch, index=False)

    def plain(name: str) -> list[str | Path]:
        command = [Path(sys.executable).parent / "pyradiomics", batch, "--param", params[name]]
        return [*command, "--format", "csv", "--out", folder / f"{name}.csv"]

    fast = [sys.executable, "-m", "pipeline.extraction", scan.image, *scan.masks]
    fast += ["--params", params["lean"], "--engine", "fast", "--out", folder / "fast.csv"]
    commands = {"fast": fast, "defaults": plain("defaults"), "lean": plain("lean")}
    # With an empty folder of byte code Python compiles every module, as after an installation.
    first = commands_take_turns(
        {name: commands[name] for name in ("fast", "lean")},
        1,
        PYTHONPYCACHEPREFIX=str(folder / "no_bytecode"),
    )
    runs = commands_take_turns(commands, rounds)
    yield faster("cold command, two readers", runs["fast"], runs["defaults"], 8, 12)
    yield faster("the same against additionalInfo: false", runs["fast"], runs["lean"])
    yield faster("the very first start, without byte code", first["fast"], first["lean"])
    peaks = {name: max(runs[name].megabytes) for name in ("fast", "lean")}
    yield Row(
        "peak memory against plain", peaks["fast"] / peaks["lean"], "x", 0.45, 0.3,
        f"fast {peaks['fast']:.0f} MB; plain {peaks['lean']:.0f} MB",
    )  # fmt: skip


def prepared(scan: Scan, folder: Path, rounds: int) -> Iterator[Row]:
    """Measure 107 features of a region that is normalised, resampled and cropped already."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    from pipeline.extraction import extract_features, load_params

    extractor = RadiomicsFeatureExtractor(str(parameter_files(folder)["lean"]))
    image, mask = extractor.loadImage(str(scan.image), str(scan.masks[0]), **extractor.settings)
    content = {
        "setting": {"binWidth": 25, "additionalInfo": False},
        "imageType": {"Original": {}},
        "featureClass": {"shape": None, "firstorder": None, "glcm": None, "glrlm": None,
                         "glszm": None, "gldm": None, "ngtdm": None},
    }  # fmt: skip
    params, plain = load_params(content), RadiomicsFeatureExtractor(content)
    runs = take_turns(
        {
            "fast": lambda: extract_features(image, mask, params, engine="fast"),
            "plain": lambda: plain.execute(image, mask),
        },
        rounds * 10,
    )
    yield faster("107 features on a prepared ROI", runs["fast"], runs["plain"], 18, 30)


def store(scan: Scan, folder: Path, rounds: int) -> Iterator[Row]:
    """Measure what digests and flushing of the store take beside the cohort's extraction."""
    from benchmarks.store import Cost
    from benchmarks.store import measure as measure_store
    from pipeline.extraction import load_params

    params = load_params(parameter_files(folder)["lean"])
    costs = [measure_store(scan, folder / f"store{n}", params) for n in range(max(rounds, 2))]
    stages = {
        name: [sys.executable, "-m", f"pipeline.{name}", "--help"]
        for name in ("resample", "extract")
    }
    starts = commands_take_turns(stages, 2)
    # The least of each, which other processes disturb least.
    least = Cost(*(min(values) for values in zip(*costs, strict=True)))
    whole, spent = least.in_cohort(len(scan.masks), sum(min(runs.cpu) for runs in starts.values()))
    details = f"CPU seconds a scan {whole:.2f} (its share of Python's start and of the rows that "
    details += f"are verified among them), of digests {spent:.4f}; without start and verification "
    details += f"{least.extraction:.2f}, of digests {least.digests:.4f}"
    figure = "digests of the store, of a cohort's extraction"
    yield Row(figure, 100 * spent / whole, "%", 3, 2, details)
    details = (
        f"{least.flushing:.4f} s a scan, which depends on the disk; in ingest and masks before "
    )
    details += f"{least.before_flushing:.4f} s, digests there {least.before_digests:.4f} s"
    yield Row(
        "flushing to the disk beside it", 100 * least.flushing / whole, "%", None, None, details
    )


def cohort(folder: Path, params: Path, rounds: int) -> Iterator[Row]:
    """Measure `SCANS_MEASURED` scans in one and in two processes, and extrapolate to the cohort."""
    folders = [make_scan(folder / f"scan{seed}", seed).image.parent for seed in range(4)] * (
        SCANS_MEASURED // 4
    )

    def run(workers: int) -> tuple[float, float]:
        """Return the wall seconds, and the CPU seconds of all workers together."""
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        jobs = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.scan_worker", params, *folders[part::workers]],
                cwd=ROOT,
            )
            for part in range(workers)
        ]
        states = [job.wait() for job in jobs]
        if any(states):
            raise RuntimeError("a worker failed, see above")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return time.perf_counter() - start, cpu

    runs: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for _ in range(rounds):
        for workers, measures in runs.items():
            measures.append(run(workers))
    (one, one_cpu), (two, two_cpu) = (
        tuple(map(min, zip(*measures, strict=True))) for measures in runs.values()
    )
    details = (
        f"{SCANS_MEASURED} scans of two masks, the starts of Python among them: one worker wall "
    )
    details += (
        f"{one:.2f} s, CPU {one_cpu:.2f} s; two workers wall {two:.2f} s, CPU {two_cpu:.2f} s"
    )
    yield Row("two workers against one", one / two, "x faster", 1.9, 1.9, details)
    free = "what two cores would give that do nothing else: twice the ratio of CPU seconds"
    yield Row("the same by CPU seconds", 2 * one_cpu / two_cpu, "x faster", None, None, free)
    figure = f"{COHORT_MASKS:,} masks of {COHORT_SCANS} scans on two cores, extrapolated"
    minutes = COHORT_SCANS / SCANS_MEASURED / 60
    yield Row(figure, two * minutes, "min", 8, 4, details)
    free = "half of the CPU seconds of two workers"
    yield Row("the same by CPU seconds", two_cpu / 2 * minutes, "min", None, None, free)


def equality() -> Iterator[Row]:
    """Compare the fast engine with the stored plain values of the test matrix."""
    from tests.extraction_matrix.comparison import largest_differences

    table = largest_differences("fast")
    worst = table.loc[table["difference"].idxmax()]
    details = f"{len(table)} cases, {table['features'].sum():,} values; {worst['case']}: "
    details += f"{worst['feature']}"
    yield Row(
        "largest relative difference over the matrix",
        worst["difference"], "", 1e-6, 1e-9, details,
    )  # fmt: skip


def parameter_files(folder: Path) -> dict[str, Path]:
    """Write the published parameters with and without PyRadiomics' default ``additionalInfo``."""
    content = yaml.safe_load((ROOT / "radiomics_params" / "ge2025.yaml").read_text("utf-8"))
    paths = {"defaults": folder / "defaults.yaml", "lean": folder / "lean.yaml"}
    content["setting"]["additionalInfo"] = False
    paths["lean"].write_text(yaml.safe_dump(content), encoding="utf-8")
    del content["setting"]["additionalInfo"]
    paths["defaults"].write_text(yaml.safe_dump(content), encoding="utf-8")
    return paths


def measure(parts: tuple[str, ...], rounds: int) -> Iterator[Row]:
    """Yield the rows of the wanted `parts`, each measured `rounds` times and more."""
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="bench-extraction-") as name:
        folder = Path(name)
        scan = make_scan(folder / "scan")
        # Everything on one core, so that a library's threads win nothing.
        os.sched_setaffinity(0, {max(cores)})
        if "warm" in parts:
            yield from warm(scan, folder, rounds)
        if "cold" in parts:
            yield from cold(scan, folder, rounds)
        if "prepared" in parts:
            yield from prepared(scan, folder, rounds)
        if "store" in parts:
            yield from store(scan, folder, rounds)
        os.sched_setaffinity(0, cores)
        if "cohort" in parts:
            yield from cohort(folder, parameter_files(folder)["lean"], rounds)
    if "equality" in parts:
        yield from equality()


def main(argv: list[str] | None = None) -> int:
    """Print the table; return 1 if a figure misses what it must reach."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument(
        "--rounds",
        type=bounded_number(minimum=1),
        default=3,
        help="repetitions of each measurement",
    )
    options = parser.parse_args(argv)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    # Read by ITK in the commands that are started.
    os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"
    import radiomics

    radiomics.setVerbosity(60)
    print(
        f"PyRadiomics {radiomics.__version__}, SimpleITK {sitk.Version.VersionString()}; load of "
        f"the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; times are least / median"
    )
    if os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1):
        print("The machine is busy: figures from wall times (workers, cohort) fall short of it.")
    missed = False
    line = "{:<62} {:>10} {:<9} {:>6} {:>6}  {:<6}".format
    print(line("figure", "measured", "", "must", "aim", ""))
    for row in measure(tuple(options.parts) or PARTS, options.rounds):
        missed |= row.verdict == "MISSED"
        value = f"{row.value:.2g}" if row.unit == "" else f"{row.value:.2f}"
        demanded = ["" if x is None else f"{x:g}" for x in (row.must, row.aim)]
        print(line(row.figure, value, row.unit, *demanded, row.verdict), flush=True)
        print(f"    {row.details}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
