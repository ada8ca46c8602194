"""The vectors that an operator is applied to: what they may be, their dtype, complex ones."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import holding, is_complex, narrowed


def vector(name: str, x: ArrayLike, dtype: np.dtype) -> Array:
    """`x` in a dtype that holds what it is and what it meets, so that no product rounds it."""
    try:
        array = None if isinstance(x, str | bytes) else jnp.asarray(x)  # a word may name a dtype
    except (TypeError, ValueError):  # what JAX and NumPy raise, of ragged lists too
        array = None
    if array is None or not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype == bool):
        came = f"dtype {x.dtype}" if hasattr(x, "dtype") else type(x).__name__
        raise TypeError(f"`{name}` must be an array of numbers, but got {came}.")
    # of a weak type it keeps its bits, and the weak type says what the result is rounded to
    return array if array.dtype == dtype else narrowed(array, holding(array.dtype, dtype))


def in_parts(op: Any, product: Callable[[Array], Array], v: Array) -> Array:
    """`product(v)`, linear in v: by the real and the imaginary part where `op` is real."""
    if not is_complex(v) or jnp.issubdtype(op.dtype, jnp.complexfloating):
        return product(v)
    real, imaginary = product(v.real), product(v.imag)
    # a multiple or a sum of real operators may have become complex without its dtype
    return real + 1j * imaginary if is_complex(real) else lax.complex(real, imaginary)
