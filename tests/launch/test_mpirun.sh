# Open MPI.

test_mpirun_trains_as_one_process() {
  train_alone one
  mpirun --allow-run-as-root --oversubscribe -n 2 "$program" train --config run.yaml run.name=two
  same_runs one two
}

test_mpirun_zero() {
  train_alone one
  mpirun --allow-run-as-root --oversubscribe -n 4 "$program" train --config run.yaml run.name=four parallel.zero=1
  same_runs one four
}
