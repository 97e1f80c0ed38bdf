"""A bundle is checked before anything is installed from it, and refused in one line."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bundle(repository: Path):
    """Return the module install/bundle.py, which is a script and in no package."""
    sys.path.insert(0, str(repository / "install"))
    try:
        import bundle

        yield bundle
    finally:
        sys.path.remove(str(repository / "install"))


@pytest.fixture
def opened(bundle, repository: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "a folder" / "bundle"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "one-1-py3-none-any.whl").write_bytes(bytes(range(256)))
    (folder / "MADE_FOR").write_text(bundle.this_python() + "\n")
    for lock in ("requirements.txt", "requirements-dev.txt"):
        shutil.copy(repository / lock, folder)
    bundle.write_digests(folder)
    return folder


def packed(folder: Path) -> Path:
    path = folder.parent / "packed.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(folder, arcname="vertebromics-1/bundle")
        tar.add(__file__, arcname="vertebromics-1/Makefile")
    return path


def run(repository: Path, source: Path, target: Path) -> subprocess.CompletedProcess:
    call = [sys.executable, repository / "install" / "bundle.py", "open", source, target]
    return subprocess.run(call, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_whole_bundle_is_laid_out_for_pip(repository, opened, tmp_path, as_file) -> None:
    source = packed(opened) if as_file else opened
    for _ in range(2):  # the second takes the place of the first
        done = run(repository, source, tmp_path / "build" / "bundle")
        assert (done.returncode, done.stderr) == (0, "")
        laid_out = [path for path in (tmp_path / "build" / "bundle").rglob("*") if path.is_file()]
        assert {path.name for path in laid_out} == {
            *("one-1-py3-none-any.whl", "MADE_FOR", "SHA256SUMS"),
            *("requirements.txt", "requirements-dev.txt"),
        }


def broken_bit(folder: Path) -> None:
    path = folder / "wheels" / "one-1-py3-none-any.whl"
    content = bytearray(path.read_bytes())
    content[100] ^= 8
    path.write_bytes(content)


def other_lock(bundle, folder: Path) -> None:
    (folder / "requirements.txt").write_text("torch==1\n")
    (folder / "SHA256SUMS").unlink()
    bundle.write_digests(folder)


def other_python(bundle, folder: Path) -> None:
    (folder / "MADE_FOR").write_text("cp27-linux_x86_64\n")
    (folder / "SHA256SUMS").unlink()
    bundle.write_digests(folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda _, folder: broken_bit(folder), "one-1-py3-none-any.whl is not what its list"),
        (lambda _, folder: (folder / "MADE_FOR").unlink(), "lacks MADE_FOR"),
        (lambda _, folder: (folder / "wheels" / "two.whl").write_text(""), "wheels/two.whl, which"),
        (lambda _, folder: (folder / "SHA256SUMS").unlink(), "no readable SHA256SUMS"),
        (lambda _, folder: (folder / "SHA256SUMS").write_bytes(b"\xff"), "no readable SHA256SUMS"),
        (other_lock, "another requirements.txt"),
        (other_python, "made for cp27-linux_x86_64, and this is cp3"),
    ],
)
@pytest.mark.parametrize("as_file", [True, False])
def test_an_unfit_bundle_is_refused_in_one_line(
    bundle, repository, opened, tmp_path, damage, words, as_file
) -> None:
    damage(bundle, opened)
    target = tmp_path / "build" / "bundle"
    done = run(repository, packed(opened) if as_file else opened, target)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Remedy: " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not target.exists()


def test_what_is_no_bundle_is_refused_in_one_line(repository, opened, tmp_path) -> None:
    whole = packed(opened)
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[:3000])
    text = tmp_path / "text.tar"
    text.write_text("no archive")
    for path, words in ((cut, "no whole bundle"), (text, "no whole"), (tmp_path / "x", "no file")):
        done = run(repository, path, tmp_path / "bundle")
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_no_file_is_written_outside_of_the_folder(repository, opened, tmp_path) -> None:
    path = packed(opened)
    with tarfile.open(path, "a") as tar:
        for name in ("vertebromics-1/bundle/../../out", "/vertebromics-1/bundle/out"):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"out"))
    before = {each for each in tmp_path.rglob("*") if each.name == "out"}
    run(repository, path, tmp_path / "build" / "bundle")
    assert {each for each in tmp_path.rglob("*") if each.name == "out"} == before == set()


@pytest.mark.slow
def test_a_bundle_installs_with_the_network_cut(repository: Path, tmp_path: Path) -> None:
    """In a network namespace without a route, in a folder with blanks and umlauts."""
    cut = ["unshare", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*cut, "true"], check=False).returncode:
        pytest.skip("needs root and unshare, to cut the network")
    script = repository / "install" / "bundle.py"
    subprocess.run([sys.executable, script, "pack", tmp_path / "dist"], check=True)
    (path,) = (tmp_path / "dist").iterdir()
    far = tmp_path / "weit weg für immer"
    far.mkdir()
    with tarfile.open(path) as tar:
        tar.extractall(far, filter="data")
    (checkout,) = far.iterdir()
    done = subprocess.run(
        [*cut, "make", "-C", checkout, "install", "BUNDLE=bundle", f"PYTHON={sys.executable}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = "import radiomics, snakemake, torch; from pipeline.extraction import extract_features"
    subprocess.run([checkout / ".venv/bin/python", "-c", listed], check=True, cwd=far)
