#!/usr/bin/env bash
# Build PyRadiomics 3.0.1 for the Python that is first on PATH, and install it there.
#
# PyRadiomics has no wheel for Python 3.11 or later. Its setup imports numpy, which pip's isolated
# builds do not have, and on Python 3.12 and later its version script asks for two names of
# configparser that were removed. They are supplied below, while it builds and nowhere else; what
# it computes is untouched (its features are the same on 3.11, 3.12 and 3.13).
#
# This is the only place that knows: `make install`, containers and people call it, and Snakemake
# runs it by its name after it has made the environment of environment.yml (--sdm conda).
# What stands behind it is a command of pip: `environment.post-deploy.sh wheel -w FOLDER` keeps the
# wheel. Without, it installs.
set -euo pipefail

names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT
# Python imports a module of this name at its start, in pip and in every process that pip starts.
cat >"$names/sitecustomize.py" <<'PY'
import configparser

if not hasattr(configparser, "SafeConfigParser"):
    configparser.SafeConfigParser = configparser.ConfigParser
    configparser.RawConfigParser.readfp = configparser.RawConfigParser.read_file
PY

# Already there in every installation from the lock; for an empty environment of one's own.
python -m pip install -q 'setuptools>=71,<83' 'numpy>=2,<3'
[ $# -gt 0 ] || set -- install
PYTHONPATH="$names${PYTHONPATH:+:$PYTHONPATH}" \
  python -m pip "$1" -q --use-pep517 --no-build-isolation --no-deps "${@:2}" pyradiomics==3.0.1

# Rules of a checkout run its own code, so that its kernels must be those of this Python, too.
# Snakemake names the checkout first on PYTHONPATH.
checkout=${PYTHONPATH:-}
checkout=${checkout%%:*}
if [ -n "${CONDA_PREFIX:-}" ] && [ -f "$checkout/environment.post-deploy.sh" ]; then
  python -m pip install -q --no-build-isolation --no-deps -e "$checkout"
fi
