"""The subject: its rows, from a process of its own.

How many CPU devices there are is settled when JAX starts, which in this process it has.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Progress, Result

CHECKOUT = Path(__file__).parents[2]


def run(quick: bool, progress: Progress) -> Result:
    """Compile for CPU devices, whatever device this process has; the other tells the progress."""
    progress.finish()
    return run_process(["--quick"] if quick else [])


def run_process(arguments: Sequence[str]) -> Result:
    """The rows of `python -m benchmarks.scale`; if it ends otherwise, that is a failure."""
    command = [sys.executable, "-m", "benchmarks.scale", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return Result([], [f"python -m benchmarks.scale ended with status {done.returncode}"])
    return Result(json.loads(done.stdout), [])
