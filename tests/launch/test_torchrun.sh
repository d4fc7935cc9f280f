# torchrun, whose agent serves the store.

test_torchrun_trains_as_one_process() {
  train_alone one
  "$launch/torchrun.sh" 2 "$program" --config run.yaml run.name=two
  same_runs one two
}

# A worker that is killed ends the other; torchrun starts both again, and they go on from the newest checkpoint.
test_torchrun_restarts_after_a_kill() {
  local agent restarts
  train_alone one
  "$launch/torchrun.sh" 2 "$program" --config run.yaml run.name=two &
  agent=$!
  wait_for runs/two/log.txt 'step 60/200'
  kill -KILL "$(process_of two 2)"
  wait "$agent"
  restarts=$(grep -c 'resuming from' runs/two/log.txt)
  [[ $restarts == 1 ]] || { echo "$restarts restarts"; return 1; }
  same_runs one two
}

# What is wrong with the config is wrong in every attempt: no worker hangs, and torchrun fails, with our words for it.
test_torchrun_fails_when_all_do() {
  local status=0
  timeout 60 "$launch/torchrun.sh" 3 "$program" --config run.yaml run.name=three >said 2>&1 || status=$?
  cat said
  ((status != 0 && status != 124)) # 124: still running
  sed '1,/^Root Cause/d' said | grep 'traceback : CONFIG: the number of processes (3) must divide the micro-batches'
}
