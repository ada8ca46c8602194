"""What a bug report should say: versions and devices."""

import platform

import jax
import numpy as np
from jaxlib import version as jaxlib_version

__version__ = "0.1.0"


def show_versions() -> None:
    """Print the versions of jaxcalc and of what it runs on, and the devices that JAX sees.

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
    }
    for name, fact in facts.items():
        print(f"{name:8} {fact}")
