"""What a risk of one new patient takes, from the DICOM folder to the page, as a cold process.

``python -m benchmarks.prediction``. A simulated CT of real size (512 x 512 x 120) and the mask of
one vertebra go through ``vertebromics predict`` with a logistic regression of clinical values and
of the 1,223 features of ``ge2025.yaml``: with the mask as it is, with the mask moved by 1 mm too,
and, with ``--refits``, with an interval. ``--against FOLDER`` measures another checkout in turns
and compares what both predict.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.imaging import PARAMETERS, make_study
from benchmarks.timing import ROOT, commands_take_turns
from models.freeze import freeze
from models.frozen.container import MODEL, object_bytes, read_members, write_members
from pipeline.core import command
from pipeline.core.files import json_hash, read_json
from pipeline.study.config import resolve_config
from pipeline.study.option_numbers import bounded_number

PATIENT = {
    "age": 70, "sex": "F", "trauma": "no", "pfo": "no", "ivc": "no", "diabetes": "no",
    "smoking": "no", "pain-duration": 5, "vas-before": 7,
}  # fmt: skip
"""What the model cannot fill in."""

SECONDS, MEGABYTES = 5.0, 900.0
"""What a prediction with the mask as it is may take: CPU seconds, and memory."""


def write_model(folder: Path, refits: int) -> Path:
    """Freeze a model of simulated patients and let it say how its features came from images."""
    # The tests hold a study that is trained in seconds.
    from tests.support.frozen_study import write_frozen_study

    study = write_frozen_study(folder / "training", ("lr",), features=1223)
    file = folder / "model.vbm"
    write_members(freeze(study, "lr", refits=refits), file)
    members, _ = read_members(file)
    facts = json.loads(members[MODEL])
    config = resolve_config({"study": "x", "cases": "cases.csv"})
    parameters = yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))
    facts["imaging"] = {
        "parameter_file": PARAMETERS.name,
        "parameters": parameters,
        "parameters_sha256": json_hash(parameters),
        "engine": "fast",
        "aggregation": None,
        "region": "body",
        "ingest": config["ingest"],
        "masks": config["masks"],
        "checks": config["checks"],
        "preflight": {"timing": "preoperative", "max_dense_share": 0.9},
        "seen": {"level": {"counts": {"L1": 77}, "missing": 0}},
    }
    members[MODEL] = object_bytes(facts)
    write_members(members, file)
    return file


def command_of(model: Path, patient: Path, out: Path, checkout: Path, *more: str) -> list:
    """Return the command line that predicts the patient by the code of a checkout."""
    given = [word for name, value in PATIENT.items() for word in (f"--{name}", str(value))]
    place = ["env", f"PYTHONPATH={checkout}", sys.executable, "-P", "-m", "deployment.predict"]
    scan = ["--image", patient / "ct", "--mask", patient / "mask_A.nrrd", "--level", "L1"]
    return [*place, model, *scan, *given, "--out", out, *more]


def main(options: argparse.Namespace) -> None:
    """Print a row a command; end with an error where checkouts differ or a limit is passed."""
    with tempfile.TemporaryDirectory(prefix="prediction-", dir=options.folder) as place:
        folder = Path(place)
        make_study(folder / "study", 1)
        patient = folder / "study" / "P000"
        model = write_model(folder, options.refits)
        checkouts = {"this checkout": ROOT}
        if options.against:
            checkouts["the other"] = options.against.resolve()
        commands, outs = {}, {}
        for way, more in (("mask as it is", ("--mask-as-it-is",)), ("mask moved too", ())):
            for at, (name, checkout) in enumerate(checkouts.items()):
                outs[way, name] = folder / f"{at} {way}"
                line = command_of(model, patient, outs[way, name], checkout, *more)
                commands[f"{way}, {name}"] = line
        runs = commands_take_turns(commands, options.rounds, OMP_NUM_THREADS="1")
        told = {key: read_json(out / "prediction.json") for key, out in outs.items()}
    print(f"one patient, 512 x 512 x 120, logistic regression, {options.refits} refits")
    for name, measured in runs.items():
        print(f"  {name:32} {measured.text()}")
    first = told["mask as it is", "this checkout"]
    print(f"risk {first['risk']:.6f} from {len(first['values'])} values")
    differ = [key for key, facts in told.items() if facts != told[key[0], "this checkout"]]
    if differ:
        raise SystemExit(f"predictions differ: {differ}")
    as_it_is = runs["mask as it is, this checkout"]
    if min(as_it_is.cpu) > SECONDS or max(as_it_is.megabytes) > MEGABYTES:
        raise SystemExit(f"more than {SECONDS:g} s of CPU or {MEGABYTES:g} MB")


if __name__ == "__main__":
    arguments = command.parser("benchmarks.prediction", __doc__)
    arguments.add_argument(
        "--rounds", type=bounded_number(minimum=1), default=3, help="runs of each (3)"
    )
    arguments.add_argument(
        "--refits", type=bounded_number(minimum=0), default=0, help="refits in the file (0)"
    )
    arguments.add_argument("--against", type=Path, help="another checkout to measure beside")
    arguments.add_argument("--folder", type=Path, help="where files are made (the temporary one)")
    main(arguments.parse_args())
