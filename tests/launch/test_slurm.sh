# Slurm: a step of srun on two nodes; a batch job that is stopped before its time limit, requeued, and goes on.
source "$here/slurm.sh"

# Slurm requeues it, which in earnest takes two minutes; here at once.
wait_for_requeue() { # JOB
  wait_for_job "$1" PENDING
  wait_for_end_of_steps
  scontrol update jobid="$1" StartTime=now
}

test_slurm_step_trains_as_one_process() {
  start_slurm
  train_alone one
  srun -N 2 -n 2 "$program" train --config run.yaml run.name=two
  grep -q 'processes: 2' runs/two/log.txt
  same_runs one two
}

# Stops a job in the middle, which goes on from there.
goes_on_after() { # COMMAND, which is told the job
  local job
  start_slurm
  train_alone one
  job=$(sbatch --parsable -N 2 -n 2 "$launch/slurm.sbatch" "$program" --config run.yaml run.name=two)
  wait_for runs/two/log.txt 'step 60/200'
  "$1" "$job"
  wait_for_requeue "$job"
  wait_for_job "$job" COMPLETED
  grep -q 'resuming from' runs/two/log.txt
  same_runs one two
}

signal_it() {
  scancel --signal=TERM "$1"
  wait_for runs/two/log.txt 'stopped: step'
}
test_slurm_job_goes_on_after_a_signal() { goes_on_after signal_it; }

kill_one_of_it() {
  kill -KILL "$(process_of two 2)"
  wait_for "slurm-$1.out" 'is lost' # which one was killed is left to chance: it may be the one that logs
}
test_slurm_job_goes_on_after_a_kill() { goes_on_after kill_one_of_it; }

# The job would need hours and gets a minute. Slurm looks at limits every 30 seconds, so its signal comes after 20 to 50
# of them. That a job which goes on ends as if it had never stopped is shown above.
test_slurm_job_goes_on_after_its_time_limit() {
  local job stopped
  start_slurm
  job=$(sbatch --parsable --time=1 --signal=TERM@40 -N 2 -n 2 "$launch/slurm.sbatch" "$program" --config run.yaml \
    run.name=two train.max_steps=1000000)
  wait_for runs/two/log.txt 'stopped: step' 120
  stopped=$(sed -n 's/.*stopped: step \([0-9]*\).*/\1/p' runs/two/log.txt)
  wait_for_requeue "$job"
  wait_for runs/two/log.txt "resuming from .*, step $stopped\$"
  wait_for runs/two/log.txt "step $((stopped + 1))/"
  scancel "$job"
}
