"""Shared ground: errors read well, files are whole, the store keeps and never half-keeps."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import textwrap

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import command, findings, seeds
from pipeline.core.errors import (
    CaseError,
    MachineError,
    ProgramError,
    StudyError,
    VertebromicsError,
)
from pipeline.core.files import (
    _SEAL,
    file_hash,
    json_hash,
    read_json,
    read_table,
    whole_file,
    whole_folder,
    write_json,
    write_table,
)
from pipeline.core.keeping.store import Store
from pipeline.core.problems import ManyProblemsError
from pipeline.study.study import open_study
from pipeline.tables.schemas.study_tables import Cases
from tests.support.filled import filled
from tests.support.refusals import refusal


class Killed(BaseException):
    """Stands for a job that is killed in the middle of its work."""


class TestErrors:
    def test_error_names_rule_value_place_and_remedy(self):
        error = VertebromicsError("A is B.", found=3, where="t.csv, row 2", remedy="write B.")
        assert str(error) == "A is B. Found: 3. In: t.csv, row 2. Remedy: write B."

    def test_error_without_details_is_the_rule(self):
        assert str(StudyError("A is B")) == "A is B."

    def test_a_log_shows_the_code_behind_the_sentence(self):
        error = StudyError("A is B", found=3, code="a-is-b")
        assert error.with_code() == "A is B. Found: 3. [a-is-b]"
        assert str(error) == "A is B. Found: 3."
        assert ManyProblemsError("all", [error, error]).with_code().startswith("There are 2")

    def test_error_survives_a_process_pool(self):
        import pickle

        error = CaseError("A is B", found=0, where="S001", code="a-is-b")
        with pytest.raises(TypeError, match="positional"):
            # Details are named, so that their order cannot be confused.
            CaseError("A is B", 0)  # type: ignore[call-arg]
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert copy.code == "a-is-b"


class TestFindings:
    def test_status_is_the_worst_severity(self):
        warning = findings.Finding("w", "warning", "odd")
        error = findings.Finding("e", "error", "wrong", "mend it")
        assert findings.status_of([]) == "ok"
        assert findings.status_of([warning]) == "warning"
        assert findings.status_of([warning, error]) == "error"

    def test_json_round_trip(self):
        kept = [findings.Finding("e", "error", "椎体 L1", "mend it")]
        assert findings.from_json(findings.to_json(kept)) == kept
        assert findings.from_json("") == []

    def test_known_and_unknown_exceptions(self, caplog):
        known = findings.from_exception(
            CaseError("A mask is not empty", found=0, remedy="draw it"), "mask-empty", "S001 A"
        )
        assert known.message == "A mask is not empty. Found: 0."
        assert known.remedy == "draw it"
        with refusal(
            "unforeseen-error", ProgramError, match=r"Found: ValueError at S001 A\."
        ) as unknown:
            findings.from_exception(ValueError("PHI-CANARY"), "mask-failed", "S001 A")
        assert "S001 A" in caplog.text
        assert "PHI-CANARY" not in caplog.text + str(unknown.value)
        with refusal("all-are-wrong", StudyError):
            findings.from_exception(
                StudyError("All are wrong", code="all-are-wrong"), "mask-failed", "S001 A"
            )

    def test_an_unexpected_error_says_where_it_happened(self, caplog):
        try:
            {}["PHI-CANARY"]
        except KeyError as error:
            with refusal("unforeseen-error", ProgramError):
                findings.from_exception(error, "mask-failed", "S001 A")
        assert "test_an_unexpected_error_says_where" in caplog.text


class TestFiles:
    def test_killed_writer_leaves_the_old_file_and_no_litter(self, tmp_path):
        path = tmp_path / "table.txt"
        path.write_text("old")

        def write() -> None:
            with whole_file(path) as beside:
                beside.write_text("half")
                raise Killed

        with pytest.raises(Killed):
            write()
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_killed_folder_writer_leaves_nothing(self, tmp_path):
        def write() -> None:
            with whole_folder(tmp_path / "entry") as beside:
                (beside / "a").write_text("half")
                raise Killed

        with pytest.raises(Killed):
            write()
        assert not list(tmp_path.iterdir())

    def test_whole_folder_replaces(self, tmp_path):
        for text in ("one", "two"):
            with whole_folder(tmp_path / "entry") as beside:
                (beside / "a").write_text(text)
        assert (tmp_path / "entry" / "a").read_text() == "two"

    def test_files_are_readable_by_the_group_as_usual(self, tmp_path):
        plain, ours = tmp_path / "plain", tmp_path / "ours"
        plain.write_text("")
        with whole_file(ours) as beside:
            beside.write_text("")
        assert ours.stat().st_mode == plain.stat().st_mode

    def test_table_round_trip_keeps_leading_zeros(self, tmp_path):
        table = pd.DataFrame({"patient_id": ["0007"], "age": [71.0]})
        write_table(table, tmp_path / "t.parquet", csv=True)
        pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), table)
        assert (tmp_path / "t.csv").read_text() == "patient_id,age\n0007,71.0\n"

    def test_any_other_bit_of_a_table_is_noticed(self, tmp_path):
        """But for those of the words that begin the digest, which change no value."""
        table = pd.DataFrame({"case_id": ["a", None], "original_shape_MeshVolume": [0.25, None]})
        path = tmp_path / "batches" / "b0" / "features.parquet"
        write_table(table, path)
        pd.testing.assert_frame_equal(pd.read_parquet(path), table)  # as any other program reads it
        content = path.read_bytes()
        accepted, said = 0, set()
        for bit in range(0, 8 * len(content), 5):
            damaged = bytearray(content)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            try:
                found = read_table(path)
            except MachineError as error:
                said.add(str(error))
            else:
                accepted += 1
                pd.testing.assert_frame_equal(found, table)
        assert accepted <= 8 * len(_SEAL) / 5 + 1
        (one,) = said
        assert "In: batches/b0/features.parquet. Remedy: delete this file" in one

    @pytest.mark.parametrize("length", [0, 3, 100])
    def test_a_table_cut_short_is_the_machines_fault(self, tmp_path, length):
        write_table(pd.DataFrame({"x": [1.0]}), tmp_path / "t.parquet")
        (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:length])
        with refusal("table-damaged", MachineError):
            read_table(tmp_path / "t.parquet")

    def test_json_refuses_nan(self, tmp_path):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json({"auc": float("nan")}, tmp_path / "a.json")
        assert not list(tmp_path.iterdir())
        write_json({"椎": [1, None]}, tmp_path / "a.json")
        assert read_json(tmp_path / "a.json") == {"椎": [1, None]}

    def test_hashes(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        # SHA-256 of "abc", FIPS 180-2 appendix B.1
        assert file_hash(tmp_path / "a") == (
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        assert json_hash({"a": 1, "b": 2}) == json_hash({"b": 2, "a": 1})
        assert json_hash({"a": 1}) != json_hash({"a": "1"})


class TestStore:
    def test_makes_once(self, tmp_path):
        store, made = Store(tmp_path), []

        def make(folder):
            made.append(folder)
            (folder / "value").write_text("1")

        first = store.get_or_make("ct", {"input": "x"}, make)
        assert store.get_or_make("ct", {"input": "x"}, make) == first
        assert store.get_or_make("ct", {"input": "y"}, make) != first
        assert len(made) == 2
        assert store.path(store.relative(first)) == first

    def test_failed_make_leaves_no_entry(self, tmp_path):
        store = Store(tmp_path)

        def fail(folder):
            (folder / "half").write_text("1")
            raise CaseError("A scan can be read", code="scan-unreadable")

        with refusal("scan-unreadable", CaseError):
            store.get_or_make("ct", {}, fail)
        assert not store.entry("ct", json_hash({})).exists()

    def test_the_entry_that_came_first_stays(self, tmp_path):
        """Another job may be reading it, and its copy here would hold the same."""
        store = Store(tmp_path)
        made, first = [], []

        def overtaken(folder):
            (folder / "value").write_text("1")
            if not made:
                made.append(folder)
                first.append(store.get_or_make("ct", {}, overtaken).stat().st_ino)

        entry = store.get_or_make("ct", {}, overtaken)
        assert [entry.stat().st_ino] == first
        assert list(entry.parent.iterdir()) == [entry]


class TestSeeds:
    def test_known_value_never_moves(self):
        # Origin: printf '2025\x1fsplit' | sha256sum, the first 4 bytes, halved.
        # A changed derivation would silently change every split of every study.
        assert seeds.derive_seed(2025, "split") == 1433348971

    @given(st.integers(), st.text(), st.text())
    def test_in_range_and_named(self, seed, a, b):
        value = seeds.derive_seed(seed, a)
        assert 0 <= value < 2**31
        assert value == seeds.derive_seed(seed, a)
        if a != b:
            assert value != seeds.derive_seed(seed, b)


class TestStudy:
    @pytest.fixture
    def folder(self, tmp_path):
        config = {"study": "s", "results": str(tmp_path), "features": None}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(config))
        cases = pd.DataFrame(
            {"scan_id": ["1", "1", "2"], "reader": ["B", "A", "A"], "batch": ["b0", "b0", "b1"]}
        )
        write_table(filled(Cases, cases), tmp_path / "cases.parquet", Cases)
        return tmp_path

    def test_opens_what_was_validated(self, folder):
        study = open_study(folder)
        assert study.readers == ["A", "B"]
        assert study.folder == folder / "s"
        assert study.clinical is None
        assert len(study.select_cases(batch="b0")) == 2
        assert len(study.select_cases(scan="2")) == 1
        assert len(study.select_cases()) == 3

    def test_unknown_scan(self, folder):
        with refusal("study-key-unknown", StudyError, match="Found: 9"):
            open_study(folder).select_cases(scan="9")

    def test_not_a_study(self, tmp_path):
        with refusal("study-folder-missing", StudyError):
            open_study(tmp_path)

    def test_study_of_feature_tables_has_no_imaging(self, folder):
        (folder / "cases.parquet").unlink()
        with refusal("cases-table-missing", StudyError):
            open_study(folder).select_cases()


class TestCommand:
    def test_bad_input_ends_in_one_line(self, caplog):
        def main(options: argparse.Namespace) -> None:
            raise StudyError(
                "A study has a name", found="''", remedy="name it", code="study-without-name"
            )

        with pytest.raises(SystemExit) as end:
            command.run(main, command.parser("pipeline.x", "Does x.\n\nMore."), [])
        assert end.value.code == 1
        (line,) = caplog.messages
        assert line == "A study has a name. Found: ''. Remedy: name it. [study-without-name]"

    def test_defects_keep_their_traceback(self):
        def main(options: argparse.Namespace) -> None:
            raise ZeroDivisionError("a defect")

        with pytest.raises(ZeroDivisionError, match="a defect"):
            command.run(main, command.parser("pipeline.x", None), [])

    def test_a_full_disk_ends_in_one_line(self, caplog):
        def main(options: argparse.Namespace) -> None:
            with open("/dev/full", "w") as stream:
                stream.write("x")

        with pytest.raises(SystemExit) as end:
            command.run(main, command.parser("pipeline.x", None), [])
        assert end.value.code == 1
        (line,) = caplog.messages
        assert "No space left on device. Remedy: make room" in line

    def test_a_job_that_is_told_to_end_leaves_no_litter(self, tmp_path):
        script = (
            "import argparse, os, signal\n"
            "from pipeline.core import command\n"
            "from pipeline.core.files import whole_folder\n"
            "def main(options):\n"
            "    with whole_folder('results/entry') as folder:\n"
            "        (folder / 'half').write_text('x')\n"
            "        os.kill(os.getpid(), signal.SIGTERM)\n"
            "command.run(main, argparse.ArgumentParser())\n"
        )
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=False)
        assert done.returncode == 128 + signal.SIGTERM
        assert not list((tmp_path / "results").iterdir())

    @pytest.mark.parametrize(
        ("body", "status", "output", "error"),
        [
            ("print('done', end='')", 0, "done\nlast words\n", ""),
            ("raise ZeroDivisionError('x')", 1, "last words\n", "ZeroDivisionError: x"),
            ("raise SystemExit('in a word')", 1, "last words\n", "in a word"),
            ("raise SystemExit(7)", 7, "last words\n", ""),
            ("raise KeyboardInterrupt", 130, "last words\n", "KeyboardInterrupt"),
        ],
    )
    def test_a_command_ends_as_python_would(self, body, status, output, error):
        script = f"""
        import argparse, atexit
        from pipeline.core import command
        atexit.register(lambda: print({chr(10) if "done" in body else ""!r} + "last words"))
        def main(options):
            {body}
        command.run(main, argparse.ArgumentParser())
        print("never reached")
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (status, output)
        assert error in done.stderr
        assert bool(error) == bool(done.stderr)

    @pytest.mark.skipif(sys.platform != "linux", reason="on_exit is glibc's")
    def test_libraries_do_not_clear_up_behind_a_command(self):
        """Some of them abort where their threads are still starting (pyarrow)."""
        script = """
        import argparse, ctypes
        from pipeline.core import command
        clear_up = ctypes.CFUNCTYPE(None)(lambda: print("cleared up", flush=True))
        ctypes.CDLL(None).on_exit(clear_up, None)
        command.run(lambda options: None, argparse.ArgumentParser())
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)], check=True, capture_output=True
        )
        assert done.stdout == b""

    def test_batch_and_scan_exclude_each_other(self, capsys):
        arguments = command.parser("pipeline.x", "Does x.")
        command.batch_arguments(arguments)
        with pytest.raises(SystemExit) as end:
            arguments.parse_args(["--study", "s", "--batch", "b0", "--scan", "1"])
        assert end.value.code == 2
        assert "not allowed with" in capsys.readouterr().err
