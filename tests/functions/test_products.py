"""Laws of the linear primitives, over one list of them."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import DISTRIBUTIONS, LABELS, LOGITS, MASK, TANGENTS, WEIGHTS, quick_jit
from slow import some

from jaxcalc._functions.binary_cross_entropy import binary_cross_entropy_product
from jaxcalc._functions.distribution_cross_entropy import (
    distribution_cross_entropy_product,
    distribution_cross_entropy_transposed,
)
from jaxcalc._functions.index_cross_entropy import (
    index_cross_entropy_product,
    index_cross_entropy_transposed,
)
from jaxcalc._functions.logistic import logistic_product
from jaxcalc._functions.masks import masked_product
from jaxcalc._functions.primitives import JacobianProduct
from jaxcalc._functions.rows import Rows
from jaxcalc._functions.softmax_maps import (
    exponentials_product,
    exponentials_transposed,
    log_softmax_product,
    log_softmax_transposed,
    logsumexp_product,
    logsumexp_transposed,
    softmax_curvature,
    softmax_curvature_transposed,
    softmax_product,
    weighted_sum,
    weighted_sum_transposed,
)

SHAPE = LOGITS.shape
REDUCED = (SHAPE[0], 1)


def softmax(x):
    return jnp.exp(x) / total(jnp.exp(x))


def total(x):
    return jnp.sum(x, -1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + jnp.exp(-x))


PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)


@dataclass(frozen=True)
class Case:
    """A product with residuals, beside the same map (*residuals, t) ↦ L t in plain `jax.numpy`."""

    name: str
    product: JacobianProduct
    residuals: tuple[np.ndarray, ...]
    plain: Callable[..., Any]
    shape: tuple[int, ...] = SHAPE
    params: dict[str, Any] = field(default_factory=dict)
    moving: tuple[int, ...] = (0, 1)  # residuals that a derivative may be taken by

    def __str__(self):
        return self.name

    def operands(self):
        t = np.resize(TANGENTS[1], self.shape)
        return [
            jnp.asarray(r, jnp.float32 if r.dtype == float else r.dtype) for r in self.residuals
        ], (jnp.asarray(t, jnp.float32))

    def apply(self, *operands):
        return self.product(*operands, **self.params)


def softmax_cases():
    """The maps of the softmax family, from each of the things that may be kept of a row."""
    maps = {
        softmax_product: (lambda s, t: s * (t - total(s * t)), SHAPE),
        log_softmax_product: (lambda s, t: t - total(s * t), SHAPE),
        log_softmax_transposed: (lambda s, g: g - s * total(g), SHAPE),
        logsumexp_product: (lambda s, t: total(s * t), SHAPE),
        logsumexp_transposed: (lambda s, g: s * g, REDUCED),
    }
    kept = [("softmax", "high"), ("logits", "fast"), ("extended logits", "high")]
    for (product, (plain, shape)), (source, accuracy) in itertools.product(maps.items(), kept):
        from_softmax = source == "softmax"
        yield Case(
            f"{product.name} from {source}, {accuracy}",
            product,
            (PROBABILITIES if from_softmax else LOGITS,),
            plain if from_softmax else lambda x, t, plain=plain: plain(softmax(x), t),
            shape,
            {"rows": Rows((-1,), accuracy, source)},
        )


def of_distributions(x, y, t):
    return -total(y * (t - total(softmax(x) * t)))


def of_distributions_transposed(x, y, g):
    return g * (softmax(x) * total(y) - y)


def of_indices(x, y, c, rest, own, t):
    label = jax.nn.one_hot(y[..., 0], SHAPE[-1])
    return total(jnp.exp(x - c) * (t - total(label * t))) / (rest + own)


def of_indices_transposed(x, y, c, rest, own, g):
    label = jax.nn.one_hot(y[..., 0], SHAPE[-1])
    return g * jnp.where(label == 1, -rest, jnp.exp(x - c)) / (rest + own)


def cross_entropy_cases():
    params = {"rows": Rows((-1,), "high"), "dtype": np.dtype("float32")}
    y, e, c = LABELS[:, None], np.exp(LOGITS), np.zeros(REDUCED)
    own = np.take_along_axis(e, y, -1)
    kept = LOGITS, y, c, e.sum(-1, keepdims=True) - own, own
    for product, plain, shape in [
        (index_cross_entropy_product, of_indices, SHAPE),
        (index_cross_entropy_transposed, of_indices_transposed, REDUCED),
    ]:
        # what depends on x in the sums is in the derivative by x
        yield Case(product.name, product, kept, plain, shape, params, moving=())
    for product, plain, shape in [
        (distribution_cross_entropy_product, of_distributions, SHAPE),
        (distribution_cross_entropy_transposed, of_distributions_transposed, REDUCED),
    ]:
        yield Case(product.name, product, (LOGITS, DISTRIBUTIONS), plain, shape, params)


def exponentials_cases():
    params = {"rows": Rows((-1,), "high"), "dtype": np.dtype("float32")}
    m = LOGITS.max(-1, keepdims=True)
    kept = LOGITS, m, np.exp(LOGITS - m).sum(-1, keepdims=True)

    def probabilities(x, m, sums):
        return jnp.exp(x - m) / sums

    def of_sums(x, m, sums, t):
        return total(probabilities(x, m, sums) * t)

    def of_sums_transposed(x, m, sums, g):
        return probabilities(x, m, sums) * g

    for product, plain, shape in [
        (exponentials_product, of_sums, SHAPE),
        (exponentials_transposed, of_sums_transposed, REDUCED),
    ]:  # what depends on x in the sums is in the derivative by x
        yield Case(product.name, product, kept, plain, shape, params, moving=())


def logistic_cases():
    plain = sigmoid
    for order in range(4):
        yield Case(
            f"logistic_product of order {order}",
            logistic_product,
            (LOGITS,),
            lambda x, t, f=plain: f(x) * t,
            params={"order": order},
        )
        plain = elementwise_derivative(plain)


def elementwise_derivative(f):
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def curvature_cases():
    """dJ t, of the change of what was kept, and the transpose."""

    def center(s, t):
        return t - total(s * t)

    def direct(s, t, dr):
        u = dr * center(s, t)
        return u - s * total(u)

    def transposed(s, t, w):
        return center(s, t) * center(s, w)

    kept = [("softmax", "high"), ("logits", "fast"), ("logits", "high")]
    for source, accuracy in kept:
        params = {"rows": Rows((-1,), accuracy, source)}

        def from_logits(x, t, dr):
            s = softmax(x)
            return direct(s, t, s * center(s, dr))

        def to_logits(x, t, w):
            s = softmax(x)
            return s * center(s, transposed(s, t, w))

        plain = (direct, transposed) if source == "softmax" else (from_logits, to_logits)
        r = PROBABILITIES if source == "softmax" else LOGITS
        for product, f in zip(
            (softmax_curvature, softmax_curvature_transposed), plain, strict=True
        ):
            name = f"{product.name} from {source}, {accuracy}"
            yield Case(name, product, (r, TANGENTS[0]), f, SHAPE, params)


SOFTMAX = [*softmax_cases(), *curvature_cases()]
CASES = [
    *SOFTMAX,
    *cross_entropy_cases(),
    *exponentials_cases(),
    *logistic_cases(),
    Case(
        "binary_cross_entropy_product",
        binary_cross_entropy_product,
        (LOGITS, DISTRIBUTIONS),
        lambda x, y, t: (sigmoid(x) - y) * t,
        params={"dtype": np.dtype("float32")},
    ),
    Case("masked_product", masked_product, (MASK[None],), lambda where, t: jnp.where(where, t, 0)),
    Case(
        "weighted_sum",
        weighted_sum,
        (WEIGHTS,),
        lambda w, t: total(w * t),
        params={"rows": Rows((-1,), "high")},
    ),
    Case(
        "weighted_sum_transposed",
        weighted_sum_transposed,
        (WEIGHTS,),
        lambda w, g: w * g,
        REDUCED,
        {"rows": Rows((-1,), "high")},
    ),
]
SYMMETRIC = [case for case in SOFTMAX if case.product is softmax_product]
over_cases = pytest.mark.parametrize("case", CASES, ids=str)


def assert_close(got, true, rtol=2e-6):
    got, true = np.asarray(got), np.asarray(true)
    np.testing.assert_allclose(got, true, rtol, rtol * np.max(np.abs(true)))


def matrix(linear, t):
    """The matrix of a linear map at operands of the shape of t."""
    tensor = jax.jacfwd(linear)(t)
    return tensor.reshape(-1, t.size)


@over_cases
def test_the_matrix_and_its_transposes(case):
    """L t is the plain map; its matrix M too, the transpose has Mᵀ, and its transpose M again."""
    residuals, t = case.operands()

    @quick_jit
    def matrices(residuals):
        def linear(t):
            return case.apply(*residuals, t)

        def transposed(g):
            return jax.linear_transpose(linear, t)(g)[0]

        def twice(t):
            return jax.linear_transpose(transposed, g)(t)[0]

        g = jnp.zeros_like(linear(t))
        plain = matrix(lambda t: case.plain(*residuals, t), t)
        return plain, linear(t), matrix(linear, t), matrix(transposed, g), matrix(twice, t)

    plain, of_t, forward, transposed, twice = matrices(residuals)
    assert_close(of_t.ravel(), plain @ t.ravel())
    assert_close(forward, plain)
    assert_close(transposed, plain.T)
    assert_close(twice, plain)


def direction(case, residual):
    """A way in which a residual may change: what is kept of a softmax keeps its sum."""
    dr = jnp.cos(jnp.arange(residual.size, dtype=residual.dtype)).reshape(residual.shape)
    from_softmax = case in SOFTMAX and case.params["rows"].source == "softmax"
    return residual * (dr - total(residual * dr)) if from_softmax else dr


MOVABLE = [c for c in CASES if c.moving and c.product is not masked_product]


@pytest.mark.parametrize("case", some(MOVABLE, MOVABLE[::4]), ids=str)
def test_derivative_by_the_residuals(case):
    residuals, t = case.operands()
    moving = [i for i, r in enumerate(residuals) if i in case.moving and r.dtype == jnp.float32]

    def of(apply):
        def f(*moved):
            every = list(residuals)
            for i, r in zip(moving, moved, strict=True):
                every[i] = r
            return apply(*every, t)

        return f

    @quick_jit
    def derivatives(r, dr):
        true = jax.jvp(of(case.plain), r, dr)[1]
        got = jax.jvp(of(case.apply), r, dr)[1]
        g = jnp.sin(jnp.arange(got.size, dtype=got.dtype)).reshape(got.shape)
        pulled = jax.vjp(of(case.apply), *r)[1](g)
        return got, true, sum(map(jnp.vdot, pulled, dr)), jnp.vdot(g, true)

    r = tuple(residuals[i] for i in moving)
    forward, true, pulled, inner = derivatives(r, tuple(direction(case, x) for x in r))
    assert_close(forward, true, 5e-6)
    np.testing.assert_allclose(pulled, inner, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", some(CASES, CASES[::4]), ids=str)
def test_batching_any_of_the_operands(case):
    residuals, t = case.operands()
    operands = [*residuals, t]
    one = [tuple(0 if i == j else None for i in range(len(operands))) for j in range(len(operands))]
    all_axes = [*one, (0,) * len(operands), (-1,) * len(operands)]

    def batch(x, axis):
        return (
            x if axis is None else jnp.stack([jnp.roll(x, (i, i), (0, 1)) for i in range(3)], axis)
        )

    def both(operands, in_axes):
        batches = [batch(x, axis) for x, axis in zip(operands, in_axes, strict=True)]
        return [jax.vmap(f, in_axes)(*batches) for f in (case.apply, case.plain)]

    every = quick_jit(lambda operands: [both(operands, in_axes) for in_axes in all_axes])
    for got, true in every(operands):
        assert_close(got, true)


@pytest.mark.parametrize("case", SYMMETRIC, ids=str)
def test_the_softmax_product_is_symmetric_and_annihilates_constants(case):
    residuals, t = case.operands()
    J = jax.jacfwd(lambda t: case.apply(*residuals, t))(t)
    J = np.asarray(jnp.einsum("ijik->ijk", J))
    np.testing.assert_allclose(J, J.transpose(0, 2, 1), rtol=1e-6)
    np.testing.assert_allclose(J.sum(1), 0, atol=1e-7)
    np.testing.assert_allclose(case.apply(*residuals, jnp.full_like(t, 1e4)), 0, atol=1e-3)


@over_cases
def test_the_result_has_the_dtype_of_the_tangent_or_its_own(case):
    residuals, t = case.operands()
    out = jax.eval_shape(case.apply, *residuals, t.astype(jnp.bfloat16))
    assert out.dtype == case.params.get("dtype", jnp.bfloat16)
    assert not out.weak_type


def test_a_product_of_ones_own_is_compiled_once():
    traced = []

    def scaled(r, t, *, factor):
        traced.append(factor)
        return factor * r * t

    product = JacobianProduct("test_scaled", scaled)
    r, t = jnp.array([[2.0, 3.0]]), jnp.array([[1.0, -1.0]])
    assert traced == []
    for _ in range(3):
        np.testing.assert_array_equal(product(r, t, factor=2), [[4.0, -6.0]])
    assert traced == [2]
    # its own transpose unless another is set
    np.testing.assert_array_equal(jax.vjp(lambda t: product(r, t, factor=2), t)[1](t)[0], [[4, -6]])
    product.deftranspose(lambda r, ct, *, factor: -ct)
    np.testing.assert_array_equal(jax.vjp(lambda t: product(r, t, factor=2), t)[1](t)[0], -t)
