"""On what was measured."""

import datetime
import os
import platform
from pathlib import Path

import jax

import jaxcalc as jc


def describe() -> dict[str, str | int]:
    """Device, processor, versions and date."""
    device = jax.devices()[0]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "platform": device.platform,
        "device": device.device_kind,
        "devices": jax.device_count(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxcalc": jc.__version__,
    }


def _cpu() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
