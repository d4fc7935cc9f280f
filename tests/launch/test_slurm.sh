# Slurm: a step of srun on two nodes; a batch job that is stopped before its time limit, requeued, and goes on.
source "$here/slurm.sh"

test_slurm_step_trains_as_one_process() {
  start_slurm
  train_alone one
  # The virtual nodes have no names that resolve; real ones need no MASTER_ADDR.
  MASTER_ADDR=127.0.0.1 srun -N 2 -n 2 "$program" train --config run.yaml run.name=two
  grep -q 'processes: 2' runs/two/log.txt
  same_runs one two
}

test_slurm_job_goes_on_after_a_requeue() {
  local job
  start_slurm
  train_alone one
  export MASTER_ADDR=127.0.0.1
  job=$(sbatch --parsable -N 2 -n 2 "$launch/slurm.sbatch" "$program" --config run.yaml run.name=two)
  wait_for runs/two/log.txt 'step 60/200'
  scancel --signal=TERM "$job" # what --signal=TERM@... sends before the time limit
  wait_for runs/two/log.txt 'stopped: step'
  wait_for_job "$job" PENDING
  wait_for_end_of_steps
  scontrol update jobid="$job" StartTime=now
  wait_for_job "$job" COMPLETED
  grep -q 'resuming from' runs/two/log.txt
  same_runs one two
}
