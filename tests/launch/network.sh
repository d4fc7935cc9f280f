# Two hosts on this machine: network namespaces a and b with a switch between them, for tests; sourced by run.sh. Needs
# root and iproute2.

switch=peerless-switch-$$ a=peerless-a-$$ b=peerless-b-$$
address_a=10.83.0.1 address_b=10.83.0.2

start_network() {
  local host
  trap stop_network EXIT
  ip netns add "$switch"
  ip -n "$switch" link add switch up type bridge
  for host in a b; do
    ip netns add "${!host}"
    ip -n "${!host}" link set lo up
    ip link add "to-$host" netns "$switch" type veth peer name eth0 netns "${!host}"
    ip -n "$switch" link set "to-$host" up master switch
  done
  ip -n "$a" address add "$address_a/24" dev eth0
  ip -n "$b" address add "$address_b/24" dev eth0
  ip -n "$a" link set eth0 up
  ip -n "$b" link set eth0 up
}

stop_network() {
  local host
  for host in "$a" "$b" "$switch"; do
    ip netns pids "$host" 2>/dev/null | xargs -r kill -KILL
    ip netns del "$host" 2>/dev/null || true
  done
}

# The switch no longer passes on what host b sends and should get: no host sees a link go down, nobody gets a reset.
part_the_network() { ip -n "$switch" link set to-b nomaster; }
join_the_network() { ip -n "$switch" link set to-b master switch; }

on() { ip netns exec "$@"; } # HOST COMMAND...

# What listens on a host, as addresses without ports.
listening_on() { on "$1" ss -Hltn | awk '{sub(/:[0-9]+$/, "", $4); print $4}' | sort -u | xargs; } # HOST

# Starts process 0 on host a and process 1 on host b; their process ids are in ranks.
train_on_both() { # NAME [KEY=VALUE...]
  local rank host name=$1
  shift
  ranks=()
  for rank in 0 1; do
    host=$([[ $rank == 0 ]] && echo "$a" || echo "$b")
    on "$host" "$program" train --config run.yaml run.name="$name" "$@" --rank "$rank" --world-size 2 --local-rank 0 \
      --local-size 1 --rendezvous "$address_a:29500" >"$name-$rank.out" 2>"$name-$rank.err" &
    ranks+=($!)
  done
}
