# Open MPI.
export MPI_OPTIONS=--oversubscribe

test_mpirun_trains_as_one_process() {
  train_alone one
  "$launch/mpirun.sh" 2 "$program" --config run.yaml run.name=two
  same_runs one two
}

test_mpirun_zero() {
  train_alone one
  "$launch/mpirun.sh" 4 "$program" --config run.yaml run.name=four parallel.zero=1
  same_runs one four
}
