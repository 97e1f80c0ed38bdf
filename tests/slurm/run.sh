#!/usr/bin/env bash
# Run the demo study, made small, under profiles/slurm on a SLURM of one node: this machine.
#
# For a container or a machine to throw away: as root on Debian it installs slurm-wlm and munge,
# writes /etc/slurm/slurm.conf and starts the daemons. It refuses where a slurm.conf already stands
# that it did not write itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${BIN:-.venv/bin}
patients=${PATIENTS:-24}
conf=/etc/slurm/slurm.conf
mark="# Written by tests/slurm/run.sh"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "This script needs root on Debian: it sets up a SLURM on this machine." >&2
  exit 1
fi
if [ -e "$conf" ] && ! grep -q "^$mark" "$conf"; then
  echo "$conf belongs to somebody: this script does not touch it." >&2
  exit 1
fi
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge
fi

host=$(hostname -s)
state=/var/lib/slurm-one-node
mkdir -p "$state/ctld" "$state/d" /run/munge /etc/slurm
# slurmd itself says how many cores and how much memory the machine has.
node=$(slurmd -C | grep -o 'CPUs=[0-9]*\|RealMemory=[0-9]*' | tr '\n' ' ')
cat >"$conf" <<CONF
$mark
ClusterName=onenode
SlurmctldHost=$host
SlurmUser=root
AuthType=auth/munge
# Without cgroups, which a container rarely has.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
ReturnToService=2
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
NodeName=$host $node State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

chown munge: /run/munge
pgrep -x munged >/dev/null || runuser -u munge -- munged
pgrep -x slurmctld >/dev/null || slurmctld
pgrep -x slurmd >/dev/null || slurmd
for _ in $(seq 30); do
  if sinfo -h -o %T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then break; fi
  sleep 1
done
sinfo

data=build/slurm/data
"$bin/python" -m demo.make --out "$data" --patients "$patients"
# Without accounting there is no sacct to ask and no account to charge.
run() {
  "$bin/python" -m pipeline.progress --configfile config/demo.yaml --configfile config/demo-small.yaml \
    --workflow-profile profiles/slurm --latency-wait 5 \
    --slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 \
    --slurm-no-account --slurm-status-command squeue \
    --config study=demo-slurm results=build/slurm/results \
    "cases=$data/cases.csv" "clinical=$data/clinical.csv" "dictionary=$data/dictionary.csv"
}
run
run | grep "Nothing to do"
test -s build/slurm/results/demo-slurm/report/report.html
