#!/usr/bin/env bash
# Build the image of containers/Dockerfile without a registry, and run a small study in it.
#
#   tests/containers/run.sh debian12|debian13
#
# As root, on Debian with debootstrap and buildah. The base is the bare root of tests/fresh_machine;
# what is committed is the build's context. Images lie in build/containers and go with it.
set -euo pipefail

case ${1:-} in
debian12) suite=bookworm ;;
debian13) suite=trixie ;;
*) echo "usage: tests/containers/run.sh debian12|debian13" >&2; exit 2 ;;
esac
if ! command -v buildah >/dev/null; then
  echo "buildah is not on this machine. Remedy: apt-get install buildah" >&2
  exit 1
fi
checkout=$(cd "$(dirname "$0")/../.." && pwd)
fresh=$checkout/tests/fresh_machine
root=$checkout/build/fresh_machine/$1
work=$checkout/build/containers/$1
mkdir -p "$(dirname "$root")"
bash "$fresh/bare_root.sh" "$suite" "$root"
rm -rf "$work"
mkdir -p "$work/study"
trap 'rm -rf "$work/images" "$work/run" "$work/context"' EXIT

store=(buildah --storage-driver vfs --root "$work/images" --runroot "$work/run")
mounts=()
while read -r place; do
  if [ -n "$place" ]; then mounts+=(--volume "$place:$place:ro"); fi
done < <(python3 "$fresh/carry_pip.py" "$root")

began=$SECONDS
bare=$("${store[@]}" from scratch)
"${store[@]}" copy -q "$bare" "$root" / >/dev/null
"${store[@]}" commit -q --rm "$bare" "localhost/bare:$1" >/dev/null
echo "base of $1: $((SECONDS - began)) s"

began=$SECONDS
git clone -q "$checkout" "$work/context"
"${store[@]}" bud --isolation chroot ${mounts[@]+"${mounts[@]}"} \
  --build-arg BASE="localhost/bare:$1" --build-arg TORCH="${TORCH:-cpu}" \
  --file "$work/context/containers/Dockerfile" --tag "localhost/vertebromics:$1" "$work/context" \
  >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log"; exit 1; }
echo "image of $1: $((SECONDS - began)) s"

# A study of tables, from a folder that is mounted, to its report.
began=$SECONDS
inside=$("${store[@]}" from "localhost/vertebromics:$1")
"${store[@]}" run --isolation chroot --volume "$work/study:/study" --workingdir /study "$inside" -- sh -ec '
  python -m demo.tables --out demo/tables-data >/dev/null
  snakemake --snakefile /opt/vertebromics/Snakefile --configfile /opt/vertebromics/config/demo-tables.yaml \
    --cores 2 --quiet all
' >"$work/study.log" 2>&1 || { tail -n 30 "$work/study.log"; exit 1; }
report=$(find "$work/study/results" -name report.html)
test -s "$report"
echo "study in it: $((SECONDS - began)) s, $(wc -c <"$report") bytes of report"
