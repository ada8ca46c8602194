"""To and from `lineax`, an optional extra, so that its solvers run on these operators.

`pip install 'jaxcalc[lineax]'` installs it; it is imported when one of these is called.
"""

import importlib
from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.tree_util import Partial

from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import checked_operator, refuse_batch
from jaxcalc.operators._facts import facts
from jaxcalc.operators._linear import Linear
from jaxcalc.operators._simple import Dense, Diagonal, Identity

Converter = Callable[[Any, Any, Any], Any]


def to_lineax(op: LinearOperator, tags: object = ()) -> Any:
    """`op` as a `lineax` operator between arrays of shape `domain` and `codomain`.

    Args:
        op: any operator; what lineax has no class for becomes a `FunctionLinearOperator`.
        tags: lineax's tags, such as `lineax.positive_semidefinite_tag`, for what is known of the
            values. What the structure itself shows is tagged without being asked: symmetry, signs
            (the identity, U Uᵀ, the Jacobian of softmax; their negatives, sums, Kronecker products,
            blocks and inverses) and triangles. The sign of a number or an entry is not looked at.

    Raises:
        ImportError: when lineax is not installed.
    """
    refuse_batch(checked_operator("op", op), "`to_lineax`")
    lx = _lineax()
    own = frozenset(tags if isinstance(tags, frozenset | tuple | set | list) else (tags,))
    return _TO[_nearest(op, _TO)](lx, op, own | _tags(lx, op))


def from_lineax(op: Any) -> LinearOperator:
    """A `lineax` operator as one of these; `Linear` where there is no class alike.

    Raises:
        ImportError: when lineax is not installed.
        TypeError: when it maps anything but one array to one array.
    """
    lx = _lineax()
    if not isinstance(op, lx.AbstractLinearOperator):
        raise TypeError(f"`op` must be a lineax operator, but got {type(op).__name__}.")
    domain, codomain = op.in_structure(), op.out_structure()
    if not all(isinstance(space, jax.ShapeDtypeStruct) for space in (domain, codomain)):
        raise TypeError(
            f"`op` must map one array to one array, but got the structures {domain} and "
            f"{codomain}; convert its blocks one by one."
        )
    if isinstance(op, lx.TaggedLinearOperator):
        return from_lineax(op.operator)
    if isinstance(op, lx.IdentityLinearOperator) and domain == codomain:
        return Identity(domain.shape, domain.dtype)
    if isinstance(op, lx.DiagonalLinearOperator):
        return Diagonal(op.diagonal)
    if isinstance(op, lx.MatrixLinearOperator | lx.PyTreeLinearOperator):
        array = op.matrix if isinstance(op, lx.MatrixLinearOperator) else op.pytree
        return Dense(array, len(codomain.shape))
    return Linear(Partial(_product, op), codomain.shape, domain.shape, domain.dtype)


def _lineax() -> Any:
    try:
        return importlib.import_module("lineax")
    except ImportError:
        raise ImportError(
            "`lineax` must be installed for its operators, but it is not; "
            "run `pip install 'jaxcalc[lineax]'`."
        ) from None


def _product(op: Any, v: Array) -> Array:
    product: Array = op.mv(v)
    return product


def _identity(lx: Any, op: Identity, tags: Any) -> Any:
    if op.scale is not None:
        return _tagged(lx, lx.DiagonalLinearOperator(op.entries), tags)
    return lx.IdentityLinearOperator(jax.ShapeDtypeStruct(op.domain, op.dtype))


def _diagonal(lx: Any, op: Diagonal, tags: Any) -> Any:
    return _tagged(lx, lx.DiagonalLinearOperator(op.entries), tags)


def _tagged(lx: Any, diagonal: Any, tags: Any) -> Any:
    """`diagonal`, with the tags of a sign, of which it knows none by itself."""
    signs = tags & {lx.positive_semidefinite_tag, lx.negative_semidefinite_tag}
    return lx.TaggedLinearOperator(diagonal, signs) if signs else diagonal


def _dense(lx: Any, op: Dense, tags: Any) -> Any:
    if op.array.ndim == 2 and op.codomain_ndim == 1:
        return lx.MatrixLinearOperator(op.array, tags)
    codomain = jax.ShapeDtypeStruct(op.codomain, op.dtype)
    return lx.PyTreeLinearOperator(op.array, codomain, tags)


def _function(lx: Any, op: LinearOperator, tags: Any) -> Any:
    domain = jax.ShapeDtypeStruct(op.domain, op.dtype)
    return lx.FunctionLinearOperator(op.mv, domain, tags)


_TO: dict[type, Converter] = {
    Identity: _identity,
    Diagonal: _diagonal,
    Dense: _dense,
    LinearOperator: _function,
}


def _nearest(op: LinearOperator, table: dict[type, Converter]) -> type:
    return next(cls for cls in type(op).__mro__ if cls in table)


def _tags(lx: Any, op: LinearOperator) -> frozenset[object]:
    return frozenset(getattr(lx, f"{fact}_tag") for fact in facts(op))
