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

# The job needs longer than its limit of a minute. Slurm looks at limits every 30 seconds, so its signal comes after 20
# to 50 of them.
test_slurm_job_goes_on_after_its_time_limit() {
  local job started=$SECONDS steps
  start_slurm
  train_alone short
  steps=$((200 * 60 / (SECONDS - started)))
  train_alone one train.max_steps=$steps
  job=$(sbatch --parsable --time=1 --signal=TERM@40 -N 2 -n 2 "$launch/slurm.sbatch" "$program" --config run.yaml \
    run.name=two train.max_steps=$steps)
  wait_for runs/two/log.txt 'stopped: step'
  wait_for_requeue "$job"
  until grep -q "step $steps/" runs/two/log.txt; do
    [[ $(state_of "$job") != PENDING ]] || wait_for_requeue "$job"
    sleep 0.5
  done
  wait_for_job "$job" COMPLETED
  same_runs one two
}
