"""Gates, x g(x) with g rational in E = exp q(x): their derivatives of every order.

With the polynomials num and den in E, and q in x,

    f⁽ⁿ⁾ = Nₙ(x, E)/den(E)ⁿ⁺¹,    N₀ = x num(E)
    Nₙ₊₁ = (∂ₓNₙ + q′ E ∂ₑNₙ) den − (n + 1) q′ E den′ Nₙ

are known from the integers of num and den. Three things keep the digits:

- Both signs of x are written in e = exp(−|q|) ≤ 1, so that nothing overflows, and the power of e
  that all terms share is taken out: it comes last, so that no tail is lost before the result is.
- Where Nₙ crosses zero, at r with e = eᵣ there, it is

      Nₙ(x, e) = (x − r) [Nₙ(·, e); x, r] + (e − eᵣ) [Nₙ(r, ·); e, eᵣ]

  by divided differences, polynomials whose coefficients are known. r is the sum of two numbers of
  the dtype and e − eᵣ is eᵣ expm1(±(q(x) − q(r))): no digit is lost beside r. The zeros are found
  to `DIGITS` digits when an order is first asked for.
- Where q is more than x it is the sum of two numbers, of which the second is what rounding left.

Where f(x) = x + f(−x), the numbers below 0 tell all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache, reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcalc._functions.exponents import Exponential, excess, exponential, in_two, offset

DIGITS = 50
_ZERO = Decimal(0)
_NOTHING = Decimal("1e-40")  # of what is 0 but for the rounding of its digits
_NEAR = 1  # a zero so near to 0 is felt on the other side of it
Polynomial = dict[tuple[int, int], Decimal]  # by the powers of x and of e


@dataclass(frozen=True)
class Gate:
    """f(x) = x num(E)/den(E), E = exp q(x), which goes from 0 to x as E grows.

    Attributes:
        num: the coefficients of num, from that of E⁰ on.
        den: those of den, as many.
        q: those of q, odd and growing.
        exponent: |q(x)|, and what it lacks.
        end: where exp(−|q|) is 0 in any dtype.
    """

    num: tuple[int, ...]
    den: tuple[int, ...]
    q: tuple[Decimal, ...] = (Decimal(0), Decimal(1))
    exponent: Callable[[Array], tuple[Array, Array | float]] = lambda x: (jnp.abs(x), 0.0)
    end: float = 800.0

    def __call__(self, x: Array, order: int) -> Array:
        """f⁽ⁿ⁾(x), n = order, in a dtype of 32 bits or more."""
        if not self.reflects:
            return self._evaluated(x, order)
        y = self._evaluated(-jnp.abs(x), order)
        if order == 0:
            return jnp.where(x < 0, 0, x) + y
        if order == 1:
            return jnp.where(x < 0, y, 1 - y)
        return jnp.where(x < 0, y, -y) if order % 2 else y

    @property
    def reflects(self) -> bool:
        """Whether num(E)/den(E) and num(1/E)/den(1/E) add up to 1, so that f(x) = x + f(−x)."""
        sums = tuple(a + b for a, b in zip(self.num, self.num[::-1], strict=True))
        return sums == self.den == self.den[::-1]

    def _evaluated(self, x: Array, order: int) -> Array:
        x = jnp.where(x < -self.end, -self.end, x)
        inner = x if self.reflects else jnp.where(x > self.end, self.end, x)
        e = exponential(*self.exponent(inner))
        pieces = _pieces(self, order)
        at = _At(inner, e.value, pieces)
        over = at.evaluate([_powers_of_e(p.den) for p in pieces])
        quotient = at.numerator() / lax.integer_pow(over, order + 1)
        if order == 0:
            quotient *= x  # which is the value where E is large
        return _times_powers(quotient, e, at)


class _Piece(NamedTuple):
    """Nₙ, or for n = 0 num, from some number on: (x − r) first + expm1((x − r) slope) second.

    Attributes:
        start: where it begins.
        root: r; None where `first` is all of it.
        e_root: eᵣ.
        first: what multiplies x − r.
        second: what multiplies e/eᵣ − 1.
        slope: ±(q(x) − q(r))/(x − r).
        den: the coefficients of den.
        power: that of e which is taken out.
    """

    start: Decimal
    root: Decimal | None
    e_root: Decimal
    first: Polynomial
    second: Polynomial
    slope: Polynomial
    den: tuple[int, ...]
    power: int


class _At(NamedTuple):
    """Numbers x, with e, and the pieces of the line that they lie on."""

    x: Array
    e: Array
    pieces: Sequence[_Piece]

    def choose(self, values: Sequence[Any]) -> Array:
        """For each x the value of its piece."""
        values = [v if isinstance(v, Array) else np.asarray(v, self.x.dtype) for v in values]
        chosen = values[0]
        for i in range(1, len(values)):
            if values[i] is not values[i - 1] and not _same_number(values[i], values[i - 1]):
                later = self.x >= float(self.pieces[i].start)
                chosen = jnp.where(later, values[i], chosen)
        return jnp.asarray(chosen)

    def evaluate(self, polynomials: Sequence[Polynomial]) -> Array:
        """For each x the polynomial of its piece."""
        powers = {power for p in polynomials for power in p}

        def row(j: int) -> Array:
            """What multiplies eʲ."""
            highest = max((i for i, k in powers if k == j), default=0)
            each = ([float(p.get((i, j), 0)) for p in polynomials] for i in range(highest, -1, -1))
            return _horner(self.x, [self.choose(values) for values in each])

        return _horner(self.e, [row(j) for j in range(max(j for _, j in powers), -1, -1)])

    def numerator(self) -> Array:
        """What is divided."""
        first = self.evaluate([p.first for p in self.pieces])
        if all(p.root is None for p in self.pieces):
            return first
        roots = [in_two(p.root or Decimal(0), self.x.dtype) for p in self.pieces]
        high, low = (self.choose(part) for part in zip(*roots, strict=True))
        d = offset(self.x, high, low)
        slope, second = (
            self.evaluate([getattr(p, name) for p in self.pieces]) for name in ("slope", "second")
        )
        by = self.choose([1.0 if p.root is None else d for p in self.pieces])
        over = self.choose([1.0 if p.root is None else float(1 / p.e_root) for p in self.pieces])
        return by * first + excess(d * slope, self.e * over) * second


def _horner(x: Array, coefficients: Sequence[Array]) -> Array:
    """The polynomial with these coefficients, from the highest on."""
    return reduce(lambda value, c: value * x + c, coefficients)


def _same_number(a: Any, b: Any) -> bool:
    return not isinstance(a, Array) and not isinstance(b, Array) and bool(a == b)


def _times_powers(x: Array, e: Exponential, at: _At) -> Array:
    """x eᵏ, with the k of each piece."""
    for k in range(max(p.power for p in at.pieces)):
        x = x * at.choose([e.scaled if p.power > k else 1.0 for p in at.pieces])
    for k in range(max(p.power for p in at.pieces)):
        x = x * at.choose([e.factor if p.power > k else 1.0 for p in at.pieces])
    return x


# --- polynomials, in DIGITS digits ---


@lru_cache
def _pieces(gate: Gate, order: int) -> tuple[_Piece, ...]:
    with localcontext(prec=DIGITS):
        below = _one_side(gate, order, -1)
        return tuple(below) if gate.reflects else (*below, *_one_side(gate, order, 1))


def _one_side(gate: Gate, order: int, sign: int) -> Iterator[_Piece]:
    """The pieces of the numbers of one sign: one for each zero near them, or one for all."""
    numerator, power = _in_small_e(gate, order, sign)
    den = gate.den if sign < 0 else gate.den[::-1]
    zeros = [r for r in _zeros(gate, order) if sign * r > -_NEAR] if order else []
    start = Decimal(0) if sign > 0 else Decimal("-Infinity")
    if not zeros:
        yield _Piece(start, None, Decimal(1), numerator, {}, {}, den, power)
    for last, r in zip([None, *zeros], zeros, strict=False):
        e_root = _e(gate, r, sign)
        first, second = _divided(numerator, r, e_root)
        slope = {power: -sign * c for power, c in _by_x(_powers_of_x(gate.q), r).items()}
        begin = start if last is None else max(start, (last + r) / 2)
        yield _Piece(begin, r, e_root, first, second, slope, den, power)


def _powers_of_x(coefficients: Sequence[Decimal]) -> Polynomial:
    return {(i, 0): c for i, c in enumerate(coefficients) if c}


def _e(gate: Gate, x: Decimal, sign: int) -> Decimal:
    """exp(∓q(x)), which is exp(−|q|) at an x of that sign."""
    return (-sign * _value(_powers_of_x(gate.q), x, Decimal(1))).exp()


def _in_small_e(gate: Gate, order: int, sign: int) -> tuple[Polynomial, int]:
    """Nₙ over the power of e that all terms share, and that power."""
    top = (len(gate.den) - 1) * (order + 1)
    terms = {(i, j if sign < 0 else top - j): c for (i, j), c in _numerator(gate, order).items()}
    power = min(j for _, j in terms)
    return {(i, j - power): c for (i, j), c in terms.items()}, power


@lru_cache
def _numerator(gate: Gate, order: int) -> Polynomial:
    """Nₙ; for n = 0 without its factor x."""
    if order == 0:
        return _powers_of_e(gate.num)
    last = _numerator(gate, order - 1)
    if order == 1:
        last = _product(last, {(1, 0): Decimal(1)})
    dq = {(i - 1, 0): i * c for i, c in enumerate(gate.q) if i}
    by_x = {(i - 1, j): i * c for (i, j), c in last.items() if i}
    den = _powers_of_e(gate.den)
    change = _sum(by_x, _product(dq, _by_exponent(last)))
    of_den = _product(_product(dq, _by_exponent(den)), last)
    return _sum(_product(change, den), {power: -order * c for power, c in of_den.items()})


def _powers_of_e(coefficients: Sequence[int]) -> Polynomial:
    return {(0, j): Decimal(c) for j, c in enumerate(coefficients) if c}


def _by_exponent(p: Polynomial) -> Polynomial:
    """E ∂p/∂E."""
    return {(i, j): j * c for (i, j), c in p.items() if j}


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    total = {power: a.get(power, _ZERO) + b.get(power, _ZERO) for power in {**a, **b}}
    largest = max([_ZERO, *map(abs, a.values()), *map(abs, b.values())])
    return {power: c for power, c in total.items() if abs(c) > _NOTHING * largest}


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    made: Polynomial = {}
    for (i, j), c in a.items():
        for (k, m), d in b.items():
            made[i + k, j + m] = made.get((i + k, j + m), _ZERO) + c * d
    return made


def _value(p: Mapping[tuple[int, int], Any], x: Any, e: Any) -> Any:
    return sum(c * _power(x, i) * _power(e, j) for (i, j), c in p.items())


def _power(x: Any, n: int) -> Any:
    return x**n if n else 1  # for a Decimal 0⁰ is no number


def _divided(p: Polynomial, r: Decimal, e: Decimal) -> tuple[Polynomial, Polynomial]:
    """[p(·, e); x, r], and e [p(r, ·); e, eᵣ]."""
    at_r: Polynomial = {}
    for (i, j), c in p.items():  # x and e change places
        at_r[j, 0] = at_r.get((j, 0), _ZERO) + c * _power(r, i)
    by_e = {(0, j): e * c for (j, _), c in _by_x(at_r, e).items()}
    return _by_x(p, r), by_e


def _by_x(p: Polynomial, r: Decimal) -> Polynomial:
    """(p(x, e) − p(r, e))/(x − r)."""
    made: Polynomial = {}
    for (i, j), c in p.items():
        for k in range(i):  # xⁱ − rⁱ = (x − r) Σ xᵏ rⁱ⁻¹⁻ᵏ
            made[k, j] = made.get((k, j), _ZERO) + c * _power(r, i - 1 - k)
    return made


@lru_cache
def _zeros(gate: Gate, order: int) -> tuple[Decimal, ...]:
    """Where the derivative crosses zero, in order."""
    found = {r for sign in (-1, 1) for r in _zeros_of_one_sign(gate, order, sign)}
    at_zero, _ = _in_small_e(gate, order, 1)
    if abs(_value(at_zero, Decimal(0), Decimal(1))) <= _NOTHING * sum(map(abs, at_zero.values())):
        found.add(Decimal(0))
    return tuple(sorted(found))


def _zeros_of_one_sign(gate: Gate, order: int, sign: int) -> Iterator[Decimal]:
    p, _ = _in_small_e(gate, order, sign)
    x = sign * np.linspace(0, 20 + 5 * order, 4000 + 1000 * order)[1:]
    q = sum(float(c) * x**i for i, c in enumerate(gate.q))
    signs = np.sign(_value({power: float(c) for power, c in p.items()}, x, np.exp(-np.abs(q))))
    for i in np.flatnonzero(signs[1:] != signs[:-1]):
        yield _secant(gate, p, sign, Decimal(x[i]), Decimal(x[i + 1]))


def _secant(gate: Gate, p: Polynomial, sign: int, a: Decimal, b: Decimal) -> Decimal:
    """The zero between two neighbours on a grid."""
    f, g = (_value(p, x, _e(gate, x, sign)) for x in (a, b))
    while f != g and abs(b - a) > _NOTHING * abs(b):
        a, b, f = b, b - g * (b - a) / (g - f), g
        g = _value(p, b, _e(gate, b, sign))
    return b
