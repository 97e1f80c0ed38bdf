"""tests/fresh_machine: settings of pip reach the bare root; what cannot run says so."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

LISTED = """\
global.cert='/etc/ssl/site.crt'
global.extra-index-url='file:///srv/site%20index/simple https://packages.example.org/simple'
install.find-links='/srv/old'
:env:.find-links='/srv/wheels /srv/missing'
:env:.no-cache-dir='1'
freeze.timeout='10'
"""


@pytest.fixture(scope="module")
def carry_pip(repository: Path) -> dict:
    return runpy.run_path(str(repository / "tests/fresh_machine/carry_pip.py"))


def test_what_pip_goes_by_is_read_and_variables_win(carry_pip):
    assert carry_pip["parsed"](LISTED.splitlines()) == {
        "cert": "/etc/ssl/site.crt",
        "extra-index-url": "file:///srv/site%20index/simple https://packages.example.org/simple",
        "find-links": "/srv/wheels /srv/missing",
    }


def test_files_are_copied_and_folders_are_named(carry_pip, tmp_path):
    index, wheels, cert = tmp_path / "site index/simple", tmp_path / "wheels", tmp_path / "ca.crt"
    index.mkdir(parents=True)
    wheels.mkdir()
    cert.write_text("certificates")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    found = {
        "cert": str(cert),
        "extra-index-url": f"{index.as_uri()} https://packages.example.org/simple",
        "find-links": f"{wheels} {tmp_path / 'missing'}",
        "timeout": "60",
    }
    # The files of an index called `simple` lie beside it.
    assert carry_pip["carry"](found, root) == [index.parent, wheels]
    assert (root / str(cert).lstrip("/")).read_text() == "certificates"
    written = (root / "etc/pip.conf").read_text()
    assert "timeout = 60\n" in written
    env = os.environ | {"PIP_CONFIG_FILE": str(root / "etc/pip.conf")}
    read_back = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"find-links='{wheels}\\n{tmp_path / 'missing'}'" in read_back


def test_a_machine_without_pip_is_told_what_to_install(repository, tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", repository / "tests/fresh_machine/carry_pip.py", tmp_path],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "pip is not on this machine. Remedy: apt-get install python3-pip\n"


@pytest.mark.parametrize("words", [[], ["debian11"], ["debian12", "--fast"]])
def test_wrong_words_are_told(repository, words):
    done = subprocess.run(
        ["bash", repository / "tests/fresh_machine/run.sh", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "run.sh debian12|debian13 [--demo] [--user]" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_only_root_can_make_a_root(repository, tmp_path):
    tmp_path.chmod(0o777)
    script = (repository / "tests/fresh_machine/bare_root.sh").read_text()
    done = subprocess.run(
        ["bash", "-c", script, "bare_root.sh", "trixie", "root"],
        cwd=tmp_path,
        user=65534,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Only root can make a bare root. Remedy: ")
    assert not (tmp_path / "root").exists()
