"""The library of native kernels: where it is, what it runs on, and why there is none."""

import ctypes
import functools
import os
from pathlib import Path
from typing import NamedTuple

import jax
import jaxlib

SWITCH = "JAXCALC_NATIVE"
TARGET = "jaxcalc_rows"
_FOLDER = Path(__file__).parent / "_functions" / "native"
LIBRARY = _FOLDER / f"{TARGET}.dso"  # no suffix of a module of Python
REASON = _FOLDER / "missing.txt"  # written instead, where it could not be compiled


class Kernels(NamedTuple):
    """What `kernels` found.

    Attributes:
        instruction_set: what the library computes with; None where there is none.
        reason: why there is none.
    """

    instruction_set: str | None
    reason: str


@functools.cache
def kernels() -> Kernels:
    """The native kernels, loaded and made known to XLA when they are first asked for."""
    if os.environ.get(SWITCH) == "0":
        return Kernels(None, f"{SWITCH} is 0")
    if not LIBRARY.exists():
        why = (
            REASON.read_text() if REASON.exists() else "not compiled: the package is not installed"
        )
        return Kernels(None, why.strip())
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        return Kernels(None, f"cannot be loaded: {error}")
    try:
        jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(library.jaxcalc_rows), platform="cpu")
    except jax.errors.JaxRuntimeError as error:  # compiled with the headers of a later jaxlib
        return Kernels(None, f"refused by jaxlib {jaxlib.version.__version__}: {error}")
    library.jaxcalc_instruction_set.restype = ctypes.c_char_p
    return Kernels(library.jaxcalc_instruction_set().decode(), "")


def described() -> str:
    """One line about them, for a bug report."""
    found = kernels()
    return found.instruction_set or f"none ({found.reason})"
