"""Complex values as pairs of real ones, and spectra: transforms that wait for their inverse.

A linear program is linear over the reals, as `real`, `imag` and `conj` are, so that both parts of a
complex value are values of their own. A spectrum is a filter times a transform; transformed back it
is a periodic convolution, a circulant matrix:

    F⁻¹ (h ⊙ F x) = circulant(F⁻¹ h) x

Whatever has no row here gives up the whole linear program, which stays one map, exact all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.lax import FftType

from jaxcalc import operators as ops
from jaxcalc._derive._coefficients import Value, unrepeated
from jaxcalc._derive._graph import Tangent, UnstructuredError, added
from jaxcalc._derive._indexing import pad
from jaxcalc._derive._rules import (
    negative,
    permuted,
    product,
    reordered_value,
    scaled,
    transposed,
)
from jaxcalc._derive._step import LinearStep, Rule, as_list
from jaxcalc._derive._structured import along
from jaxcalc._formula import Expression, call, maps, number
from jaxcalc._formula._expression import walk

ComplexRule = Callable[[LinearStep], Any]


@dataclass(frozen=True, eq=False)
class Complex:
    """real + i imag."""

    real: Tangent
    imag: Tangent

    @property
    def shape(self) -> tuple[int, ...]:
        """That of both parts."""
        return self.real.shape

    @property
    def parts(self) -> bool:
        """Whether it depends on the tangent."""
        return bool(self.real.parts or self.imag.parts)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """`filter` ⊙ F `source` along `axis`; `filter` None is 1."""

    source: Complex
    shape: tuple[int, ...]
    halved: bool  # whether half of it is left out, as that of a real source is
    axis: int
    filter: Value | None = None
    parts: bool = True


@dataclass(frozen=True)
class Filtered:
    """The circulant matrix of its first column."""

    def operator(self, arrays: Sequence[Array], size: int, dtype: np.dtype) -> ops.LinearOperator:
        """By two transforms."""
        (column,) = arrays
        return ops.Circulant(column.astype(dtype))

    def written(self, arrays: Sequence[Expression], rows: int, columns: int) -> maps.Map:
        """circulant(column)."""
        return maps.matrix(call("circulant", arrays, (rows, columns)))


def is_complex(equation: Any) -> bool:
    """Whether complex values go in or come out."""
    atoms = (*equation.invars, *equation.outvars)
    return any(jnp.issubdtype(atom.aval.dtype, jnp.complexfloating) for atom in atoms)


def unknown(step: LinearStep) -> Any:
    """Whatever has no rule for complex values."""
    raise UnstructuredError


# --- parts ---


def _pair(x: Any) -> Complex:
    """A value as its two parts."""
    if isinstance(x, Tangent):
        return Complex(x, Tangent(x.shape, x.dtype))
    if not isinstance(x, Complex):
        raise UnstructuredError
    return x


def _parts(value: Value) -> tuple[Value, Value | None]:
    """The real and the imaginary part of an array; None for one that is 0."""
    array, e = jnp.asarray(value.array), value.expression
    if not jnp.iscomplexobj(array):
        return value, None
    if e.op == "number":
        written = number(complex(e["value"]).real), number(complex(e["value"]).imag)
    else:
        args, shape = (_trusted(e),), array.shape
        written = call("real", args, shape), call("imag", args, shape)
    return Value(jnp.real(array), written[0]), Value(jnp.imag(array), written[1])


# what rules for real arrays say of complex ones too
_TRUSTED = """
add broadcast_in_dim complex concatenate conj constant convert_element_type div exp fft ifft imag
integer_pow irfft mul name neg number pad real reshape sign slice squeeze stack sub transpose
"""


def _trusted(e: Expression) -> Expression:
    """The expression, if its canonical form is right for complex numbers."""
    if all(node.op in _TRUSTED.split() for node in walk(e)):
        return e
    return call("unknown", (), e.shape, text="a complex array")


def each(rule: Rule) -> ComplexRule:
    """What acts on both parts alike; an array among the operands only says where."""

    def both(step: LinearStep) -> list[Complex]:
        pairs = [x if isinstance(x, Value) else _pair(x) for x in step.operands]
        reals, imags = (
            as_list(
                rule(step.on(*(x if isinstance(x, Value) else getattr(x, part) for x in pairs)))
            )
            for part in ("real", "imag")
        )
        return [Complex(a, b) for a, b in zip(reals, imags, strict=True)]

    return both


def bilinear(rule: Rule) -> ComplexRule:
    """(a + i b) (c + i d) = (a c − b d) + i (a d + b c), with an array for c + i d."""

    def multiplied(step: LinearStep) -> Complex:
        (t,) = (x for x in step.operands if not isinstance(x, Value))

        def times(part: Tangent, by: Value | None) -> Tangent:
            if by is None or not part.parts:
                return Tangent(step.shape, part.dtype)
            (made,) = as_list(rule(step.on(*(part if x is t else by for x in step.operands))))
            return made

        return _times(_pair(t), step.value, times)

    return multiplied


def _times(x: Complex, value: Value, times: Callable[[Tangent, Value | None], Tangent]) -> Complex:
    c, d = _parts(value)
    real = added(times(x.real, c), scaled(times(x.imag, d), -1.0))
    return Complex(real, added(times(x.real, d), times(x.imag, c)))


def multiplied(step: LinearStep) -> Any:
    """A complex value times an array; a spectrum becomes filtered."""
    (t,) = (x for x in step.operands if not isinstance(x, Value))
    return _filtered(t, step.value) if isinstance(t, Spectrum) else bilinear(product)(step)


def divided(step: LinearStep) -> Any:
    """A complex value over an array."""
    inverse = step.value.then(1 / jnp.asarray(step.value.array), "integer_pow", y=-1)
    return multiplied(step.on(step.operands[0], inverse))


def real(step: LinearStep) -> Tangent:
    """The real part."""
    return _pair(step.operands[0]).real


def imaginary(step: LinearStep) -> Tangent:
    """The imaginary part."""
    return _pair(step.operands[0]).imag


def conjugate(step: LinearStep) -> Complex:
    """a − i b."""
    x = _pair(step.operands[0])
    return Complex(x.real, scaled(x.imag, -1.0))


def together(step: LinearStep) -> Complex:
    """a + i b of two real values, one of which may be an array."""
    zero = Tangent(step.shape, step.dtype)
    return Complex(*(x if isinstance(x, Tangent) else zero for x in step.operands))


def converted(step: LinearStep) -> Tangent | Complex:
    """A value in another dtype, real or complex."""
    x, to = _pair(step.operands[0]), step.avals[0].dtype
    dtype = jnp.finfo(to).dtype
    x = Complex(*(Tangent(part.shape, dtype, part.parts) for part in (x.real, x.imag)))
    return x if jnp.issubdtype(to, jnp.complexfloating) else x.real


# --- spectra ---


def transformed(step: LinearStep) -> Any:
    """F x, a spectrum; F⁻¹ of one, filtered values."""
    (x,), lengths, kind = step.operands, step.params["fft_lengths"], step.params["fft_type"]
    shape = step.shape
    if len(lengths) == 1 and not isinstance(x, Spectrum) and kind in (FftType.FFT, FftType.RFFT):
        return Spectrum(_pair(x), shape, kind == FftType.RFFT, len(shape) - 1)
    back = isinstance(x, Spectrum) and kind == (FftType.IRFFT if x.halved else FftType.IFFT)
    if not back or x.source.shape != shape or x.axis != len(shape) - 1:
        raise UnstructuredError
    y = x.source if x.filter is None else _times(x.source, _column(x, x.filter), _circulant)
    return y.real if x.halved else y


def _filtered(x: Spectrum, h: Value) -> Spectrum:
    array = jnp.asarray(h.array)
    if array.ndim == 0:
        ones = (1,) * len(x.shape)
        array = array.reshape(ones)
        h = h.then(array, "broadcast_in_dim", shape=ones, broadcast_dimensions=())
    if x.filter is not None:
        h = x.filter.then(jnp.asarray(x.filter.array) * array, "mul", h.expression)
    return replace(x, filter=h)


def negated(step: LinearStep) -> Any:
    """−x; of a spectrum, a filter of −1."""
    (x,) = step.operands
    if isinstance(x, Spectrum):
        return _filtered(x, Value(np.asarray(-1.0), number(-1.0)))
    return each(negative)(step)


def reordered(step: LinearStep) -> Any:
    """x with its axes in another order; a spectrum remembers its own."""
    (x,), order = step.operands, tuple(step.params["permutation"])
    if not isinstance(x, Spectrum):
        return each(transposed)(step)
    source, h = Complex(permuted(x.source.real, order), permuted(x.source.imag, order)), x.filter
    if h is not None:
        h = reordered_value(h, order)
    return replace(x, source=source, shape=step.shape, filter=h, axis=order.index(x.axis))


def _column(x: Spectrum, filter_: Value) -> Value:
    """F⁻¹ of the filter."""
    h = unrepeated(filter_)
    array = jnp.broadcast_to(h.array, (*h.shape[:-1], x.shape[-1]))
    if h.shape != array.shape:
        axes = {"shape": array.shape, "broadcast_dimensions": tuple(range(array.ndim))}
        h = h.then(array, "broadcast_in_dim", **axes)
    e = _trusted(h.expression)
    if x.halved:
        return Value(array, e).then(jnp.fft.irfft(array, x.source.shape[-1]), "irfft")
    return Value(array, e).then(jnp.fft.ifft(array), "ifft")


def _circulant(t: Tangent, column: Value | None) -> Tangent:
    if column is None or not t.parts:
        return Tangent(t.shape, t.dtype)
    axes = [*range(len(t.shape) - 1), None]
    return along(t, len(t.shape) - 1, Filtered(), [(column, axes)])


def padded(step: LinearStep) -> Any:
    """Zeros around a complex value; around a spectrum only none."""
    x, filling = step.operands
    if not isinstance(x, Spectrum) and isinstance(filling, Value):
        return each(pad)(step)
    if isinstance(x, Spectrum) and not any(map(any, step.params["padding_config"])):
        return x
    raise UnstructuredError
