"""Rows: the slices of an array along the class axes, and their shifted exponentials.

Axes are counted from the end and sums keep their axes, so that a row's sum broadcasts against it.
A row may be split over the devices of a mesh axis: sums and maxima are then taken over them too.

XLA:CPU drops NaN in a maximum that it fuses. Nothing here leans on one to carry it: NaN goes
through the difference x − m into the exponential, and so into the sum.
"""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxcalc._arrays import Accuracy, Implementation, is_narrow, wide, working
from jaxcalc._compat import mesh_axes, varying_axes


class Rows(NamedTuple):
    """How the rows of an array are to be read.

    Attributes:
        axes: the axes of one row, counted from the end.
        accuracy: the forms to compute with.
        source: what is kept of a row to have its softmax from; see `probabilities`.
        implementation: what computes them; None takes what is best on the platform.
        axis_name: the mesh axes of `jax.shard_map` over which rows are split.
        exact: whether the entries are numbers of 16 bits, be their dtype wider: so few that the
            difference of two is rounded little.
    """

    axes: tuple[int, ...]
    accuracy: Accuracy
    source: Literal["softmax", "shares", "logits", "extended logits"] = "logits"
    implementation: Implementation | None = None
    axis_name: tuple[str, ...] = ()
    exact: bool = False

    @property
    def keep_softmax(self) -> bool:
        """Whether what is kept is the softmax itself."""
        return self.source in ("softmax", "shares")


def split_over(name: str, x: Array, rows: Rows) -> Array:
    """x, after a check that its rows can be split over `rows.axis_name`."""
    if not rows.axis_name:
        return x
    asked = rows.axis_name if len(rows.axis_name) > 1 else rows.axis_name[0]
    if not set(rows.axis_name) <= set(mesh_axes()):
        raise ValueError(
            f"`axis_name` must name mesh axes of the `jax.shard_map` around the call, but got "
            f"{asked!r}, where the mesh has {mesh_axes() or 'no axes'}."
        )
    if not set(rows.axis_name) <= varying_axes(x):
        raise ValueError(
            f"`axis_name={asked!r}` splits the classes over its devices, but `{name}` is the same "
            "on all of them; split its class axis in the `in_specs` of `jax.shard_map`, and leave "
            "`check_vma` on, without which derivatives cannot be right."
        )
    if rows.implementation == "pallas":
        raise NotImplementedError(
            "`implementation='pallas'` needs whole rows, but `axis_name` splits them; "
            "use `implementation='xla'`."
        )
    return x


def total(x: Array, rows: Rows) -> Array:
    """Σ over each row."""
    sums = jnp.sum(x, rows.axes, keepdims=True)
    return lax.psum(sums, rows.axis_name) if rows.axis_name else sums


def largest(x: Array, rows: Rows) -> Array:
    """The largest entry of each row."""
    top = jnp.max(x, rows.axes, keepdims=True, initial=-jnp.inf)
    return lax.pmax(top, rows.axis_name) if rows.axis_name else top


def shifted(x: Array, rows: Rows) -> tuple[Array, Array]:
    """d = x − m and m = max x, at least in float32. m is 0 where it would be infinite."""
    m = _shift(x, rows)
    return (wide(x) if is_plain(x, rows) else rounded(x, m)) - m, m


def exponentials(x: Array, rows: Rows) -> Array:
    """exp(x − c), c = base(x) ≤ max x, at least in float32: each is at most e⁴."""
    return exponentials_over(x, base(x, rows), rows)


def base(x: Array, rows: Rows) -> Array:
    """c: the largest entry of each row, or the multiple of 4 below it; 0 where it is infinite."""
    m = _shift(x, rows)
    return m if is_plain(x, rows) else 4 * jnp.floor(m / 4)


def exponentials_over(x: Array, c: Array, rows: Rows) -> Array:
    """exp(x − c).

    Where x − c may not be rounded, c is a multiple of 4, a grid so coarse that d + c, d = x − c
    rounded, is a number of the dtype: what was lost is x − (d + c) (Dekker's FastTwoSum, without
    its condition). A quarter of each cannot overflow.
    """
    if is_plain(x, rows):
        return jnp.exp(wide(x) - c)
    x, c = rounded(x, c) / 4, c / 4
    d = x - c
    return _corrected(d, _finite(x, rows) - (_finite(d, rows) + c))


def shifted_exponentials(x: Array, rows: Rows) -> tuple[Array, Array, Array]:
    """d = x − m, exp(d), and m: what a logarithm and a softmax share.

    The shift is the maximum itself, so that a row of one class has the logarithm 0; what is lost of
    x − m takes three operations more (Knuth's TwoSum).
    """
    d, m = shifted(x, rows)
    if is_plain(x, rows):
        return d, jnp.exp(d), m
    x, c = rounded(x, m) / 4, m / 4
    q, p = _finite(x, rows), _finite(x - c, rows)
    back = p - q
    return d, _corrected(x - c, (q - (p - back)) - (c + back)), m


def rounded(x: Array, other: Array) -> Array:
    """x, of which XLA knows no factors.

    A product of the caller would otherwise be contracted with the subtraction of a number that was
    made of rounded products to one rounding; in one loop it may be and in the next not. The sum
    with a zero that XLA does not know, 0 · other, ends that.
    """
    return x + 0 * other


def _corrected(d: Array, lost: Array) -> Array:
    """exp 4(d + lost)."""
    # not e + e·lost: where e·lost is subnormal it is flushed to zero
    return jnp.exp(4 * d) * (1 + 4 * lost)


def _finite(x: Array, rows: Rows) -> Array:
    """x, with −inf as a number: for the rounding of a difference, never for the difference itself.

    In a row of extended logits +inf is one too. (As a minimum XLA:CPU would not fuse it.)
    """
    least = -0.5 * float(jnp.finfo(x.dtype).max)
    x = jnp.maximum(x, least)
    return -jnp.maximum(-x, least) if rows.source == "extended logits" else x


def _shift(x: Array, rows: Rows) -> Array:
    m = wide(largest(x, rows))
    return jnp.where(jnp.isfinite(m), m, 0)


def is_plain(x: Array, rows: Rows) -> bool:
    """Whether x − m may be rounded: float32 leaves a 16-bit result 13 bits to spare."""
    return rows.accuracy == "fast" or rows.exact or is_narrow(x)


def probabilities(r: Array, rows: Rows) -> Array:
    """The softmax of each row, in a dtype to compute with, from what was kept of it.

    | source            | r                                    | a row of −inf |
    |-------------------|--------------------------------------|---------------|
    | "softmax"         | the softmax itself                   | r             |
    | "shares"          | the same of weights of either sign   | r             |
    | "logits"          | x                                    | NaN           |
    | "extended logits" | x, where x = −inf has probability 0  | 0             |

    A row with +inf is NaN throughout.
    """
    if rows.keep_softmax:
        return working(r, rows.accuracy)
    e = exponentials(r, rows)
    return e / normalizer(total(e, rows), rows)


def normalizer(sums: Array, rows: Rows) -> Array:
    """What exponentials are divided by: their sum, but NaN for an infinite one.

    Of a row of extended logits without any it is 1.
    """
    sums = jnp.where(sums == jnp.inf, jnp.nan, sums)
    return jnp.where(sums == 0, 1, sums) if rows.source == "extended logits" else sums
