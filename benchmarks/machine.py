"""On what was measured."""

import datetime
import importlib.metadata
import importlib.util
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

import jaxcalc as jc

# Packages that are compared, where they are installed.
PEERS = ("optax", "torch", "triton", "scipy")
ENVIRONMENT = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "XLA_", "OMP_")


def describe() -> dict[str, str | float]:
    """Device, processor, versions, date, and what the environment says about memory and threads."""
    device = jax.devices()[0]
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
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
        **{name: installed[name] for name in PEERS if name in installed},
        **{name: value for name, value in os.environ.items() if name.startswith(ENVIRONMENT)},
    }


def named(on: Mapping[str, Any]) -> str:
    """The device and the versions in a line, for a terminal."""
    cores = f", {on['cores']} cores" if on["platform"] == "cpu" else ""
    versions = f"jaxcalc {on['jaxcalc']}, jax {on['jax']}, Python {on['python']}"
    return f"{on['device_name']}{cores}, load {on['load']}; {versions}"


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


def slug(machine: Mapping[str, Any]) -> str:
    """A file name for the device and the version of jax: cpu-intel-xeon-2-cores-jax-0.10.2."""
    on_cpu = machine["platform"] == "cpu"
    cores = f" {machine['cores']} cores" if on_cpu else ""
    text = f"{machine['platform']} {machine['device_name']}{cores} jax {machine['jax']}"
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")
