"""Functions recognised by their defining expressions: softmax and log-sum-exp.

    exp(u)/Σ exp(u) = softmax(u)        log Σ exp(u) = logsumexp(u)
    exp(u − logsumexp(u)) = softmax(u)

What does not vary along the sum, such as a shift by max u, leaves the softmax as it is.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from jaxcalc._formula._algebra import Algebra
from jaxcalc._formula._expression import Expression, call
from jaxcalc._formula._product import Factor, Labels, is_contraction, labels_of, relabel, unpack
from jaxcalc._formula._sums import constant, number_of, terms, used_axes

_LOG_ROOT = math.log(2 * math.pi) / 2


def softmax(algebra: Algebra, x: Expression, axes: Sequence[int]) -> Expression:
    """The softmax of canonical x along `axes`, without any shift."""
    varying, _ = _split(algebra, x, set(axes))
    negative = tuple(sorted(axis - len(x.shape) for axis in axes))
    return call("softmax", (varying,), x.shape, axes=negative)


def _split(algebra: Algebra, x: Expression, axes: set[int]) -> tuple[Expression, list[Expression]]:
    """x as what varies along `axes` and the terms that do not."""
    varying = [term for term in terms(x) if used_axes(term) & axes]
    if not varying:
        return x, []
    return algebra.add(varying, x.shape), [t for t in terms(x) if not used_axes(t) & axes]


def normalised_exponentials(
    algebra: Algebra, factors: list[Factor], kept: Sequence[int]
) -> list[Factor]:
    """exp(u)ᵖ (Σ exp(u))⁻ᵖ as softmax(u)ᵖ, also where exp(u) is inside a contraction."""
    for bottom in [f for f in factors if f.power <= -1]:
        summed = _sum_of_exponentials(bottom.value)
        if summed is None:
            continue
        opened = [part for f in factors for part in _opened(f, summed[0], factors)]
        for top in opened:
            axes = _matching_sum(top, bottom)
            if axes:
                power = min(top.power, -bottom.power)
                rest = [f for f in opened if f is not top and f is not bottom]
                changed = [
                    Factor(softmax(algebra, top.value.args[0], axes), top.labels, power),
                    top._replace(power=top.power - power),
                    bottom._replace(power=bottom.power + power),
                ]
                left = [f for f in changed if f.power]
                return normalised_exponentials(algebra, rest + left, kept)
    return factors


def sums_of_probabilities(
    algebra: Algebra, factors: list[Factor], kept: Sequence[int]
) -> list[Factor]:
    """Σ softmax(u) = 1 along its rows."""
    return [f for f in factors if not _sums_to_one(f, factors, kept)]


def _sums_to_one(factor: Factor, factors: list[Factor], kept: Sequence[int]) -> bool:
    value, labels, power = factor
    if value.op != "softmax" or power != 1:
        return False
    row = {labels[axis] for axis in value["axes"]}
    rest = labels_of(f for f in factors if f is not factor)
    beside = {label for i, label in enumerate(labels) if i - len(labels) not in value["axes"]}
    return not row & (rest | set(kept) | beside) and beside <= rest | set(kept)


def _opened(factor: Factor, exponential: Expression, factors: list[Factor]) -> list[Factor]:
    """The factors of a contraction that has the exponential among them, else the factor."""
    value, _, power = factor
    inner = unpack(value).factors
    if power != 1 or not is_contraction(value) or all(f.value is not exponential for f in inner):
        return [factor]
    fresh = 1 + max(labels_of(factors), default=0) + 1000 * factors.index(factor)
    return relabel(inner, {label: fresh + label for label in labels_of(inner)})


def _matching_sum(top: Factor, bottom: Factor) -> list[int] | None:
    """The axes that `bottom`, a sum of the exponentials in `top`, is over."""
    if top.value.op != "exp" or top.power < 1 or bottom.power > -1:
        return None
    summed = _sum_of_exponentials(bottom.value)
    if summed is None or summed[0] is not top.value:
        return None
    rank, axes = len(bottom.value.shape), []
    for axis, label in enumerate(summed[1]):
        if label >= rank:
            axes.append(axis)
        elif bottom.labels[label] != top.labels[axis]:
            return None
    return axes


def _sum_of_exponentials(value: Expression) -> tuple[Expression, Labels] | None:
    """The exponential that `value` is a sum of, with its labels."""
    product = unpack(value)
    if value.op != "product" or product.coefficient != 1 or len(product.factors) != 1:
        return None
    inner, labels, power = product.factors[0]
    if inner.op != "exp" or power != 1 or len(set(labels)) != len(labels) or not product.summed:
        return None
    return inner, labels


def log(algebra: Algebra, x: Expression) -> Expression:
    """log x, elementwise: the log-sum-exp of a sum of exponentials, plus its shift."""
    small, axes = algebra.squeezed(x)
    if (power := _exponent_beside_one(small)) is not None:
        return algebra.apply("softplus", (algebra.spread(power, axes, x.shape),), x.shape)
    found = _sum_of_exponentials(small)
    if found is None:
        return algebra.apply("log", (x,), x.shape)
    return algebra.spread(_log_of_sum(algebra, *found, small), axes, x.shape)


def _log_of_sum(
    algebra: Algebra, exponential: Expression, labels: Labels, x: Expression
) -> Expression:
    rank = len(x.shape)
    axes = [axis for axis, label in enumerate(labels) if label >= rank]
    u, shift = _split(algebra, exponential.args[0], set(axes))
    kept = tuple(label for label in labels if label < rank)
    own = tuple(u.shape[axis] for axis, label in enumerate(labels) if label < rank)
    negative = tuple(axis - len(u.shape) for axis in axes)
    value = call("logsumexp", (u,), own, axes=negative)
    moved = [_moved(algebra, term, labels, x) for term in shift]
    return algebra.add([algebra.multiply([Factor(value, kept)], x.shape), *moved], x.shape)


def log1p(algebra: Algebra, x: Expression) -> Expression:
    """log(1 + x), elementwise: softplus(u) for x = exp(u)."""
    if x.op == "exp":
        return algebra.apply("softplus", x.args, x.shape)
    return algebra.apply("log1p", (x,), x.shape)


def _exponent_beside_one(value: Expression) -> Expression | None:
    """u, for 1 + exp(u)."""
    if value.op != "sum" or len(value.args) != 2:
        return None
    one, other = sorted(value.args, key=lambda term: number_of(term) is None)
    return other.args[0] if number_of(one) == 1 and other.op == "exp" else None


def logistic(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """(1 + exp(u))⁻¹ as σ(−u), exp(u) σ(−u) as σ(u), σ(u) σ(−u) as σ(u) (1 − σ(u))."""
    made = [_logistic_of_sum(algebra, factor) or factor for factor in factors]
    for sigma in [f for f in made if f.value.op == "logistic" and f.power >= 1]:
        for beside in [f for f in made if f.labels == sigma.labels and f.power >= 1]:
            joined = _logistic_joined(algebra, sigma, beside)
            if joined is not None:
                rest = [f for f in made if f is not sigma and f is not beside]
                return logistic(algebra, [*rest, *joined], kept)
    return made


def _logistic_of_sum(algebra: Algebra, factor: Factor) -> Factor | None:
    """σ(−u)ⁿ, for (1 + exp(u))⁻ⁿ."""
    u = _exponent_beside_one(factor.value) if factor.power < 0 else None
    if u is None:
        return None
    sigma = algebra.apply("logistic", (_negative(algebra, u),), u.shape)
    return factor._replace(value=sigma, power=-factor.power)


def _logistic_joined(algebra: Algebra, sigma: Factor, beside: Factor) -> list[Factor] | None:
    """σ(u) and what is beside it, where that is a function of −u and they are one."""
    (u,) = sigma.value.args
    if beside is sigma or beside.value.args != (_negative(algebra, u),):
        return None
    if beside.value.op == "exp":
        k = min(sigma.power, beside.power)
        left = [f._replace(power=f.power - k) for f in (sigma, beside) if f.power > k]
        opposite = algebra.apply("logistic", beside.value.args, u.shape)
        return [*left, sigma._replace(value=opposite, power=k)]
    if beside.value.op == "logistic" and not _is_negated(u):
        minus = algebra.scaled(sigma.value, Fraction(-1))
        return [sigma, beside._replace(value=algebra.add([constant(1, u.shape), minus], u.shape))]
    return None


def _negative(algebra: Algebra, u: Expression) -> Expression:
    return algebra.add([algebra.scaled(term, Fraction(-1)) for term in terms(u)], u.shape)


def _is_negated(u: Expression) -> bool:
    """Whether it is written with a minus in front."""
    return any(unpack(term).coefficient < 0 for term in terms(u)[:1])


def _moved(algebra: Algebra, term: Expression, labels: Labels, x: Expression) -> Expression:
    """A term of the exponent, on the axes of the sum x."""
    product = unpack(term)
    names = dict(enumerate(labels)) | {i: 1000 + i for i in product.summed}
    return algebra.multiply(relabel(product.factors, names), x.shape, product.coefficient)


def gamma_functions(algebra: Algebra, factors: list[Factor], kept: Sequence[int]) -> list[Factor]:
    """exp(log |Γ(u)|) with the sign of Γ(u) is Γ(u)."""
    for size in [f for f in factors if f.value.op == "exp" and f.value.args[0].op == "lgamma"]:
        u = size.value.args[0].args
        for sign in factors:
            same = sign.value.op == "gammasgn" and sign.value.args == u
            if same and sign.labels == size.labels and sign.power == size.power == 1:
                made = Factor(Expression("gamma", u, (), size.value.shape), size.labels)
                rest = [f for f in factors if f is not size and f is not sign]
                return gamma_functions(algebra, [*rest, made], kept)
    return factors


def _density_over_distribution(algebra: Algebra, x: Expression) -> Expression | None:
    """For −u²/2 − log √(2π) − log Φ(u): φ(u)/Φ(u)."""
    found = [term for term in terms(x) if _only_op(term) == "log_ndtr"]
    if len(found) != 1 or len(terms(x)) != 3 or unpack(found[0]).coefficient != -1:
        return None
    ((value, labels, _),) = unpack(found[0]).factors
    whole = tuple(range(len(x.shape)))
    square = algebra.multiply(
        [Factor(value.args[0], labels, Fraction(2))], x.shape, Fraction(-1, 2)
    )
    rest = [number_of(t) for t in terms(x) if t is not found[0] and t is not square]
    if labels != whole or len(rest) != 1 or rest[0] is None or abs(rest[0] + _LOG_ROOT) > 1e-6:
        return None
    return algebra.apply("mills", value.args, x.shape)


def _only_op(term: Expression) -> str:
    factors = unpack(term).factors
    return factors[0].value.op if len(factors) == 1 and factors[0].power == 1 else ""


def exp(algebra: Algebra, x: Expression) -> Expression:
    """exp x, elementwise: softmax(u) for u − logsumexp(u), σ(u) for u − softplus(u)."""
    if found := _density_over_distribution(algebra, x):
        return found
    for term in terms(x):
        product = unpack(term)
        value, labels, power = product.factors[0] if len(product.factors) == 1 else _NOTHING
        if value.op in _PROBABILITIES and product.coefficient == -power == -1:
            rest = algebra.add([t for t in terms(x) if t is not term], x.shape)
            if rest is value.args[0] and list(labels) == sorted(labels):
                return _PROBABILITIES[value.op](algebra, rest, labels)
    return algebra.apply("exp", (x,), x.shape)


def _of_rows(algebra: Algebra, u: Expression, labels: Labels) -> Expression:
    return softmax(algebra, u, [i for i in range(len(u.shape)) if i not in labels])


def _of_two(algebra: Algebra, u: Expression, labels: Labels) -> Expression:
    return algebra.apply("logistic", (u,), u.shape)


# exp(u − f(u)), by f
_PROBABILITIES = {"logsumexp": _of_rows, "softplus": _of_two}
_NOTHING = Factor(call("ones", (), ()), ())
