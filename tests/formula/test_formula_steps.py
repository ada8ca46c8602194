"""The derivative of each single operation that explanations use, against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from formula_values import execute
from slow import some

import jaxcalc as jc
from jaxcalc._formula import name, read
from jaxcalc._formula._arrangement import arranged_in
from jaxcalc._formula._closed_form import source
from jaxcalc._formula._local import Derivation
from jaxcalc._formula._naming import named
from jaxcalc._formula._notation import Notation
from jaxcalc._formula._tensor import Tensors

V = np.random.default_rng(3).uniform(0.5, 1.5, 4)
M = np.random.default_rng(4).uniform(0.5, 1.5, (4, 3))
S = M @ M.T + np.eye(4)

OPERATIONS = {  # each is one step
    "exp": (jnp.exp, V),
    "log": (jnp.log, M),
    "sin": (jnp.sin, V),
    "cos": (jnp.cos, V),
    "tanh": (jnp.tanh, V),
    "relu": (jax.nn.relu, V),
    "abs": (jnp.abs, V),
    "sinh": (jnp.sinh, V),
    "log1p": (jnp.log1p, M),
    "arctangent of two": (lambda y: jnp.arctan2(y, 2.0), V),
    "larger": (lambda x: jnp.maximum(x, 1.0), V),
    "product of the entries": (jnp.prod, V),
    "products of rows": (lambda a: jnp.prod(a, axis=1), M),
    "sqrt": (jnp.sqrt, V),
    "power": (lambda x: x**3, M),
    "sigmoid": (jc.sigmoid, V),
    "softplus": (jc.softplus, V),
    "softmax": (jc.softmax, V),
    "softmax of rows": (jc.softmax, M),
    "logsumexp": (jc.logsumexp, V),
    "logsumexp of rows": (lambda a: jc.logsumexp(a, axis=1), M),
    "inv": (jnp.linalg.inv, S),
    "det": (jnp.linalg.det, S),
    "inner product": (lambda a: a @ a, V),
    "bilinear form": (lambda a: a @ jnp.asarray(S[:4, :4]) @ a, V),
    "matrix product": (lambda a: a.T @ a, M),
    "scaling": (lambda a: 3 * a, V),
    "sum": (jnp.sum, M),
    "constant added": (lambda a: a + 1, V),
    "slice": (lambda a: a[1:3], V),
    "entry": (lambda a: a[2], V),
    "reversed": (lambda a: a[::-1], V),
    "row": (lambda a: a[1], M),
}


@pytest.mark.parametrize("operation", some(OPERATIONS, [*OPERATIONS][::3]))
def test_one_step_is_the_jacobian(operation, x64):
    f, point = OPERATIONS[operation]
    point, x = jnp.asarray(point), name("x", np.shape(point))
    program = jax.make_jaxpr(f)(point)
    constants = [name(f"c{i}", np.shape(c)) for i, c in enumerate(program.consts)]
    (value,) = read(program.jaxpr, constants, [x])
    tensors = Tensors()
    derivation = Derivation(tensors.algebra, tensors.value(x))
    steps = derivation.steps(tensors.value(value))
    ((part, map_),) = derivation.step(steps[0]).parts
    assert len(steps) == 1
    assert part is x
    made = arranged_in(tensors, Notation(), map_, transposed=False)
    names = ["x", *(c["text"] for c in constants)]
    arrays = dict(zip(names, [point, *program.consts], strict=True))
    computed = execute(source(named(made.computed), made.shape, names), arrays)
    np.testing.assert_allclose(computed, jc.jacobian(f)(point), rtol=1e-9, atol=1e-12)
