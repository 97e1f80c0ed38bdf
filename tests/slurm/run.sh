#!/usr/bin/env bash
# Run the demo study, made small, under profiles/slurm on a SLURM of one node: this machine.
#
# For a container or a machine to throw away: as root on Debian it installs slurm-wlm and munge,
# writes /etc/slurm/slurm.conf and starts the daemons; it refuses where a slurm.conf already stands.
# In the end it stops them and removes the file: where SLURM is set up but not running, every start
# of Snakemake waits ten seconds for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${BIN:-.venv/bin}
patients=${PATIENTS:-24}
conf=/etc/slurm/slurm.conf

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "This script needs root on Debian: it sets up a SLURM on this machine." >&2
  exit 1
fi
if [ -e "$conf" ]; then
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
chown munge: "$state" /run/munge
# slurmd itself says how many cores and how much memory the machine has.
node=$(slurmd -C | grep -o 'CPUs=[0-9]*\|RealMemory=[0-9]*' | tr '\n' ' ')
stop() {
  for daemon in slurmd slurmctld munged; do
    if [ -e "$state/$daemon.pid" ]; then kill "$(cat "$state/$daemon.pid")" || true; fi
  done
  rm -f "$conf"
}
trap stop EXIT
cat >"$conf" <<CONF
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
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
NodeName=$host $node State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF

munge -n >/dev/null 2>&1 || runuser -u munge -- munged --pid-file "$state/munged.pid"
slurmctld
slurmd
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
