"""What a form is."""

from collections.abc import Callable
from typing import NamedTuple

from jax import Array


class Form(NamedTuple):
    """One way to compute it, and what was found."""

    name: str
    function: Callable[..., Array]
    finding: str
