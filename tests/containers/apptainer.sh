#!/usr/bin/env bash
# Build the image of containers/vertebromics.def, and run the rules of a small study in it.
#
#   tests/containers/apptainer.sh [FOLDER]
#   tests/containers/apptainer.sh base debian12|debian13 FOLDER USER
#
# The first, as an ordinary user of a machine with Apptainer, in a checkout in which `make install`
# was run (BIN names the programs of another environment): the imaging half of the demo, made small,
# must have the same tables with `--sdm apptainer` as without. FOLDER holds a bare Debian to begin
# with; without it a registry is asked for one. The second, as root, makes such a FOLDER for USER.
set -euo pipefail

usage() { sed -n '4,5p' "$0" | tr -d '#' >&2; exit 2; }
checkout=$(cd "$(dirname "$0")/../.." && pwd)
fresh=$checkout/tests/fresh_machine

if [ "${1:-}" = base ]; then
  case ${2:-} in
  debian12) suite=bookworm ;;
  debian13) suite=trixie ;;
  *) usage ;;
  esac
  root=${3:?a folder} person=${4:?a user}
  bash "$fresh/bare_root.sh" "$suite" "$root"
  python3 "$fresh/carry_pip.py" "$root" >"$root.mounts"
  while read -r place; do
    if [ -n "$place" ]; then mkdir -p "$root$place"; fi
  done <"$root.mounts"
  # Nobody but root can copy a device, or what belongs to others.
  find "$root/dev" -mindepth 1 -delete
  chown -R "$person:" "$root"
  chmod -R u+rwX "$root"
  exit 0
fi

if [ $# -gt 1 ]; then usage; fi
if [ "$(id -u)" = 0 ]; then
  echo "Apptainer builds as an ordinary user. Remedy: run this as one." >&2
  exit 1
fi
if ! command -v apptainer >/dev/null; then
  echo "apptainer is not on this machine. Remedy: see docs/machines.md" >&2
  exit 1
fi
cd "$checkout"
bin=${BIN:-.venv/bin}
work=build/containers/apptainer
image=containers/vertebromics.sif
options=(--build-arg "TORCH=${TORCH:-cpu}")
if [ $# = 1 ]; then
  base=$(realpath "$1")
  options+=(--build-arg BOOTSTRAP=localimage --build-arg "BASE=$base")
  while read -r place; do
    if [ -n "$place" ]; then options+=(--bind "$place"); fi
  done < <(cat "$base.mounts" 2>/dev/null)
fi

began=$SECONDS
rm -rf "$work"
mkdir -p "$work/tmp"
git clone -q "$checkout" "$work/context"
if [ -n "$(git status --porcelain)" ]; then echo "What is not committed is not in the image."; fi
(cd "$work/context" && APPTAINER_TMPDIR=$checkout/$work/tmp \
  apptainer build --force "${options[@]}" "$checkout/$image" containers/vertebromics.def) \
  >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
echo "image: $((SECONDS - began)) s, $(du -sh "$image" | cut -f1)"

# Threads are the caller's, code is the image's.
found=$(OMP_NUM_THREADS=3 PYTHONPATH=$checkout apptainer --silent exec "$image" python -c \
  'import os, pipeline; print(os.environ["OMP_NUM_THREADS"], pipeline.__file__)')
test "$found" = "3 /opt/vertebromics/pipeline/__init__.py"

"$bin/python" -m demo.make --out "$work/data" --patients "${PATIENTS:-12}" >/dev/null

# study RESULTS [more of snakemake's options]
study() {
  local results=$1
  shift
  "$bin/python" -m pipeline.running.run --configfile config/demo.yaml --configfile config/demo-small.yaml \
    features --cores 2 "$@" --config study=small "results=$work/$results" "cases=$work/data/cases.csv" \
    "clinical=$work/data/clinical.csv" "dictionary=$work/data/dictionary.csv" >"$work/$results.log" 2>&1 ||
    { tail -n 30 "$work/$results.log"; exit 1; }
  tail -n 2 "$work/$results.log"
}

began=$SECONDS
study inside --sdm apptainer
echo "study in it: $((SECONDS - began)) s"
began=$SECONDS
study beside
echo "study without it: $((SECONDS - began)) s"
# Each job went through the image.
log=$(find .snakemake/log -newer "$work/data/cases.csv" -name '*.snakemake.log' | sort | head -n 1)
jobs=$(grep -c 'Activating singularity image' "$log")
test "$jobs" -ge 8
echo "$jobs jobs in the image"
"$bin/python" tests/slurm/same_tables.py "$work/beside/small/tables" "$work/inside/small/tables"
