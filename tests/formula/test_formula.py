"""Map trees as formulas: text and LaTeX in both layouts, and code against a NumPy evaluation."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from formula_maps import ARRAYS, FORMULAS, LATEX, OPAQUE, S, s, softmax, x
from formula_values import code_of, execute
from slow import some

import jaxcalc as jc
from jaxcalc._formula import call, closed_form, explain, maps
from jaxcalc._layout.layout import Layout, arrange


@pytest.mark.parametrize("case", [*FORMULAS, *OPAQUE])
def test_text(case):
    map_, numerator, denominator = {**FORMULAS, **OPAQUE}[case]
    assert closed_form(map_, False).text == numerator
    assert closed_form(map_, True).text == denominator


@pytest.mark.parametrize("case", LATEX)
def test_latex(case):
    assert closed_form(FORMULAS[case][0], False).latex == LATEX[case]


# --- an evaluation of map trees by NumPy ---


def value(expression):
    return execute(code_of(expression), ARRAYS)


def place_matrix(size, length, offset):
    places = range(length) if offset is None else offset
    if isinstance(offset, int):
        places = [(i + offset) % length for i in range(size)]
    return np.array([[float(place == j) for j in range(length)] for place in list(places)[:size]])


def tensor_of_term(codomain, domain, one):
    sizes = dict(zip(one.out, codomain, strict=True))
    for e, labels in one.factors:
        sizes |= dict(zip(labels, e.shape, strict=True))
    for label, axis, offset in one.links:
        sizes.setdefault(label, len(offset) if isinstance(offset, tuple) else domain[axis])
    operands = [np.float64(one.scale), []]
    for e, labels in one.factors:
        operands += [value(e), list(labels)]
    for label, axis, offset in one.links:
        operands += [place_matrix(sizes[label], domain[axis], offset), [label, 20 + axis]]
    for position, label in enumerate(one.out):
        operands += [np.eye(sizes[label]), [10 + position, label]]
    out = [10 + i for i in range(len(codomain))] + [20 + i for i in range(len(domain))]
    return np.einsum(*operands, out)


def tensor(map_):
    """The array of shape codomain + domain."""
    m, n = len(map_.codomain), len(map_.domain)
    match map_:
        case maps.Terms():
            zeros = np.zeros(map_.codomain + map_.domain)
            return zeros + sum(tensor_of_term(map_.codomain, map_.domain, t) for t in map_.terms)
        case maps.Addition():
            return sum(map(tensor, map_.maps))
        case maps.Transposed():
            return np.moveaxis(tensor(map_.map), range(n), range(m, m + n))
        case maps.Composition():
            first, *rest = map_.maps
            made = tensor(first)
            for part in rest:
                made = np.tensordot(made, tensor(part), len(part.codomain))
            return made
        case maps.Indexing():
            return np.eye(int(np.prod(map_.domain))).reshape(map_.codomain + map_.domain)
        case maps.Block():
            return tensor(maps.of_rows("softmax", S, (-1,)))


@pytest.mark.parametrize("s_", [softmax(x), S], ids=["vector", "rows"])
@pytest.mark.parametrize("kind", ["softmax", "log_softmax", "log_softmax_transposed"])
def test_maps_of_rows_are_the_jacobians_of_the_notes(kind, s_, x64):
    made, s_ = tensor(maps.of_rows(kind, s_, (-1,))), value(s_)
    eye, one = np.eye(s_.shape[-1]), np.ones_like(s_)
    pair = {"softmax": (s_, s_), "log_softmax": (one, s_), "log_softmax_transposed": (s_, one)}
    u, v = pair[kind]
    blocks = (
        eye * (s_[..., :, None] if kind == "softmax" else 1) - u[..., :, None] * v[..., None, :]
    )
    if s_.ndim == 2:
        blocks = np.einsum("ik,ijl->ijkl", np.eye(len(s_)), blocks)
    np.testing.assert_allclose(made, blocks, rtol=1e-12)


@pytest.mark.parametrize("transposed", [False, True], ids=["numerator", "denominator"])
@pytest.mark.parametrize("case", some(FORMULAS, [*FORMULAS][::3]))
def test_code_computes_the_dense_derivative(case, transposed, x64):
    map_ = FORMULAS[case][0]
    code = closed_form(map_, transposed).code
    layout = Layout.DENOMINATOR if transposed else Layout.NUMERATOR
    expected = np.asarray(arrange(jnp.asarray(tensor(map_)), len(map_.codomain), layout))
    computed = execute(code, {n: jnp.asarray(v) for n, v in ARRAYS.items()})
    assert computed.shape == expected.shape
    np.testing.assert_allclose(computed, expected, rtol=1e-10, atol=1e-12)


def test_code_reads_like_a_person_wrote_it():
    map_ = FORMULAS["softmax(A x)"][0]
    assert closed_form(map_, False).code == (
        "import jax\n"
        "import jax.numpy as jnp\n"
        "\n"
        "\n"
        "def derivative(A, x):\n"
        "    s = jax.nn.softmax(A @ x)\n"
        "    return (jnp.diag(s) - jnp.outer(s, s)) @ A\n"
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", ["log_softmax", "x/‖x‖", "differences", "A Z", "masked"])
def test_code_needs_no_promotion_of_dtypes(case, dtype):
    code = closed_form(FORMULAS[case][0], False).code
    computed = execute(code, {n: jnp.asarray(v, dtype) for n, v in ARRAYS.items()})
    assert str(computed.dtype) == (dtype if case != "differences" else "float32")


@pytest.mark.parametrize("case", OPAQUE)
def test_code_says_what_has_no_closed_form(case):
    form = closed_form(OPAQUE[case][0], False)
    with pytest.raises(ValueError, match=r"`(scan|fft)` takes part .* no closed form.*`todense`"):
        _ = form.code


def test_a_map_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="`map` must be one of the maps"):
        _ = closed_form(maps.Map((3,), (4,)), False).text


def test_explanations_name_their_rules():
    map_ = FORMULAS["softmax(A x)"][0]
    assert explain(s, x, map_, False).splitlines() == [
        "1. linear map: ∂(A x)/∂x = A",
        "2. softmax (notes §4): ∂softmax(A x)/∂(A x) = diag(s) − s sᵀ where s = softmax(A x)",
        "3. chain (C2): (diag(s) − s sᵀ) A where s = softmax(A x)",
    ]
    assert explain(s, x, map_, True).splitlines()[::2] == [
        "1. linear map: ∂(A x)/∂x = Aᵀ",
        "3. chain (C2): Aᵀ (diag(s) − s sᵀ) where s = softmax(A x)",
    ]


def test_an_unknown_value_is_explained_by_its_formula_alone():
    unknown = call("unknown", (), (4,), text="y0")
    assert explain(unknown, x, FORMULAS["cos"][0]) == "1. the derivative: diag(cos(x))"


def test_latex_has_no_two_subscripts_in_a_row():
    """TeX refuses x_{:2}_{j}."""
    J = jc.derive(lambda X: X[:2].T @ X[:2])(jnp.ones((3, 2)))
    assert r"{X_{:2}}_{m, j} {I_{:2}}_{m, k}" in J.latex


def test_a_power_in_code_is_no_atom():
    """`h ** 2.at[…]` would be no Python."""
    h = jnp.array([1.0, 2.0])
    J = jc.derive(lambda x: jnp.convolve(x, h**2))(jnp.ones(3))
    assert J.formula == "toeplitz(h[::−1]², 1)"
    found: dict[str, Any] = {}
    exec(J.code, found)
    np.testing.assert_array_equal(found["derivative"](**J.arrays), J.todense())
