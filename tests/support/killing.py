"""Kill processes at random moments, until enough of them were killed while they worked."""

import os
import random
import subprocess
import sys
import time

KILLS = int(os.environ.get("KILLS", "2"))  # of each kind; "make soak" takes 20


def run(command, **options):
    """Run Python to its end; what it printed."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=900, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def kill_until(command, kills, seconds, when_done, seed=0, ready=None, **options):
    """Start the command again and again and kill it (SIGKILL) at random moments of its first `seconds`.

    With `ready`, the moments are counted from the line with this word, which the command prints when its imports are
    over. When it ends before, `when_done` is called, which looks at the result and clears the way for another round.
    Ends after `kills` kills and one more end; returns the moments of the kills.
    """
    chance, moments = random.Random(seed), []
    while True:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        if ready:
            for line in process.stdout:
                if ready in line:
                    break
        if len(moments) < kills:
            moment = chance.uniform(0, seconds)
            try:
                process.wait(moment)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                moments.append(moment)
                continue
        _, errors = process.communicate(timeout=900)
        assert process.returncode == 0, errors[-3000:]
        when_done()
        if len(moments) >= kills:
            return moments


def no_leftovers(folder):
    """Nothing half written stays behind when all is done."""
    left = [
        path
        for path in folder.rglob("*")
        if path.name.endswith((".part", ".parts", ".old", ".checkpoints", ".lock", ".incomplete"))
    ]
    assert left == []


def timed(function, *arguments, **options):
    """Seconds that a call takes, and what it returns."""
    began = time.perf_counter()
    found = function(*arguments, **options)
    return time.perf_counter() - began, found
