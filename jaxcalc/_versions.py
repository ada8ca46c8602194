"""What a bug report should say: versions, devices, native kernels."""

import platform

import jax
import numpy as np
from jaxlib import version as jaxlib_version

from jaxcalc._native import described

__version__ = "0.1.0"


def show_versions() -> None:
    """Print the versions of jaxcalc and of what it runs on, and the devices that JAX sees.

    Of the native kernels for CPUs it names the instruction set, or why there are none.

    >>> import jaxcalc as jc
    >>> jc.show_versions()  # doctest: +ELLIPSIS
    jaxcalc  ...
    """
    facts = {
        "jaxcalc": __version__,
        "jax": jax.__version__,
        "jaxlib": jaxlib_version.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "devices": ", ".join(f"{d.device_kind} ({d.platform}:{d.id})" for d in jax.devices()),
        "native": described(),
    }
    for name, fact in facts.items():
        print(f"{name:8} {fact}")
