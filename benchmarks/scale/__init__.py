"""How programs scale: what devices say to each other when classes are split, and memory.

Compiled programs, in which everything is counted and of which nothing is run: the value, value
and gradient with a given cotangent (`value+vjp`), and the gradient with its derivative along a
tangent (`vjp+hvp`).

communication   the class axis over virtual CPU devices, under plain `jit` with a split argument,
                and inside `shard_map` with `axis_name=`: rounds, and numbers a row (`splitting`)
memory          temporaries of value+vjp on one device, in arrays like x

    programs             what is compiled
    splitting, memory    the rows
    tables               what is shown
    __main__             a process of its own with several devices: how many there are is settled
                         when JAX starts, which in this one it has
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Progress, Result
from benchmarks.scale.tables import parts as parts

CHECKOUT = Path(__file__).parents[2]


def run(quick: bool, progress: Progress) -> Result:
    """Compile for CPU devices, whatever device this process has; the other tells the progress."""
    return run_process(["--quick"] if quick else [])


def run_process(arguments: Sequence[str]) -> Result:
    """The rows of `python -m benchmarks.scale`; if it ends otherwise, that is a failure."""
    command = [sys.executable, "-m", "benchmarks.scale", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return Result([], [f"python -m benchmarks.scale ended with status {done.returncode}"])
    return Result(json.loads(done.stdout), [])
