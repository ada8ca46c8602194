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
from jaxcalc._derive._graph import Linear, UnstructuredError, added
from jaxcalc._derive._indexing import INDEXING
from jaxcalc._derive._rules import ARITHMETIC, stretched, times
from jaxcalc._derive._structured import along
from jaxcalc._derive._terms import permuted, scaled
from jaxcalc._formula import Expression, call, maps, number
from jaxcalc._formula._expression import walk


@dataclass(frozen=True, eq=False)
class Complex:
    """real + i imag."""

    real: Linear
    imag: Linear

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


def step(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> list[Any]:
    """The results of an equation with complex values."""
    name = equation.primitive.name
    if name in COMPLEX:
        return [COMPLEX[name](equation, operands, dtype)]
    if name in _EACH:
        return _each(equation, operands, dtype)
    raise UnstructuredError


# --- parts ---


def _pair(x: Any) -> Complex:
    """A value as its two parts."""
    if isinstance(x, Linear):
        return Complex(x, Linear(x.shape, x.dtype))
    if not isinstance(x, Complex):
        raise UnstructuredError
    return x


def _part(value: Value, name: str) -> Value | None:
    """The real or the imaginary part of an array; None where it has none."""
    array, e = jnp.asarray(value.array), value.expression
    if not jnp.iscomplexobj(array):
        return value if name == "real" else None
    part = getattr(jnp, name)(array)
    if e.op == "number":
        return Value(part, number(getattr(complex(e["value"]), name)))
    return Value(part, call(name, (_trusted(e),), array.shape))


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


def _minus(a: Linear, b: Linear) -> Linear:
    return added(a, b.map(lambda term: scaled(term, -1.0), b.shape))


def _each(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> list[Any]:
    """What acts on both parts alike; an array among the operands only says where."""
    rule = _EACH[equation.primitive.name]
    pairs = [x if isinstance(x, Value) else _pair(x) for x in operands]
    reals, imags = (
        rule(equation, [x if isinstance(x, Value) else getattr(x, part) for x in pairs], dtype)
        for part in ("real", "imag")
    )
    return [Complex(a, b) for a, b in zip(reals, imags, strict=True)]


_ALIKE = """
add add_any sub neg copy broadcast_in_dim transpose squeeze reduce_sum select_n slice rev reshape
concatenate split
"""
_EACH = {name: {**ARITHMETIC, **INDEXING}[name] for name in _ALIKE.split()}


def _bilinear(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    """(a + i b) (c + i d) = (a c − b d) + i (a d + b c), with an array for c + i d."""
    (value,) = (x for x in operands if isinstance(x, Value))
    (t,) = (x for x in operands if not isinstance(x, Value))
    if isinstance(t, Spectrum):
        return _filter(equation, t, value)
    rule, x, c, d = ARITHMETIC[equation.primitive.name], _pair(t), *_parts(value)

    def times(part: Linear, by: Value | None) -> Linear:
        out = equation.outvars[0].aval.shape
        if by is None or not part.parts:
            return Linear(out, part.dtype)
        return rule(equation, [by if o is value else part for o in operands], dtype)[0]

    real = _minus(times(x.real, c), times(x.imag, d))
    return Complex(real, added(times(x.real, d), times(x.imag, c)))


def _parts(value: Value) -> tuple[Value | None, Value | None]:
    return _part(value, "real"), _part(value, "imag")


def _divided(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    t, value = operands
    if not isinstance(value, Value):
        raise UnstructuredError
    e = value.expression
    inverse = Value(1 / jnp.asarray(value.array), call("integer_pow", (e,), e.shape, y=-1))
    if isinstance(t, Spectrum):
        return _filter(equation, t, inverse)
    x, (c, d) = _pair(t), _parts(inverse)

    def by(part: Linear, factor: Value | None) -> Linear:
        shape = equation.outvars[0].aval.shape
        if factor is None or not part.parts:
            return Linear(shape, part.dtype)
        return times(stretched(part, shape), factor, dtype)

    return Complex(_minus(by(x.real, c), by(x.imag, d)), added(by(x.real, d), by(x.imag, c)))


def _real(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    return _pair(operands[0]).real


def _imag(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    return _pair(operands[0]).imag


def _conj(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    x = _pair(operands[0])
    return Complex(x.real, x.imag.map(lambda term: scaled(term, -1.0), x.shape))


def _together(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    """a + i b of two real values, one of which may be an array."""
    (aval,) = (v.aval for v in equation.outvars)
    real, imag = (x if isinstance(x, Linear) else Linear(aval.shape, dtype) for x in operands)
    return Complex(real, imag)


def _converted(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    x, to = _pair(operands[0]), equation.outvars[0].aval.dtype
    real = jnp.finfo(to).dtype
    x = Complex(*(Linear(part.shape, real, part.parts) for part in (x.real, x.imag)))
    return x if jnp.issubdtype(to, jnp.complexfloating) else x.real


# --- spectra ---


def _transformed(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    """F x, a spectrum; F⁻¹ of one, filtered values."""
    (x,), lengths, kind = operands, equation.params["fft_lengths"], equation.params["fft_type"]
    shape = equation.outvars[0].aval.shape
    if len(lengths) == 1 and not isinstance(x, Spectrum) and kind in (FftType.FFT, FftType.RFFT):
        return Spectrum(_pair(x), shape, kind == FftType.RFFT, len(shape) - 1)
    back = isinstance(x, Spectrum) and kind == (FftType.IRFFT if x.halved else FftType.IFFT)
    if not back or x.source.shape != shape or x.axis != len(shape) - 1:
        raise UnstructuredError
    source, column = x.source, _column(x)
    if column is None:
        return source.real if x.halved else source
    c, d = _parts(column)
    real = _minus(_circulant(source.real, c), _circulant(source.imag, d))
    if x.halved:
        return real
    return Complex(real, added(_circulant(source.real, d), _circulant(source.imag, c)))


def _filter(equation: Any, x: Spectrum, h: Value) -> Spectrum:
    if equation.primitive.name == "dot_general":
        raise UnstructuredError
    array, e = jnp.asarray(h.array), h.expression
    if array.ndim == 0:
        ones = (1,) * len(x.shape)
        array = array.reshape(ones)
        e = call("broadcast_in_dim", (e,), ones, shape=ones, broadcast_dimensions=())
    if x.filter is None:
        return replace(x, filter=Value(array, e))
    both = jnp.asarray(x.filter.array) * array
    return replace(x, filter=Value(both, call("mul", (x.filter.expression, e), both.shape)))


def _negated(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    (x,) = operands
    if not isinstance(x, Spectrum):
        return _each(equation, operands, dtype)[0]
    return _filter(equation, x, Value(np.asarray(-1.0), number(-1.0)))


def _permuted(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    (x,), order = operands, equation.params["permutation"]
    if not isinstance(x, Spectrum):
        return _each(equation, operands, dtype)[0]
    size, h = tuple(x.source.shape[axis] for axis in order), x.filter
    parts = (x.source.real, x.source.imag)
    source = Complex(*(t.map(lambda term: permuted(term, order), size) for t in parts))
    if h is not None:
        array = jnp.transpose(jnp.asarray(h.array), order)
        h = Value(array, call("transpose", (h.expression,), array.shape, permutation=tuple(order)))
    shape = tuple(x.shape[axis] for axis in order)
    return replace(x, source=source, shape=shape, filter=h, axis=order.index(x.axis))


def _column(x: Spectrum) -> Value | None:
    """F⁻¹ of the filter."""
    if x.filter is None:
        return None
    h, e = unrepeated(x.filter)
    array = jnp.broadcast_to(h, (*h.shape[:-1], x.shape[-1]))
    size = x.source.shape[-1]
    made = jnp.fft.irfft(array, size) if x.halved else jnp.fft.ifft(array)
    if h.shape != array.shape:
        e = call(
            "broadcast_in_dim",
            (e,),
            array.shape,
            shape=array.shape,
            broadcast_dimensions=tuple(range(array.ndim)),
        )
    return Value(made, call("irfft" if x.halved else "ifft", (_trusted(e),), made.shape))


def _circulant(t: Linear, column: Value | None) -> Linear:
    if column is None or not t.parts:
        return Linear(t.shape, t.dtype)
    axes = [*range(len(t.shape) - 1), None]
    return along(t, len(t.shape) - 1, Filtered(), [(column, axes)])


def _unpadded(equation: Any, operands: Sequence[Any], dtype: np.dtype) -> Any:
    """Zeros around a complex value; around a spectrum only none."""
    x, filling = operands
    if not isinstance(filling, Value):
        raise UnstructuredError
    if isinstance(x, Spectrum):
        if any(map(any, equation.params["padding_config"])):
            raise UnstructuredError
        return x
    rule, pair = INDEXING["pad"], _pair(x)
    return Complex(*(rule(equation, (p, filling), dtype)[0] for p in (pair.real, pair.imag)))


COMPLEX: dict[str, Callable[[Any, Sequence[Any], np.dtype], Any]] = {
    "complex": _together,
    "conj": _conj,
    "convert_element_type": _converted,
    "div": _divided,
    "dot_general": _bilinear,
    "fft": _transformed,
    "imag": _imag,
    "mul": _bilinear,
    "neg": _negated,
    "pad": _unpadded,
    "real": _real,
    "transpose": _permuted,
}
