"""What is asked of one operator is refused by a batch of them, as `jax.vmap` leaves it."""

import functools
from collections.abc import Callable
from typing import Any

from jaxcalc.operators._checks import refuse_batch
from jaxcalc.operators._splits import whole

# What is asked of an operator, or made from it, and how that is written in an error.
_OF_ONE = {
    name: f"`J.{name}()`"
    for name in (
        *("mv", "mm", "quadratic", "solve", "tensor", "todense", "matrix", "blocks"),
        *("diagonal", "trace", "slogdet", "pinv", "frobenius_norm", "cost"),
        *("to_bcoo", "to_scipy"),
    )
} | {
    "codomain": "`J.codomain`",
    "domain": "`J.domain`",
    "shape": "`J.shape`",
    "T": "`J.T`",
    "__matmul__": "`J @ v`",
    "__rmatmul__": "`v @ J`",
    "__add__": "`J + K`",
    "__sub__": "`J - K`",
    "__neg__": "`-J`",
    "__mul__": "`J * c`",
    "__rmul__": "`c * J`",
    "__truediv__": "`J / c`",
}


def refuse_batches(cls: Any) -> None:
    """Let the queries that `cls` defines refuse operators that left `jax.vmap`."""
    for name, words in _OF_ONE.items():
        query = vars(cls).get(name)
        if isinstance(query, property) and query.fget is not None:
            setattr(cls, name, property(_of_one(query.fget, words), doc=query.__doc__))
        elif callable(query):
            is_dense = name == "tensor" and not cls.tensor_is_split
            setattr(cls, name, _of_one(query, words, is_dense))


def _of_one(query: Callable[..., Any], words: str, is_dense: bool = False) -> Callable[..., Any]:
    @functools.wraps(query)
    def asked(self: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_batch(self, words)
        return query(whole(self) if is_dense else self, *args, **kwargs)

    return asked
