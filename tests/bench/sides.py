"""The two ways in which one side of a row does its work: once per call of run(), which tells the seconds by part."""

import json
import os
import subprocess
import sys
import time


class Worker:
    """A process that lives through all turns: it says "ready", and how many FLOPs a turn takes and how many bytes its
    weights and moments, if it knows; then answers every line with the seconds of one turn."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.flops, self.state_bytes = map(float, (self._read("ready").split()[1:] + ["0", "0"])[:2])

    def run(self):
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return json.loads(self._read("{"))

    def close(self):
        """Ends it, and tells the most bytes it ever held."""
        self.process.stdin.close()
        return _end(self.process)

    def _read(self, begin):
        line = self.process.stdout.readline().strip()
        if not line.startswith(begin):
            self.process.kill()
            sys.exit(f"error: {' '.join(self.process.args)}: said {line or 'nothing'!r} instead of {begin!r}")
        return line


class Command:
    """A program started anew for each turn: the seconds until it prints `until`, or until it ends.

    `command` makes the words of its command line, after it has put everything back as it was.
    """

    def __init__(self, command, until=None):
        self.command, self.until, self.peak_bytes = command, until, 0
        self.flops = self.state_bytes = 0

    def run(self):
        words = [str(word) for word in self.command()]
        begin = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said, seconds = "", None
        for line in process.stdout:
            said += line
            if self.until and self.until in line and seconds is None:
                seconds = time.perf_counter() - begin
        self.peak_bytes = max(self.peak_bytes, _end(process))
        if process.returncode != 0 or (self.until and seconds is None):
            sys.exit(f"error: {' '.join(words)}: exit {process.returncode}: {said}")
        return {"program": seconds or time.perf_counter() - begin}

    def close(self):
        return self.peak_bytes


def _end(process):
    """Waits for its end; the most bytes it ever held."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * 1024
