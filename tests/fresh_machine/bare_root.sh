#!/usr/bin/env bash
# Make a bare Debian in a folder, from this machine's own Debian mirror: bare_root.sh SUITE FOLDER
#
# It holds what the README asks for and nothing else. As root, with debootstrap
# (apt-get install debootstrap). A folder that is already such a root is left as it is.
set -euo pipefail

suite=${1:?usage: bare_root.sh bookworm|trixie FOLDER} root=${2:?usage: bare_root.sh SUITE FOLDER}
packages=python3,python3-venv,python3-dev,gcc,make,git

if [ -e "$root/.bare" ]; then exit 0; fi
if [ "$(id -u)" != 0 ]; then
  echo "Only root can make a bare root. Remedy: run this as root, on a machine to throw away." >&2
  exit 1
fi
if ! command -v debootstrap >/dev/null; then
  echo "debootstrap is not on this machine. Remedy: apt-get install debootstrap" >&2
  exit 1
fi
# The first address of an archive called debian among apt's sources; Debian's own where there is none.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
  grep -v '^ *#' | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' ' || true)
rm -rf "$root"
mkdir -p "$root"
debootstrap --variant=minbase --include="$packages" "$suite" "$root" "${mirror:-http://deb.debian.org/debian}" \
  >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; exit 1; }
rm -rf "$root"/var/cache/apt/archives/*.deb
touch "$root/.bare"
