"""Real processes: two of them, with two devices each, agree with one.

What `axis_name=` does inside one process stands in `test_sharding.py`; here the devices reach each
other through sockets, by `jax.distributed` and gloo.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
import two_processes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "data" / "two_processes.py"
PATIENCE = 120  # seconds for both together


def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes, patience):
    """Their error output; none of them outlives the time, or this call."""
    end = time.monotonic() + patience
    try:
        return [p.communicate(timeout=max(end - time.monotonic(), 0))[1] for p in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of the two processes computed."""
    port, folder = free_port(), tmp_path_factory.mktemp("processes")
    files = [folder / "0.json", folder / "1.json"]
    processes = [start(port, number, file) for number, file in enumerate(files)]
    for process, errors in zip(processes, finish(processes, PATIENCE), strict=True):
        assert process.returncode == 0, errors
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


@pytest.fixture(scope="module")
def one():
    """What one process computes from whole arrays."""
    return jax.tree.map(np.asarray, two_processes.whole())


def assert_equal_up_to_rounding(results, expected):
    for result, right in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=3e-6, atol=3e-6)


def test_each_process_sees_the_devices_of_both(both):
    assert [process["here"] for process in both] == [[2, 4, 2]] * 2


def test_both_have_the_same(both):
    assert both[0] == both[1]


@pytest.mark.parametrize("way", ["axis_name", "jit"])
@pytest.mark.parametrize("name", [*two_processes.FUNCTIONS, "descent"])
def test_two_processes_agree_with_one(name, way, both, one):
    assert_equal_up_to_rounding(both[0][way][name], one[name])


def test_derivatives_as_operators_agree(both, one):
    assert_equal_up_to_rounding(both[0]["jit"]["derive"], one["derive"])
    assert_equal_up_to_rounding(both[1]["own row"], [product[0] for product in one["derive"]])


def test_the_descent_descends(both):
    losses, _ = both[0]["axis_name"]["descent"]
    assert len(losses) == two_processes.STEPS
    assert np.all(np.diff(losses) < 0)


@pytest.mark.parametrize("number", [0, 1], ids=["no peer", "no coordinator"])
def test_a_process_that_waits_in_vain_is_aborted(number, tmp_path):
    """`docs/many-devices.md` says so: five seconds after its timeout, without an exception."""
    begun = time.monotonic()
    process = start(free_port(), number, tmp_path / "file", 5)
    (errors,) = finish([process], PATIENCE)
    assert process.returncode == -signal.SIGABRT
    assert "DEADLINE_EXCEEDED" in errors
    assert 5 < time.monotonic() - begun < 60
