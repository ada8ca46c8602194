"""Functions are recognised by what they compute: no name of a function or file decides anything."""

import inspect
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import assert_close, quick_jit
from jax.scipy import special

import jaxcalc as jc


def numbers(*shape):
    return np.random.default_rng([3, *shape]).uniform(0.3, 1.3, shape).astype(np.float32)


X = 3 * np.eye(3, dtype=np.float32) + numbers(3, 3)
x, y = numbers(3), numbers(1, 3)[0]
ONES = {  # a function, its argument, and its namesake that does something else
    "inv": (jnp.linalg.inv, X, "return 2 * X + X.T * X"),
    "det": (jnp.linalg.det, X, "return (X * X).sum()"),
    "slogdet": (jnp.linalg.slogdet, X, "return X[0, 0] ** 2, 2 * X[0, 1]"),
    "hypot": (lambda x: jnp.hypot(x, y), x, "return x * x + y"),
    "relu": (jax.nn.relu, x, "return 3 * x * x"),
    "logaddexp": (lambda x: jnp.logaddexp(x, y), x, "return x * y"),
    "log_ndtr": (special.log_ndtr, x, "return x * x * x"),
    "gammasgn": (lambda x: special.gammasgn(x) * x, x, "return 2 * x"),
}
FILES = {  # where JAX has them
    **dict.fromkeys(("inv", "det", "slogdet"), "jax/_src/numpy/linalg.py"),
    **dict.fromkeys(("log_ndtr", "gammasgn"), "jax/_src/scipy/special.py"),
    "hypot": "jax/_src/numpy/ufuncs.py",
    "logaddexp": "jax/_src/lax/other.py",
    "relu": "jax/_src/nn/functions.py",
}
PARAMETERS = {"hypot": "x, y", "logaddexp": "x, y", "inv": "X", "det": "X", "slogdet": "X"}
SIGNS = {"inv": "⁻¹", "slogdet": "det"}


def derivatives(f, x):
    return jax.tree.leaves(jc.derive(f)(x), is_leaf=lambda J: isinstance(J, jc.Derivative))


def formulas(f, x):
    """Structure, formula and explanation, which are known without computing."""
    found = []

    def noted(x):
        found.extend((J.structure, J.formula, str(J.explain())) for J in derivatives(f, x))
        return 0

    jax.eval_shape(noted, x)
    return found


def agrees(f, x):
    """Dense forms are those of autodiff."""

    @quick_jit
    def computed(x):
        return [J.tensor() for J in derivatives(f, x)], jax.tree.leaves(jax.jacfwd(f)(x))

    for tensor, truth in zip(*computed(x), strict=True):
        assert_close(tensor, truth, 256)


@pytest.mark.parametrize("wrap", [jax.jit, jax.custom_jvp], ids=["jit", "custom_jvp"])
@pytest.mark.parametrize("name", ONES)
def test_a_namesake_in_any_file_is_read_inside(name, wrap):
    _, at, body = ONES[name]
    parameters, scope = PARAMETERS.get(name, "x"), {}
    exec(compile(f"def {name}({parameters}):\n    {body}", FILES[name], "exec"), scope)
    namesake = wrap(scope[name])
    if wrap is jax.custom_jvp:
        namesake.defjvp(lambda primals, tangents: jax.jvp(scope[name], primals, tangents))

    def called(x):
        return namesake(x, y) if "y" in parameters else namesake(x)

    agrees(called, at)
    assert SIGNS.get(name, name) not in str(formulas(called, at))


def distribution_hessian(z):
    labels = jnp.array([0.2, 0.3, 0.5])
    return jax.grad(lambda z: jc.softmax_cross_entropy(z, labels) ** 2)(z)


OUTPUTS = {
    **{name: (f, at) for name, (f, at, _) in ONES.items()},
    "cofactors": (lambda X: jnp.linalg.det(X) ** 2, X),
    "mass": (distribution_hessian, x),
    "gamma": (special.gamma, x),
    "softplus": (jax.nn.softplus, x),
    "several determinants": (jax.vmap(jnp.linalg.det), np.stack([X, X + 1])),
}
MODULES = ("jaxcalc._functions", "jaxcalc._derive", "jax._src.numpy", "jax._src.nn")
OTHERS = ("jax._src.scipy.special", "jax._src.lax.other")


def functions_of(modules):
    """The functions of these modules, also those that are wrapped."""
    for module in modules:
        for value in list(vars(module).values()):
            f = inspect.unwrap(getattr(value, "fun", value)) if callable(value) else None
            if inspect.isfunction(f) and f.__module__ == module.__name__:
                yield f


@pytest.mark.slow
def test_renaming_private_functions_and_files_changes_no_output(monkeypatch):
    before = {name: formulas(*case) for name, case in OUTPUTS.items()}
    modules = [m for n, m in sys.modules.items() if n.startswith(MODULES) or n in OTHERS]
    changed = list(functions_of(modules))
    for k, f in enumerate(changed):
        private = f.__name__.startswith("_") or f.__module__.startswith("jaxcalc._derive")
        name = f"renamed{k}" if private else f.__name__
        code = f.__code__.replace(co_name=name, co_filename="elsewhere.py")
        monkeypatch.setattr(f, "__code__", code)
        monkeypatch.setattr(f, "__name__", name)
    jax.clear_caches()
    assert len(changed) > 1000
    assert {name: formulas(*case) for name, case in OUTPUTS.items()} == before
    jax.clear_caches()


def test_a_map_over_other_axes_is_not_a_map_over_the_first():
    matrices = np.stack([X, X.T + 1, 2 * X + 1], axis=2)
    agrees(jax.vmap(jnp.linalg.inv, in_axes=2), matrices)


def test_a_function_inside_that_has_more_results_is_read():
    agrees(lambda x: jnp.hypot(x, 2.0), x)


def test_a_gradient_of_a_determinant():
    """Of which JAX has taken the derivative already."""
    agrees(jax.grad(jnp.linalg.det), X)
