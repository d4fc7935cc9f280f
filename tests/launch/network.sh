# Two hosts on this machine: network namespaces a and b with a switch between them, for tests; sourced by run.sh. Both know
# a by the name host-a, which on a itself means 127.0.1.1, as Debian has it. Needs root and iproute2.

switch=peerless-switch-$$ a=peerless-a-$$ b=peerless-b-$$
address_a=10.83.0.1 address_b=10.83.0.2

start_network() {
  local host
  trap stop_network EXIT
  ip netns add "$switch"
  ip -n "$switch" link add switch up type bridge
  mkdir -p "/etc/netns/$a" "/etc/netns/$b" # laid over /etc of what `ip netns exec` runs
  echo '127.0.1.1 host-a' >"/etc/netns/$a/hosts"
  echo "$address_a host-a" >"/etc/netns/$b/hosts"
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
  rm -r "/etc/netns/$a" "/etc/netns/$b"
}

# The switch no longer passes on what host b sends and should get: no host sees a link go down, nobody gets a reset.
part_the_network() { ip -n "$switch" link set to-b nomaster; }
join_the_network() { ip -n "$switch" link set to-b master switch; }

on() { ip netns exec "$@"; } # HOST COMMAND...

# What listens on a host, as addresses without ports.
listening_on() { on "$1" ss -Hltn | awk '{sub(/:[0-9]+$/, "", $4); print $4}' | sort -u | xargs; } # HOST

# Starts processes, the first of them on host a and as many on host b; their process ids are in ranks.
train_on_both() { # NAME PROCESSES_PER_HOST [KEY=VALUE...]
  local rank host name=$1 here=$2
  shift 2
  ranks=()
  for ((rank = 0; rank < 2 * here; ++rank)); do
    host=$( ((rank < here)) && echo "$a" || echo "$b")
    on "$host" "$program" train --config run.yaml run.name="$name" "$@" --rank "$rank" --world-size $((2 * here)) \
      --local-rank $((rank % here)) --local-size "$here" --rendezvous host-a:29500 >"$name-$rank.out" 2>"$name-$rank.err" &
    ranks+=($!)
  done
}
wait_for_all() { # those in ranks
  local rank
  for rank in "${ranks[@]}"; do wait "$rank"; done
}
