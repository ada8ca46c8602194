"""On what was measured."""

import datetime
import importlib.metadata
import importlib.util
import os
import platform
import re
from pathlib import Path

import jax

import jaxcalc as jc

# Import name and distribution of what may be compared.
PEERS = {
    "torch": "torch",
    "triton": "triton",
    "liger_kernel": "liger-kernel",
    "quack": "quack-kernels",
    "scipy": "scipy",
}
ALLOCATOR = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "XLA_", "OMP_")


def describe() -> dict[str, str | int]:
    """Device, processor, versions, date, and what the environment says about memory and threads."""
    device = jax.devices()[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "platform": device.platform,
        "device": device.device_kind,
        "device_name": _cpu_name() if device.platform == "cpu" else device.device_kind,
        "devices": jax.device_count(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown",
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxcalc": jc.__version__,
        **_peers(),
        **{name: value for name, value in os.environ.items() if name.startswith(ALLOCATOR)},
    }


def _peers() -> dict[str, str]:
    """The versions of those that are installed."""
    return {
        name: importlib.metadata.version(distribution)
        for name, distribution in PEERS.items()
        if importlib.util.find_spec(name) is not None
    }


def _cpu() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _cpu_name() -> str:
    """The same without marks and clock rates: Intel Xeon."""
    plain = re.sub(r"\((R|TM)\)|@.*|\b(CPU|Processor)\b", " ", _cpu())
    return " ".join(plain.split()) or platform.machine()
