"""Times our code beside its peers. scripts/bench builds what it needs; docs/performance.md tells how to read it.

The two sides of a row take turns, ours first: A/B/A/B. The first turn of each does not count.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from works import Works, peerless


def measure(row, turns):
    sides = row.ours(), row.peer()
    seconds = [[], []]
    for _ in range(1 + turns):
        for side, of_side in zip(sides, seconds):
            of_side.append(side.run())
    names = "peerless", row.peer_name
    ours, peer = (summary(name, s[1:], side, row.part) for name, s, side in zip(names, seconds, sides))
    ratio = ours["median"] / peer["median"] if row.is_cost else peer["median"] / ours["median"]
    row = {"work": row.work, "is_cost": row.is_cost, "megabytes": row.megabytes}
    return {**row, "ours": ours, "peer": peer, "ratio": ratio}


def summary(name, turns, side, part):
    seconds = [turn[part] if part else sum(turn.values()) for turn in turns]
    return {
        "name": name,
        "median": statistics.median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "seconds": seconds,
        "parts": {name: statistics.median(turn[name] for turn in turns) for name in turns[0]},
        "flops": side.flops,
        "state_bytes": side.state_bytes,
        "peak_bytes": side.close(),
    }


def ceiling(works):
    """FLOP/s of the fastest of some matrix products."""
    side = works.ceiling()
    seconds = min(sum(side.run().values()) for _ in range(10))
    side.close()
    return side.flops / seconds


def machine(threads):
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    versions = {"peerless": peerless("--version").split(maxsplit=1)[1].strip()}
    for package in ("torch", "peer-pytorch", "transformers", "sentencepiece"):
        versions[package] = version(package)
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "threads": threads,
        "dtype": "fp32",
        "ceiling": 0,  # FLOP/s of a matrix product, measured before each row: the best
        "load_before": os.getloadavg()[0],
        "versions": versions,
    }


# ---- telling ---------------------------------------------------------------------------------------------------------


def say(text):
    print(text, file=sys.stderr, flush=True)


def shown(seconds, megabytes=0):
    if megabytes:
        return f"{megabytes / seconds:.2f} MB/s"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def details(side, ceiling_flops):
    """Where one side's time went, its memory, and how near it came to the machine's fastest matrix product."""
    parts = ", ".join(f"{part} {shown(seconds)}" for part, seconds in side["parts"].items())
    text = f"  {side['name']}: {parts}; peak memory {side['peak_bytes'] / 1e9:.2f} GB"
    if side["state_bytes"]:
        text += f", {(side['peak_bytes'] - side['state_bytes']) / 1e9:.2f} beyond weights and moments"
    if side["flops"]:
        rate = side["flops"] / sum(side["parts"].values())
        text += f"; {rate / 1e9:.0f} GFLOP/s, {rate / ceiling_flops:.0%} of a matrix product's"
    return text


def print_row(row):
    def spread(side):
        ends = ("max", "min") if row["megabytes"] else ("min", "max")
        return " .. ".join(shown(side[end], row["megabytes"]) for end in ends)

    ours, peer = (shown(row[side]["median"], row["megabytes"]) for side in ("ours", "peer"))
    memory = row["ours"]["peak_bytes"] / row["peer"]["peak_bytes"]
    spreads = f"{spread(row['ours'])} | {spread(row['peer'])}"
    print(f"{row['work']:<48}{ours:>11}{peer:>11}{row['ratio']:>7.2f}{memory:>8.2f}   {spreads}")


def print_report(report):
    m = report["machine"]
    print(f"\n{m['cpu']}, {m['cores']} cores; {m['threads']} threads, {m['dtype']}", end="; ")
    print(f"load {m['load_before']:.1f} before, {m['load_after']:.1f} after")
    print(f"matrix product of 2048^3: {m['ceiling'] / 1e9:.0f} GFLOP/s")
    print(", ".join(f"{name} {number}" for name, number in m["versions"].items()))
    print(f"medians of {report['turns']} turns; memory = peak of ours / peak of the other")
    head = f"{'ours':>11}{'other':>11}  ratio  memory   spread: ours | other"
    titles = {False: "beside others: ratio = their time / ours", True: "beside itself: ratio = ours / other"}
    for is_cost, title in titles.items():
        rows = [row for row in report["rows"] if row["is_cost"] == is_cost]
        if rows:
            print(f"\n{title:<48}{head}")
        for row in rows:
            print_row(row)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()

    report = {"machine": machine(options.threads), "turns": options.turns, "rows": []}
    with tempfile.TemporaryDirectory() as folder:
        works = Works(Path(folder), options.threads)
        for row in works.rows(options.quick):
            say(f"{row.work}, beside {row.peer_name}")
            peak = report["machine"]["ceiling"] = max(report["machine"]["ceiling"], ceiling(works))
            result = measure(row, options.turns)
            say(f"{details(result['ours'], peak)}\n{details(result['peer'], peak)}")
            report["rows"].append(result)
    report["machine"]["load_after"] = os.getloadavg()[0]
    if options.json:
        print(json.dumps(report))
    else:
        print_report(report)


if __name__ == "__main__":
    main()
