"""`python -m benchmarks.scale`: the rows as JSON, from a process with several CPU devices."""

import argparse
import json
import sys
from collections.abc import Sequence

import jax

from benchmarks.report import Progress
from benchmarks.scale.memory import memory_rows
from benchmarks.scale.programs import FUNCTIONS, SPLIT
from benchmarks.scale.splitting import communication_rows


def main(argv: Sequence[str] | None = None) -> int:
    """Compile everything and print what was counted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("--devices", type=int, default=4, help="over which classes are split")
    parser.add_argument("--quick", action="store_true", help="float32 and short rows alone")
    parser.add_argument(
        "--functions", nargs="+", metavar="NAME", choices=FUNCTIONS, default=FUNCTIONS
    )
    options = parser.parse_args(argv)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", options.devices)
    progress, split = Progress(), [name for name in SPLIT if name in options.functions]
    rows = [
        *communication_rows(split, options.devices, options.quick, progress),
        *memory_rows(options.functions, options.quick, progress),
    ]
    progress.finish()
    json.dump(rows, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
