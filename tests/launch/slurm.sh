# A Slurm of two virtual nodes on this machine, in a network namespace where both have a name and an address, for tests;
# sourced by run.sh. Needs root, slurm-wlm, munge and iproute2.

cluster=peerless-slurm-$$
for command in slurmctld srun sbatch scancel scontrol sinfo; do
  eval "$command() { in_cluster $command \"\$@\"; }"
done

# Other than `ip netns exec`, it keeps /sys, where slurmd looks for control groups.
in_cluster() { nsenter --net="/run/netns/$cluster" "$@"; } # COMMAND...
# Where the nodes' names resolve too; this machine's file stays as it is.
on_node() { in_cluster unshare -m sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$PWD/slurm/hosts" "$@"; }

start_slurm() { # in a folder of its own; SLURM_CONF tells all commands where
  local host folder=$PWD/slurm
  host=$(hostname -s)
  mkdir -p "$folder/state" "$folder/spool-n1" "$folder/spool-n2" /run/munge
  chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
  munge -n 2>/dev/null | unmunge >/dev/null 2>&1 || runuser -u munge -- munged --force
  cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
KillWait=30
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[16818-16819] CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
  export SLURM_CONF=$folder/slurm.conf
  trap stop_slurm EXIT
  ip netns add "$cluster"
  ip -n "$cluster" link set lo up
  ip -n "$cluster" address add 10.83.0.1/32 dev lo
  ip -n "$cluster" address add 10.83.0.2/32 dev lo
  printf '127.0.0.1 localhost\n10.83.0.1 n1\n10.83.0.2 n2\n' >"$folder/hosts"
  slurmctld -i
  on_node slurmd -N n1
  on_node slurmd -N n2
  wait_for_idle_nodes || { tail -n 20 "$folder"/*.log; return 1; }
}

wait_for_idle_nodes() { # both, for 20 seconds at most
  local i
  for i in {1..100}; do
    [[ $(sinfo -h -o '%T %D' 2>/dev/null) != 'idle 2' ]] || return 0
    sleep 0.2
  done
  echo "the nodes are not idle: $(sinfo -h -o '%T %D' 2>&1)"
  return 1
}

stop_slurm() {
  local file
  scancel --user root 2>/dev/null || true
  for file in slurm/*.pid; do
    [[ ! -f $file ]] || kill "$(cat "$file")" 2>/dev/null || true
  done
  sleep 0.5
  ip netns pids "$cluster" | xargs -r kill -KILL
  ip netns del "$cluster"
}

# Waits until nothing is left of a job's former start: another on top of it fails in slurmd. In earnest a requeued job
# waits for two minutes.
wait_for_end_of_steps() {
  local i
  wait_for_idle_nodes
  for i in {1..100}; do
    pgrep slurmstepd >/dev/null || return 0
    sleep 0.2
  done
  echo "slurmstepd is still there"
  return 1
}

state_of() { scontrol show job "$1" | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p'; } # JOB

# Waits until a job is in a state, for a minute at most.
wait_for_job() { # JOB STATE
  local i state
  for i in {1..300}; do
    state=$(state_of "$1")
    [[ $state != "$2" ]] || return 0
    [[ $state != FAILED ]] || break
    sleep 0.2
  done
  scontrol show job "$1"
  cat slurm-*.out
  return 1
}
