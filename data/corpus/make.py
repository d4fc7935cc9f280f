#!/usr/bin/env python3
"""Writes the small corpus beside this file: invented, free to use, the same bytes on every machine.

stories.jsonl    short stories from a handful of sentences: enough regularity for a tiny model to learn
sums.txt         additions, one per line
counters.txt     small programs of one pattern
"""
import json
import pathlib

HERE = pathlib.Path(__file__).parent


class Dice:
    """A generator of our own (64-bit LCG, high bits), so that no library's changes change the corpus."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def pick(self, items):
        return items[self.below(len(items))]


NAMES = ["Ada", "Bruno", "Chidi", "Dana", "Emre", "Farah", "Goran", "Hana", "Ines", "Jonas", "Keiko", "Luz"]
JOBS = ["the ferry pilot", "the baker", "a clockmaker", "the lighthouse keeper", "a cartographer", "the beekeeper"]
PLACES = ["the harbour", "the mill", "an empty station", "the orchard", "a narrow bridge", "the old library"]
THINGS = ["a brass key", "a folded map", "three copper coins", "a jar of honey", "a broken compass", "a blue lantern"]
WEATHER = ["The rain had stopped.", "It was almost evening.", "Snow lay on the roofs.", "The wind smelled of salt.",
           "Nobody was on the street yet.", "The river stood high that week."]
VERBS = ["found", "carried", "lost", "repaired", "sold", "hid"]
REASONS = ["because the bell had rung twice", "although it was late", "as soon as the boats came in",
           "when the last train had left", "while the kettle sang", "before anyone could ask"]
ENDS = ["They never spoke of it again.", "By morning the whole town knew.", "It is still there today.",
        "So the promise was kept.", "Only the cat had seen it.", "And that was the end of the matter."]


def story(dice):
    a, b = dice.pick(NAMES), dice.pick(NAMES)
    thing, place = dice.pick(THINGS), dice.pick(PLACES)
    noun = thing.split(" ", 1)[1]
    lines = [f"{dice.pick(WEATHER)} {a}, {dice.pick(JOBS)}, {dice.pick(VERBS)} {thing} at {place} {dice.pick(REASONS)}."]
    for _ in range(1 + dice.below(3)):
        lines.append(dice.pick([
            f'"Is this your {noun}?" asked {b}.',
            f'"I have not seen {noun} like this since {1890 + dice.below(60)}," said {b}.',
            f"{b} counted the steps to {dice.pick(PLACES)}: {dice.below(400)}.",
            f"{a} waited at {place} {dice.pick(REASONS)}, and {b} {dice.pick(VERBS)} {dice.pick(THINGS)}.",
        ]))
    lines.append(dice.pick(ENDS))
    return " ".join(lines[:2]) + "\n" + " ".join(lines[2:]) + "\n"


def counter(dice, i):
    name = dice.pick(["count", "total", "steps", "height", "queue"]) + f"_{i}"
    low, high = dice.below(10), 10 + dice.below(90)
    step = 1 + dice.below(4)
    return (f"int {name}(int limit) {{\n    int value = {low};\n\twhile (value < limit && value < {high}) {{\n"
            f"        value += {step};\n    }}\n    return value;  // at most {high + step - 1}\n}}\n")


def main():
    dice = Dice(2026)
    with open(HERE / "stories.jsonl", "w", newline="\n") as out:
        for i in range(150):
            out.write(json.dumps({"id": i, "text": story(dice)}) + "\n")
    sums = [(dice.below(100), dice.below(100)) for _ in range(400)]
    (HERE / "sums.txt").write_text("".join(f"{a} + {b} = {a + b}\n" for a, b in sums), newline="\n")
    (HERE / "counters.txt").write_text("\n".join(counter(dice, i) for i in range(40)), newline="\n")


if __name__ == "__main__":
    main()
