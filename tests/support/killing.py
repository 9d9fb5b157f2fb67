"""Kill processes at random moments, until enough of them were killed while they were working."""

import os
import random
import subprocess
import sys
import time

KILLS = int(os.environ.get("KILLS", "2"))  # of each kind; "make soak" takes 20


def run(command, **options):
    """Run Python to its end; returns what it printed."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=900, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def kill_until(command, kills, seconds, when_done, seed=0, ready=None, **options):
    """Start the command repeatedly and kill it (SIGKILL) at random moments of its first `seconds`.

    With `ready`, time is counted from the line with this word, which the command prints after its imports. When the
    command ends before it is killed, `when_done` is called; it checks the result and prepares the next round. Stops
    after `kills` kills and one more end; returns the moments of the kills.
    """
    random_source, moments = random.Random(seed), []
    while True:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        if ready:
            for line in process.stdout:
                if ready in line:
                    break
        if len(moments) < kills:
            moment = random_source.uniform(0, seconds)
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
    """Check that no temporary file is left."""
    left = [
        path
        for path in folder.rglob("*")
        if path.name.endswith((".part", ".parts", ".old", ".checkpoints", ".lock", ".incomplete"))
    ]
    assert left == []


def timed(function, *arguments, **options):
    """The seconds that a call takes, and what it returns."""
    began = time.perf_counter()
    found = function(*arguments, **options)
    return time.perf_counter() - began, found
