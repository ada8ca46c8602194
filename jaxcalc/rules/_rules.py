"""The rules, each in both layouts."""

import functools
import itertools
import operator

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcalc._layout.layout import Layout, LayoutLike
from jaxcalc.operators import LinearOperator
from jaxcalc.rules._signatures import in_numerator
from jaxcalc.rules._structured import (
    Derivative,
    Jacobian,
    alike,
    composed_with_matrix,
    contracted,
    derivative_of,
    divided,
    in_layout,
    joined,
    multiplied,
    product,
    times,
    weighted,
)

_SCALARS = "y: dy:1|p z: dz:1|p"
_VECTORS = "y:q dy:q|p z:q dz:q|p"
_MATRICES = "y:mn dy:m|n z:mn dz:m|n"


def sum_rule(dy: Jacobian, dz: Jacobian, *, layout: LayoutLike = "numerator") -> Derivative:
    """R1, the derivative of y + z: Dy + Dz, and ∇y + ∇z; the same sum in both layouts.

    y and z may be of any rank, so `dy` and `dz` of any equal shape of two axes or more.

    >>> print(sum_rule(jnp.ones((1, 2)), jnp.ones((1, 2))))
    [[2. 2.]]
    """
    layout = Layout(layout)
    dy, dz = alike(dy, dz)
    if dy.shape != dz.shape or len(dy.shape) < 2:
        swapped = len(dy.shape) == 2 and dy.shape[::-1] == dz.shape != dy.shape
        remedy = "one of them seems to be in the other layout" if swapped else "pass both in full"
        raise ValueError(
            f"`sum_rule` assumed layout={layout.value!r} for both `dy` and `dz`, which must have "
            f"one shape of at least two axes, but got {dy.shape} and {dz.shape}; {remedy}."
        )
    return dy + dz


def inner_product_rule(
    y: ArrayLike, dy: Jacobian, z: ArrayLike, dz: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """R2, the derivative of yᵀz: zᵀ Dy + yᵀ Dz, 1×p; and ∇y z + ∇z y, p×1.

    y, z: (q,); dy, dz: (q, p) in numerator layout, (p, q) in denominator layout.

    >>> y, z = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
    >>> print(inner_product_rule(y, jnp.eye(2), z, jnp.eye(2)))
    [[4. 6.]]
    """
    y, dy, z, dz = in_numerator("inner_product_rule", (_VECTORS,), layout, y=y, dy=dy, z=z, dz=dz)
    return in_layout(contracted(z, dy) + contracted(y, dz), layout)


def bilinear_rule(
    y: ArrayLike,
    dy: Jacobian,
    A: ArrayLike,
    z: ArrayLike,
    dz: Jacobian,
    *,
    layout: LayoutLike = "numerator",
) -> Derivative:
    """R3, the derivative of yᵀAz, A constant: zᵀAᵀ Dy + yᵀA Dz, 1×p; and ∇y A z + ∇z Aᵀ y, p×1.

    y: (s,); z: (t,); A: (s, t); dy: (s, p) and dz: (t, p) in numerator layout, (p, s) and (p, t) in
    denominator layout.

    >>> y, z, A = jnp.array([1.0, 2.0]), jnp.array([5.0]), jnp.array([[3.0], [4.0]])
    >>> dy, dz = jnp.eye(2), jnp.ones((1, 2))
    >>> print(bilinear_rule(y, dy, A, z, dz))
    [[26. 31.]]
    """
    signature = "y:s dy:s|p A:st z:t dz:t|p"
    y, dy, A, z, dz = in_numerator(
        "bilinear_rule", (signature,), layout, y=y, dy=dy, A=A, z=z, dz=dz
    )
    return in_layout(contracted(A @ z, dy) + contracted(y @ A, dz), layout)


def scalar_product_rule(
    y: ArrayLike, dy: Jacobian, z: ArrayLike, dz: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """R4, the derivative of scalar y times vector z: y Dz + z Dy, q×p; and y ∇z + ∇y zᵀ, p×q.

    y: (); dy: (1, p) in numerator layout, (p, 1) in denominator layout; z: (q,) with dz: (q, p) or
    (p, q). z may also be a scalar, or by a scalar x a matrix.

    >>> dy = jnp.array([[1.0, 0.0]])
    >>> print(scalar_product_rule(2.0, dy, jnp.array([3.0, 4.0]), jnp.eye(2)))
    [[5. 0.]
     [4. 2.]]
    """
    signatures = (_SCALARS, "y: dy:1|p z:q dz:q|p", "y: dy:1|1 z:mn dz:m|n")
    y, dy, z, dz = in_numerator("scalar_product_rule", signatures, layout, y=y, dy=dy, z=z, dz=dz)
    return in_layout(weighted(y, dz) + weighted(z, dy), layout)


def chain_rule(*derivatives: Jacobian, layout: LayoutLike = "numerator") -> Derivative:
    """C1 and C2, the derivative of a composition, given those of its steps innermost first.

    For x ∈ R^p, y(x) ∈ R^s, z(y) ∈ R^t: Dz Dy, t×p; and (∂y/∂x)(∂z/∂y), p×t. In both layouts the
    arguments come in the order the functions are applied, (∂y/∂x, ∂z/∂y, …). C1 is the case of a
    scalar x. The product is formed from its narrower end.

    >>> dy, dz = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 1.0]])
    >>> print(chain_rule(dy, dz))
    [[4. 6.]]
    >>> print(chain_rule(dy.T, dz.T, layout="denominator"))
    [[4.]
     [6.]]
    """
    layout = Layout(layout)
    steps = [derivative_of(derivative) for derivative in derivatives]
    _check_chain([step.shape for step in steps], layout)
    factors = joined(steps[::-1] if layout is Layout.NUMERATOR else steps)
    if isinstance(factors[0], LinearOperator):
        return functools.reduce(operator.matmul, factors)
    if factors[0].shape[0] <= factors[-1].shape[1]:
        return functools.reduce(operator.matmul, factors)
    return functools.reduce(lambda product, factor: factor @ product, factors[::-1])


def _check_chain(shapes: list[tuple[int, ...]], layout: Layout) -> None:
    if not shapes or any(len(shape) != 2 for shape in shapes):
        raise ValueError(
            "`chain_rule` must have at least one derivative, each of two axes, "
            f"but got the shapes {shapes}."
        )
    gap = _gap(shapes, layout)
    if gap is not None:
        fits = _gap(shapes, layout.other) is None
        remedy = f"; these shapes fit in the reverse order, or layout={layout.other.value!r}"
        raise ValueError(
            f"`chain_rule` assumed layout={layout.value!r}, where after {gap[0]} must come "
            f"{_following(gap[0], layout)}, but got {gap[1]}; derivatives are given innermost "
            f"first, in both layouts{remedy if fits else ''}."
        )


def _following(inner: tuple[int, ...], layout: Layout) -> str:
    return f"(t, {inner[0]})" if layout is Layout.NUMERATOR else f"({inner[1]}, t)"


def _gap(shapes: list[tuple[int, ...]], layout: Layout) -> tuple[tuple[int, ...], ...] | None:
    """The first two neighbours whose inner sizes differ."""
    inner, outer = (0, 1) if layout is Layout.NUMERATOR else (1, 0)
    pairs = itertools.pairwise(shapes)
    return next((pair for pair in pairs if pair[0][inner] != pair[1][outer]), None)


def matrix_chain_rule(
    dy: Jacobian, dz: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """C3, the derivative of the scalar z(y(X)) by X ∈ R^(p×q): ∂z/∂x_ij = Σ_k ∂y_k/∂x_ij ∂z/∂y_k.

    Args:
        dy: ∂y/∂X for y ∈ R^s, (s, p, q) in numerator layout, (p, q, s) in denominator layout.
        dz: ∂z/∂y, (1, s) in numerator layout, (s, 1) in denominator layout.
        layout: of both, and of the result.

    Returns:
        ∂z/∂X, (q, p) in numerator layout, (p, q) in denominator layout.

    >>> matrix_chain_rule(jnp.ones((4, 2, 3)), jnp.ones((1, 4))).shape
    (3, 2)
    """
    dy, dz = in_numerator("matrix_chain_rule", ("dy:s|pq dz:1|s",), layout, dy=dy, dz=dz)
    if isinstance(dy, LinearOperator) or isinstance(dz, LinearOperator):
        return in_layout(composed_with_matrix(dz, dy), layout)
    return in_layout(jnp.einsum("ks,spq->qp", dz, dy), layout)


def hadamard_product_rule(
    y: ArrayLike, dy: Jacobian, z: ArrayLike, dz: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """The derivative of y ⊙ z: diag(z) Dy + diag(y) Dz; and ∇y diag(z) + ∇z diag(y).

    y, z: (q,) with dy, dz: (q, p) in numerator layout, (p, q) in denominator layout; or both
    scalars; or by a scalar x both matrices, where it is z ⊙ Dy + y ⊙ Dz.

    >>> y, z = jnp.array([1.0, 2.0]), jnp.array([3.0, 4.0])
    >>> print(hadamard_product_rule(y, jnp.eye(2), z, jnp.eye(2)))
    [[4. 0.]
     [0. 6.]]
    """
    signatures = (_SCALARS, _VECTORS, _MATRICES)
    y, dy, z, dz = in_numerator("hadamard_product_rule", signatures, layout, y=y, dy=dy, z=z, dz=dz)
    return in_layout(weighted(z, dy) + weighted(y, dz), layout)


def quotient_rule(
    y: ArrayLike, dy: Jacobian, z: ArrayLike, dz: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """The derivative of the elementwise y / z: diag(1/z) (Dy − diag(y/z) Dz); and its transpose.

    y, z: (q,) with dy, dz: (q, p) in numerator layout, (p, q) in denominator layout; both may be
    scalars, or by a scalar x matrices. z may be a scalar whatever y is. For scalars it is
    (z Dy − y Dz) / z². Zeros of z give infinities and NaN.

    >>> one = jnp.ones((1, 1))
    >>> print(quotient_rule(1.0, one, 2.0, one))
    [[0.25]]
    """
    scalar_z = ("y:q dy:q|p z: dz:1|p", "y:mn dy:m|n z: dz:1|1")
    signatures = (_SCALARS, _VECTORS, _MATRICES, *scalar_z)
    y, dy, z, dz = in_numerator("quotient_rule", signatures, layout, y=y, dy=dy, z=z, dz=dz)
    # Not over z², which overflows and underflows long before the quotient does.
    return in_layout(divided(dy - weighted(y / z, dz), z), layout)


def power_rule(
    y: ArrayLike, dy: Jacobian, exponent: ArrayLike, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """The derivative of elementwise y^a, a constant: diag(a y^(a−1)) Dy; and ∇y diag(a y^(a−1)).

    y: (q,) with dy: (q, p) in numerator layout, (p, q) in denominator layout; or a scalar; or by a
    scalar x a matrix. The exponent a is a number. For a = 0 the derivative is zero, at y = 0 too.

    >>> print(power_rule(jnp.array([1.0, 2.0]), jnp.eye(2), 3))
    [[ 3.  0.]
     [ 0. 12.]]
    """
    signatures = ("y: dy:1|p exponent:", "y:q dy:q|p exponent:", "y:mn dy:m|n exponent:")
    y, dy, a = in_numerator("power_rule", signatures, layout, y=y, dy=dy, exponent=exponent)
    dtype = jnp.promote_types(y.dtype, dy.dtype)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.result_type(float)
    y, a = y.astype(dtype), a.astype(dtype)  # integers have no fractional power
    dy = dy if isinstance(dy, LinearOperator) else dy.astype(dtype)
    # y⁻¹ is infinite at y = 0; with a = 0 any finite power serves.
    return in_layout(weighted(a * y ** jnp.where(a == 0, a, a - 1), dy), layout)


def matrix_product_rule(
    Y: ArrayLike, dY: Jacobian, Z: ArrayLike, dZ: Jacobian, *, layout: LayoutLike = "numerator"
) -> Derivative:
    """The derivative of Y Z by a scalar: DY Z + Y DZ, m×r; and Zᵀ ∇Y + ∇Z Yᵀ, r×m.

    Y: (m, n) with dY alike in numerator layout, (n, m) in denominator layout; Z: (n, r) with dZ
    alike, or (r, n).

    >>> Y, dY = jnp.eye(2), jnp.array([[0.0, 1.0], [0.0, 0.0]])
    >>> print(matrix_product_rule(Y, dY, Y, dY))
    [[0. 2.]
     [0. 0.]]
    """
    signature = "Y:mn dY:m|n Z:nr dZ:n|r"
    Y, dY, Z, dZ = in_numerator("matrix_product_rule", (signature,), layout, Y=Y, dY=dY, Z=Z, dZ=dZ)
    return in_layout(times(dY, Z) + product(Y, dZ), layout)


def inverse_rule(Y: ArrayLike, dY: Jacobian, *, layout: LayoutLike = "numerator") -> Derivative:
    """The derivative of Y⁻¹ by a scalar: −Y⁻¹ DY Y⁻¹; and −Y⁻ᵀ ∇Y Y⁻ᵀ.

    Y: (n, n), invertible (otherwise the result is not finite); dY: (n, n).

    >>> print(inverse_rule(2 * jnp.eye(2), jnp.ones((2, 2))))
    [[-0.25 -0.25]
     [-0.25 -0.25]]
    """
    Y, dY = in_numerator("inverse_rule", ("Y:nn dY:n|n",), layout, Y=Y, dY=dY)
    inverse = jnp.linalg.inv(Y)
    return in_layout(multiplied(-inverse, dY, inverse), layout)


def determinant_rule(X: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """The derivative of det X by X: det(X) X⁻¹; and det(X) X⁻ᵀ.

    X: (n, n), invertible (otherwise the result is not finite).

    >>> print(determinant_rule(jnp.array([[2.0, 4.0], [2.0, -4.0]]), layout="denominator"))
    [[-4. -2.]
     [-4.  2.]]
    """
    (X,) = in_numerator("determinant_rule", ("X:nn",), layout, X=X)
    return in_layout(jnp.linalg.det(X) * jnp.linalg.inv(X), layout)


def log_determinant_rule(X: ArrayLike, *, layout: LayoutLike = "numerator") -> Array:
    """The derivative of log |det X| by X: X⁻¹; and X⁻ᵀ.

    X: (n, n), invertible (otherwise the result is not finite), its determinant of either sign.

    >>> print(log_determinant_rule(jnp.array([[2.0, 4.0], [2.0, -4.0]]), layout="denominator"))
    [[ 0.25   0.125]
     [ 0.25  -0.125]]
    """
    (X,) = in_numerator("log_determinant_rule", ("X:nn",), layout, X=X)
    return in_layout(jnp.linalg.inv(X), layout)


def trace_rule(
    X: ArrayLike, A: ArrayLike | None = None, *, layout: LayoutLike = "numerator"
) -> Array:
    """The derivative of tr(A X) by X: A; and Aᵀ. Without `A`, that of tr X: the identity.

    X: (p, q) with A: (q, p); or X: (n, n) alone.

    >>> A = jnp.array([[1.0, 2.0, 3.0]])
    >>> print(trace_rule(jnp.ones((3, 1)), A, layout="denominator"))
    [[1.]
     [2.]
     [3.]]
    """
    if A is None:
        (X,) = in_numerator("trace_rule", ("X:nn",), layout, X=X)
        return jnp.eye(len(X), dtype=X.dtype)
    X, A = in_numerator("trace_rule", ("X:pq A:qp",), layout, X=X, A=A)
    return in_layout(A, layout)
