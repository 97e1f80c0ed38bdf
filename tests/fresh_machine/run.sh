#!/usr/bin/env bash
# The README's two commands on a fresh machine: a bare Debian in a folder of this one.
#
#   tests/fresh_machine/run.sh debian12|debian13 [--demo] [--user] [--folder NAME] [--keep]
#
#   --demo         only `make demo`
#   --user         as a user who is not root
#   --folder NAME  clone into a folder of this name (blanks and umlauts are welcome)
#   --keep         leave the clone and its results in the root
#
# As root, on Debian with debootstrap. What is committed is cloned into a root that holds the
# README's packages and nothing else (build/fresh_machine/; made once, about 400 MB), and nothing is
# cached. pip takes packages from where it takes them on this machine. Times and sizes are printed.
# CORES, TORCH, TORCH_INDEX, PATIENTS and OPTIONS reach make (PATIENTS=24
# OPTIONS="--configfile config/demo-small.yaml" makes the demo small).
set -euo pipefail

usage() { sed -n '4p' "$0" | tr -d '#' >&2; exit 2; }
case ${1:-} in
debian12) suite=bookworm ;;
debian13) suite=trixie ;;
*) usage ;;
esac
name=$1; shift
commands="demo test" person=root folder=vertebromics keep=
while [ $# -gt 0 ]; do
  case $1 in
  --demo) commands=demo ;;
  --user) person=person ;;
  --folder) folder=${2:?--folder needs a name}; shift ;;
  --keep) keep=1 ;;
  *) usage ;;
  esac
  shift
done

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
root=$checkout/build/fresh_machine/$name
began=$SECONDS
mkdir -p "$(dirname "$root")"
bash "$here/bare_root.sh" "$suite" "$root"
echo "$name: bare root in $((SECONDS - began)) s, $(du -sh "$root" | cut -f1)"

home=/home/person
rm -rf "${root:?}$home" "$root/srv/checkout.git"
chroot "$root" id person >/dev/null 2>&1 || chroot "$root" useradd --no-create-home --home-dir "$home" person
mkdir -p "$root$home"
git clone -q --bare "$checkout" "$root/srv/checkout.git"
if [ -n "$(git -C "$checkout" status --porcelain)" ]; then echo "What is not committed is not cloned."; fi
chroot "$root" chown -R "$person:" "$home" /srv/checkout.git
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
folders=$(python3 "$here/carry_pip.py" "$root")

# What runs inside; $1 the folder, then the commands.
cat >"$root/srv/inside.sh" <<'INSIDE'
set -euo pipefail
folder=$1; shift
cd "$HOME"
git clone -q /srv/checkout.git "$folder"
cd "$folder"
for goal in "$@"; do
  began=$(date +%s)
  if ! make "$goal" >"$HOME/$goal.log" 2>&1; then
    tail -n 40 "$HOME/$goal.log"
    echo "make $goal FAILED after $(($(date +%s) - began)) s"
    exit 1
  fi
  grep -E '^PyTorch ' "$HOME/$goal.log" || true
  tail -n 2 "$HOME/$goal.log"
  if [ "$goal" = demo ]; then
    echo "  of this installation: $(($(stat -c %Y .venv/.installed) - began)) s, $(du -sh .venv | cut -f1)"
  fi
  echo "make $goal: $(($(date +%s) - began)) s"
done
du -sh results | sed 's/^/  results: /'
INSIDE

# Mounts of its own, which end with it. The machine's packages are read, never written.
export root folders home folder person commands
status=0
unshare --mount --propagation private bash -euo pipefail -c '
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  while read -r place; do
    [ -n "$place" ] || continue
    mkdir -p "$root$place"
    mount --bind "$place" "$root$place"
    mount -o remount,bind,ro "$root$place"
  done <<<"$folders"
  carried=()
  for variable in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY \
    CORES TORCH TORCH_INDEX PATIENTS OPTIONS; do
    if [ -n "${!variable:-}" ]; then carried+=("$variable=${!variable}"); fi
  done
  chroot --userspec="$person" "$root" env -i HOME="$home" USER="$person" LANG=C.UTF-8 \
    PATH=/usr/local/bin:/usr/bin:/bin PIP_NO_CACHE_DIR=1 ${carried[@]+"${carried[@]}"} \
    bash /srv/inside.sh "$folder" $commands
' || status=$?
if [ -z "$keep" ]; then rm -rf "${root:?}$home"; fi
exit "$status"
