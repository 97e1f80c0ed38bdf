#!/usr/bin/env bash
# Run the demo study, made small, under profiles/slurm on a SLURM of one node: this machine.
#
#   tests/slurm/run.sh              the study undisturbed, then its imaging half with faults
#   tests/slurm/run.sh undisturbed  the first alone
#   tests/slurm/run.sh faults       the second alone, against an undisturbed imaging half
#   tests/slurm/run.sh accounts     its first stages on a SLURM that accounts (slurmdbd, MariaDB)
#
# The faults: a job over its memory, one over its time, one cancelled, the node drained and resumed,
# the controller away for a while. The tables must be those of the undisturbed run.
#
# For a container or a machine to throw away: as root on Debian it installs slurm-wlm and munge,
# writes /etc/slurm/slurm.conf and starts the daemons; it refuses where a slurm.conf already stands.
# In the end it stops them and removes the file: where SLURM is set up but not running, every start
# of Snakemake waits ten seconds for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
part=${1:-all}
bin=${BIN:-.venv/bin}
patients=${PATIENTS:-24}
away=${AWAY:-60}   # seconds without a controller
conf=/etc/slurm/slurm.conf dbd_conf=/etc/slurm/slurmdbd.conf

case "$part" in
  all | undisturbed | faults | accounts) ;;
  *) echo "usage: tests/slurm/run.sh [undisturbed | faults | accounts]" >&2; exit 1 ;;
esac
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "This script needs root on Debian: it sets up a SLURM on this machine." >&2
  exit 1
fi
if [ -e "$conf" ]; then
  echo "$conf belongs to somebody: this script does not touch it." >&2
  exit 1
fi
needed=(slurmctld munged) packages=(slurm-wlm munge)
if [ "$part" = accounts ]; then
  needed+=(slurmdbd mariadbd) packages+=(slurmdbd mariadb-server)
  if [ -e /run/mysqld/mysqld.sock ] || [ -e "$dbd_conf" ]; then
    echo "A database or $dbd_conf belongs to somebody: this script does not touch it." >&2
    exit 1
  fi
fi
if ! command -v "${needed[@]}" >/dev/null || [ "$(command -v "${needed[@]}" | wc -l)" != "${#needed[@]}" ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

host=$(hostname -s)
state=/var/lib/slurm-one-node
mkdir -p "$state/ctld" "$state/d" /run/munge /etc/slurm
chown munge: "$state" /run/munge
# slurmd itself says how many cores and how much memory the machine has.
node=$(slurmd -C | grep -o 'CPUs=[0-9]*\|RealMemory=[0-9]*' | tr '\n' ' ')
disturbed=
stop() {
  # The run first: without a SLURM it would go on asking for one.
  if [ -n "$disturbed" ]; then kill "$disturbed" 2>/dev/null && wait "$disturbed" || true; fi
  for daemon in slurmd slurmctld slurmdbd mariadbd munged; do
    if [ -e "$state/$daemon.pid" ]; then kill "$(cat "$state/$daemon.pid")" || true; fi
  done
  if [ "$part" = accounts ]; then rm -f "$dbd_conf"; fi
  rm -f "$conf"
}
trap stop EXIT

# A database of its own, and in it one account of this user (spine) with two qualities of service.
accounting() {
  cat >>"$conf" <<CONF
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=$host
AccountingStorageEnforce=associations,limits,qos
# The efficiency report names rules by what Snakemake writes as a job's comment.
AccountingStoreFlags=job_comment
CONF
  cat >"$dbd_conf" <<CONF
AuthType=auth/munge
DbdHost=$host
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct_db
PidFile=$state/slurmdbd.pid
LogFile=$state/slurmdbd.log
CONF
  chmod 600 "$dbd_conf"
  rm -rf "$state/db"
  mkdir -p "$state/db" /run/mysqld
  chown mysql: "$state/db" /run/mysqld
  mariadb-install-db --user=mysql --datadir="$state/db" --auth-root-authentication-method=normal >/dev/null
  mariadbd --user=mysql --datadir="$state/db" --socket=/run/mysqld/mysqld.sock --skip-networking \
    >"$state/mariadbd.log" 2>&1 &
  echo $! >"$state/mariadbd.pid"
  for _ in $(seq 60); do
    if mariadb-admin ping --silent >/dev/null 2>&1; then break; fi
    sleep 1
  done
  slurmdbd
  for _ in $(seq 60); do
    if sacctmgr -n list cluster >/dev/null 2>&1; then break; fi
    sleep 1
  done
  sacctmgr -i -Q add cluster onenode
  sacctmgr -i -Q add account spine Description=spine Organization=radiology
  sacctmgr -i -Q add account bones Description=bones Organization=surgery
  sacctmgr -i -Q add qos long,gold
  sacctmgr -i -Q add user root DefaultAccount=spine Account=spine QOS=normal,long
}

cat >"$conf" <<CONF
ClusterName=onenode
SlurmctldHost=$host
SlurmUser=root
AuthType=auth/munge
# Without cgroups, which a container rarely has: a poll every second ends who is over the memory.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
KillWait=5
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
PartitionName=short Nodes=ALL MaxTime=60 State=UP
CONF

munge -n >/dev/null 2>&1 || runuser -u munge -- munged --pid-file "$state/munged.pid"
if [ "$part" = accounts ]; then accounting; fi
slurmctld
slurmd
for _ in $(seq 30); do
  if sinfo -h -o %T 2>/dev/null | grep -qE 'idle|mixed|allocated'; then break; fi
  sleep 1
done
sinfo

data=build/slurm/data
"$bin/python" -m demo.make --out "$data" --patients "$patients"

# study RESULTS [more of snakemake's options]
study() {
  local results=$1
  shift
  "$bin/python" -m pipeline.running.run --configfile config/demo.yaml --configfile config/demo-small.yaml \
    "$@" --config study=demo-slurm "results=$results" \
    "cases=$data/cases.csv" "clinical=$data/clinical.csv" "dictionary=$data/dictionary.csv"
}

# run RESULTS [more of snakemake's options]: on SLURM. Without accounting there is no sacct to ask
# and no account to charge.
run() {
  study "$@" --workflow-profile profiles/slurm --latency-wait 5 \
    --slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 \
    --slurm-no-account --slurm-status-command squeue
}

# job RULE STATE: the id of a job of the rule in that state, waited for.
job() {
  local found
  for _ in $(seq 600); do
    # The comment of a job names its rule; squeue cuts no column that has a width.
    found=$(squeue -h -o '%i %T %100k' 2>/dev/null | awk -v r="rule_$1" -v s="$2" \
      '$2 == s && index($3, r "_wildcards") == 1 {print $1; exit}')
    if [ -n "$found" ]; then echo "$found"; return; fi
    kill -0 "$disturbed" 2>/dev/null || break
    sleep 1
  done
  echo "no job of $1 was $2 while the run went on" >&2
  return 1
}

say() { echo "$(date +%T) fault: $*"; }

faults() {
  local whole=build/slurm/results broken=build/slurm/disturbed job_id pids pid log status
  # Without an undisturbed run on SLURM, one on this machine gives the tables to compare with.
  [ "$part" = all ] || study "$whole" features --cores 2
  rm -rf "$broken"
  touch build/slurm/began
  : >"$state/slurmd.log"
  # The first attempt of ingest gets less memory, that of resample less time than they need.
  run "$broken" features --verbose \
    --set-resources "ingest:mem_mb=40 * 50 ** (attempt - 1)" "resample:runtime=4 ** (attempt - 1)" &
  disturbed=$!

  job_id=$(job masks RUNNING)
  say "the job $job_id of masks is cancelled"
  scancel "$job_id"

  job_id=$(job agreement RUNNING)
  say "the node is drained, as for a repair, and resumed"
  scontrol update nodename="$host" state=drain reason=repair
  for _ in $(seq 600); do
    if squeue -h -t PENDING -o %r | grep -qiE 'drain|down|avail'; then break; fi
    sleep 1
  done
  squeue -h -t PENDING -o '%i waits: %r'
  scontrol update nodename="$host" state=resume

  job_id=$(job resample RUNNING)
  say "the job $job_id of resample is stopped, as one that waits for a disk, until its time is over"
  for _ in $(seq 60); do
    # It fails before the job's first step is there.
    pids=$(scontrol listpids "$job_id" 2>/dev/null | awk 'NR > 1 && $1 > 0 {print $1}' || true)
    for pid in $pids; do
      if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'pipeline.resample'; then
        kill -STOP "$pid" 2>/dev/null || true
        break 2
      fi
    done
    sleep 1
  done

  job_id=$(job extract RUNNING)
  say "the controller is away for $away s"
  kill "$(cat "$state/slurmctld.pid")"
  sleep "$away"
  slurmctld

  wait "$disturbed"
  disturbed=
  # Each of them has happened, or the run was none with faults.
  log=$(find .snakemake/log -newer build/slurm/began -name '*.snakemake.log' | sort | tail -1)
  grep -q "exceeded memory limit" "$state/slurmd.log"
  for status in FAILED CANCELLED TIMEOUT; do
    grep -q "SLURM status is: '$status'" "$log" || { echo "$log names no job $status" >&2; exit 1; }
  done
  "$bin/python" tests/slurm/same_tables.py "$whole/demo-slurm/tables" "$broken/demo-slurm/tables"
}

# refused WORDS [more of snakemake's options]: a run whose jobs SLURM does not take says so.
refused() {
  local words=$1 log=build/slurm/refused.log
  shift
  if charged build/slurm/refused "$@" >"$log" 2>&1; then
    echo "a run with $* was not refused" >&2
    return 1
  fi
  grep -F "$words" "$log"
  grep -q '\[slurm-job-refused\]$' "$log"
  if grep -qE 'Traceback|sbatch --parsable' "$log"; then
    cat "$log"
    return 1
  fi
}

# charged RESULTS [more of snakemake's options]: on a SLURM that accounts.
charged() {
  local results=$1
  shift
  rm -rf "$results"
  study "$results" preflight --workflow-profile profiles/slurm --latency-wait 5 \
    --slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3 "$@"
}

accounts() {
  local table=build/slurm/efficiency
  refused "lists no account bones of this user" --default-resources slurm_account=bones
  refused "Invalid qos specification" --default-resources slurm_account=spine --slurm-qos gold
  test -z "$(sacct -nX -S now-1hours -o jobid)"
  rm -rf "$table"
  charged build/slurm/charged --default-resources slurm_account=spine --slurm-qos long \
    --slurm-efficiency-report --slurm-efficiency-report-path "$table"
  sacct -nX -P -S now-1hours -o account,qos,state | sort | uniq -c
  test "$(sacct -nX -P -S now-1hours -o account,qos,state | sort -u)" = "spine|long|COMPLETED"
  for rule in ingest masks preflight_study; do grep -c "rule_$rule" "$table"/efficiency_report_*.csv; done
}

if [ "$part" = accounts ]; then
  accounts
  exit 0
fi
if [ "$part" != faults ]; then
  run build/slurm/results
  run build/slurm/results | grep "Nothing to do"
  test -s build/slurm/results/demo-slurm/report/report.html
fi
if [ "$part" != undisturbed ]; then faults; fi
