# Two hosts with a network between them.
source "$here/network.sh"

test_network_trains_as_one_process() {
  start_network
  train_alone one
  train_on_both four 2
  wait_for runs/four/log.txt 'step 20/200'
  # The address by which the hosts reach each other, and no other.
  [[ $(listening_on "$a") == "$address_a" && $(listening_on "$b") == "$address_b" ]] ||
    { echo "a listens at: $(listening_on "$a"); b at: $(listening_on "$b")"; return 1; }
  wait_for_all
  same_runs one four
}

# Each side ends by itself and names the other; what they had saved goes on when the network is back.
test_network_parted_ends_both_hosts() {
  local started rank status
  start_network
  train_alone one
  train_on_both two 1 parallel.timeout_seconds=3
  wait_for runs/two/log.txt 'step 60/200'
  part_the_network
  started=$SECONDS
  for rank in 0 1; do
    status=0
    wait "${ranks[rank]}" || status=$?
    cat "two-$rank.err"
    ((status == 76)) || { echo "rank $rank ended with $status"; return 1; }
    grep -q "^FATAL PEER rank=$rank .*what=\"rank $((1 - rank)) is lost" "two-$rank.err"
  done
  ((SECONDS - started <= 3 + 5)) || { echo "it took $((SECONDS - started)) s"; return 1; }
  join_the_network
  train_on_both two 1 parallel.timeout_seconds=3
  wait_for_all
  grep -q 'resuming from' runs/two/log.txt
  same_runs one two
}
