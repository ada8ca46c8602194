"""`jacobian` and `hessian`: shapes and entries against JAX, every option, and what is refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec
from slow import some

from jaxcalc import hessian, jacobian

MODES = ["auto", "forward", "reverse"]
LAYOUTS = ["numerator", "denominator"]
close = functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-6)


def outer_sine(x):
    """R^p to R^(2×p)."""
    return jnp.stack([jnp.sin(x), x * jnp.cumsum(x, axis=-1)])


def halve(x):
    """A `while_loop` of a number of steps known only at run time: no reverse mode."""
    return jax.lax.while_loop(lambda x: jnp.sum(x * x) > 1.0, lambda x: x / 2, x)


@jax.custom_vjp
def own_sine(x):
    """Has no forward mode."""
    return jnp.sin(x)


own_sine.defvjp(lambda x: (jnp.sin(x), jnp.cos(x)), lambda c, g: (c * g,))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", some([((3,),), ((3, 4),), ((2, 3, 4),)], [((3, 4),)]))
def test_higher_ranks_are_tensors(shape, mode, getkey):
    x = jax.random.normal(getkey(), shape)
    tensor = jax.jit(jax.jacfwd(outer_sine))(x)
    y_axes = list(range(tensor.ndim - x.ndim))
    close(jax.jit(jacobian(outer_sine, mode=mode))(x), tensor)
    denominator = jax.jit(jacobian(outer_sine, layout="denominator", mode=mode))(x)
    close(denominator, jnp.moveaxis(tensor, y_axes, [a - len(y_axes) for a in y_axes]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vec_of_a_matrix_product_is_a_kronecker_product(layout, getkey):
    A, X, B = (jax.random.normal(getkey(), shape) for shape in ((2, 3), (3, 4), (4, 5)))

    for vec, numerator in (("F", jnp.kron(B.T, A)), ("C", jnp.kron(A, B.T))):
        J = jax.jit(jacobian(lambda X: A @ X @ B, layout=layout, vec=vec))(X)
        close(J, numerator if layout == "numerator" else numerator.T, rtol=1e-5)


def test_vec_acts_leaf_by_leaf():
    X = {"a": jnp.ones((2, 3)), "b": jnp.ones(4)}
    jac = jacobian(lambda X: (X["a"] * X["b"][0], X["b"].sum()), vec="C", layout="denominator")
    shapes = jax.tree.map(lambda leaf: leaf.shape, jax.eval_shape(jac, X))
    assert shapes == ({"a": (6, 6), "b": (4, 6)}, {"a": (6, 1), "b": (4, 1)})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_trees_of_outputs_hold_trees_of_arguments(layout, mode):
    def f(params, x, scale):
        y = params["W"] @ x + params["b"]
        return {"y": y * scale, "loss": jnp.sum(y**2)}

    params = {"W": jnp.arange(6.0).reshape(2, 3), "b": jnp.array([0.5, -1.0]), "none": None}
    args = (params, jnp.array([1.0, 2.0, -1.0]), 2.0)
    J = jax.jit(jacobian(f, (0, -1), layout=layout, mode=mode))(*args)
    tensors = jax.jit(jax.jacrev(f, (0, 2)))(*args)
    assert jax.tree.structure(J) == jax.tree.structure(tensors)
    by_params, by_scale = J["loss"]
    gradient = tensors["loss"][0]
    numerator = layout == "numerator"
    close(by_params["W"], gradient["W"].T if numerator else gradient["W"])
    close(by_params["b"], gradient["b"].reshape((1, 2) if numerator else (2, 1)))
    assert by_scale.shape == (1, 1)
    W = tensors["y"][0]["W"]
    close(J["y"][0]["W"], W if numerator else jnp.moveaxis(W, 0, -1))
    close(J["y"][1], tensors["y"][1].reshape((2, 1) if numerator else (1, 2)))


def test_argnums_as_jax_counts_them():
    def f(a, b, c):
        return a * b.sum() * c

    args = (jnp.ones(2), jnp.ones(3), jnp.ones(2))
    assert jacobian(f, 1)(*args).shape == jacobian(f, -2)(*args).shape == (2, 3)
    first, second = jacobian(f, [1, 0])(*args)
    assert (first.shape, second.shape) == ((2, 3), (2, 2))
    (only,) = jacobian(f, (-1,))(*args)
    close(only, 3 * jnp.eye(2))


def test_keywords_and_other_arguments_pass_through():
    def f(x, how, *, power):
        return {"square": x**power}[how]

    close(jacobian(f)(jnp.array([1.0, 2.0]), "square", power=3), jnp.diag(jnp.array([3.0, 12.0])))
    assert jacobian(f).__name__ == "f"


@pytest.mark.parametrize("mode", MODES)
def test_f_runs_once_and_may_branch_on_values(mode):
    calls = []

    def f(x):
        calls.append(x)
        return x**2 if x[0] > 0 else x

    close(jacobian(f, mode=mode)(jnp.array([1.0, 2.0])), jnp.diag(jnp.array([2.0, 4.0])))
    assert len(calls) == 1


@pytest.mark.parametrize("mode", MODES)
def test_aux_comes_beside(mode):
    def f(x):
        return jnp.sin(x), {"sum": x.sum(), "none": None}

    x = jnp.array([0.5, 1.0])
    J, aux = jacobian(f, has_aux=True, mode=mode)(x)
    H, hessian_aux = hessian(lambda x: (jnp.sin(x).sum(), x[0]), has_aux=True, mode=mode)(x)
    close(J, jnp.diag(jnp.cos(x)))
    close(H, -jnp.diag(jnp.sin(x)))
    assert aux == {"sum": 1.5, "none": None}
    assert hessian_aux == 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("x", [3.0, np.float32(3.0), np.arange(3.0), [1.0, 2.0]])
def test_python_and_numpy_arguments(x, mode):
    J = jacobian(lambda x: jax.tree.map(jnp.square, x), mode=mode)(x)
    shapes = {type([]): [(1, 1)], np.ndarray: [(3, 3)]}.get(type(x), [(1, 1)])
    assert {leaf.shape for leaf in jax.tree.leaves(J)} == set(shapes)
    diagonal = jnp.stack([leaf[-1, -1] for leaf in jax.tree.leaves(J)])
    close(diagonal[-1], 2 * np.ravel(x)[-1])


@pytest.mark.parametrize("mode", MODES)
def test_empty_arrays(mode):
    assert jacobian(jnp.sin, mode=mode)(jnp.zeros(0)).shape == (0, 0)
    assert jacobian(jnp.sum, mode=mode)(jnp.zeros((0, 3))).shape == (3, 0)
    assert jacobian(lambda x: x[:0], mode=mode)(jnp.zeros(3)).shape == (0, 3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", some([jnp.float16, jnp.bfloat16, jnp.float32], [jnp.bfloat16]))
def test_the_dtype_is_the_outputs_in_every_mode(dtype, mode):
    x, w = jnp.ones(3, dtype), jnp.ones(3)

    def f(x, w):
        return {"narrow": x**2, "single": x.astype(jnp.float32) @ w}

    J = jacobian(f, (0, 1), mode=mode)(x, w)
    assert {leaf.dtype for leaf in jax.tree.leaves(J["narrow"])} == {jnp.dtype(dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves(J["single"])} == {jnp.dtype(jnp.float32)}
    close(J["narrow"][0].astype(jnp.float32), 2 * jnp.eye(3))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("mode", MODES)
def test_double_precision(mode):
    x = jnp.linspace(0.1, 1.0, 4)
    J = jacobian(jnp.exp, mode=mode)(x)
    assert J.dtype == jnp.float64
    np.testing.assert_allclose(J, jnp.diag(jnp.exp(x)), rtol=1e-15)


@pytest.mark.parametrize("f", [halve, jax.jit(halve), lambda x: halve(x)[:2]])
def test_auto_goes_forward_through_a_while_loop(f):
    x = jnp.array([3.0, 1.0, 2.0])
    close(jacobian(f)(x), jax.jit(jax.jacfwd(f))(x))
    with pytest.raises(ValueError, match="Reverse-mode differentiation"):
        jacobian(f, mode="reverse")(x)


@pytest.mark.parametrize(
    "f",
    [
        own_sine,
        jax.jit(lambda x: own_sine(x) * 2),
        lambda x: own_sine(x)[:2],
        lambda x: jax.lax.scan(lambda c, _: (own_sine(c), c), x, None, length=2)[1],
    ],
)
def test_auto_goes_in_reverse_through_a_custom_vjp(f):
    x = jnp.array([3.0, 1.0, 2.0])
    close(jacobian(f)(x), jax.jit(jax.jacrev(f))(x))
    with pytest.raises(TypeError, match="custom_vjp"):
        jacobian(f, mode="forward")(x)


@pytest.mark.parametrize("size", [1, 3])
def test_where_neither_mode_applies_jax_says_so(size):
    with pytest.raises(ValueError, match="Reverse-mode differentiation"):
        jacobian(lambda x: own_sine(halve(x))[:size])(jnp.ones(3))


@pytest.mark.parametrize("size", [1, 3])
def test_an_error_in_the_users_backward_rule_surfaces(size):
    @jax.custom_vjp
    def broken(x):
        return jnp.sin(x)

    def backward(residual, cotangent):
        raise ValueError("no derivative today")

    broken.defvjp(lambda x: (jnp.sin(x), None), backward)
    with pytest.raises(ValueError, match="no derivative today"):
        jacobian(lambda x: broken(x)[:size])(jnp.ones(3))


@pytest.mark.parametrize("error", [TypeError, ValueError, NotImplementedError])
def test_an_error_of_f_surfaces_after_one_run(error):
    calls = []

    def f(x):
        calls.append(x)
        raise error("mine")

    with pytest.raises(error, match="mine"):
        jacobian(f)(jnp.ones(3))
    assert len(calls) == 1


def test_auto_takes_the_mode_of_fewer_products():
    def basis_sizes(f):
        text = str(jax.make_jaxpr(jacobian(f))(jnp.ones(7)))
        return {n for n in (2, 7, 9) if f"f32[{n},{n}]" in text}

    assert basis_sizes(lambda x: jnp.sin(x)[:2]) == {2}
    assert basis_sizes(lambda x: jnp.concatenate([jnp.sin(x), x[:2]])) == {7}


def test_a_batch_is_the_vmap(getkey):
    X = jax.random.normal(getkey(), (5, 3))
    batched = jax.jit(jax.vmap(jacobian(outer_sine, layout="denominator")))(X)
    assert batched.shape == (5, 3, 2, 3)
    close(batched[4], jacobian(outer_sine, layout="denominator")(X[4]))


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_of_a_jacobian(mode):
    x = jnp.array([0.5, -1.0, 2.0])

    def penalty(jac):
        return jax.jit(jax.grad(lambda x: jnp.sum(jac(x) ** 2)))(x)

    close(penalty(jacobian(outer_sine, mode=mode)), penalty(jax.jacfwd(outer_sine)), rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_inside_shard_map(mode):
    mesh = jax.make_mesh((1,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = PartitionSpec("i")
    jac = jacobian(lambda x: jnp.sin(x) * jax.lax.psum(x.sum(), "i"), mode=mode)
    x = jnp.array([0.5, -1.0, 2.0])
    J = jax.jit(jax.shard_map(jac, mesh=mesh, in_specs=spec, out_specs=spec))(x)
    close(J, jax.jacfwd(lambda x: jnp.sin(x) * x.sum())(x))


def cubic(x):
    return jnp.sum(x) ** 3 + jnp.sum(jnp.sin(x) * x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", some([((),), ((3,),), ((2, 3),)], [((2, 3),)]))
def test_the_hessian_of_a_scalar_is_x_by_x_in_both_layouts(shape, mode, getkey):
    @jax.jit
    def computed(x):
        return [hessian(cubic, layout=layout, mode=mode)(x) for layout in LAYOUTS]

    x = jax.random.normal(getkey(), shape)
    for H in computed(x):
        assert H.shape == shape + shape
        close(H, jax.jit(jax.hessian(cubic))(x), rtol=1e-4)


def test_the_hessian_of_an_array_moves_its_axes_last():
    x = jnp.array([0.5, -1.0, 2.0])
    tensor = jax.jit(jax.hessian(outer_sine))(x)
    close(jax.jit(hessian(outer_sine))(x), tensor)
    denominator = jax.jit(hessian(outer_sine, layout="denominator"))(x)
    close(denominator, jnp.moveaxis(tensor, (0, 1), (2, 3)))
    stacked = jax.jit(hessian(outer_sine, layout="denominator", vec="F"))(x)
    close(stacked, jnp.moveaxis(tensor.transpose(1, 0, 2, 3).reshape(6, 3, 3), 0, -1))


def test_the_hessian_by_several_arguments():
    def f(a, b):
        return {"s": jnp.sum(a["u"] @ b) ** 2, "v": a["u"] @ b}

    a, b = {"u": jnp.arange(6.0).reshape(2, 3)}, jnp.array([1.0, -1.0, 2.0])
    H = jax.jit(hessian(f, (0, 1), layout="denominator"))(a, b)
    tensors = jax.jit(jax.hessian(f, (0, 1)))(a, b)
    assert jax.tree.structure(H) == jax.tree.structure(tensors)
    close(H["s"][0]["u"][1], tensors["s"][0]["u"][1])
    close(H["v"][0]["u"][1], jnp.moveaxis(tensors["v"][0]["u"][1], 0, -1))
    stacked = jax.eval_shape(hessian(f, (0, 1), vec="C"), a, b)
    assert stacked["s"][0]["u"][1].shape == (6, 3)


def test_the_hessian_goes_the_way_that_applies():
    x = jnp.array([3.0, 1.0, 2.0])

    def through_while(x):
        return jnp.sum(halve(x) ** 3)

    expected = jax.jit(jax.jacfwd(jax.jacfwd(through_while)))(x)
    close(jax.jit(hessian(through_while))(x), expected)
    close(jax.jit(hessian(lambda x: jnp.sum(own_sine(x))))(x), -jnp.diag(jnp.sin(x)))


def test_third_derivatives():
    third = jax.jit(jacobian(hessian(lambda x: jnp.sum(x**4))))(jnp.array([1.0, 2.0]))
    close(third, jnp.zeros((2, 2, 2)).at[0, 0, 0].set(24.0).at[1, 1, 1].set(48.0))


TYPE_ERRORS = {
    "argument 0 must be real and floating .* dtype int32; cast it": lambda: jacobian(jnp.sin)(3),
    "argument 0 .* dtype bool": lambda: hessian(jnp.sum)(jnp.ones(2, bool)),
    r"argument 1\['k'\] .* int32": lambda: jacobian(lambda a, b: a, (0, 1))(1.0, {"k": 2}),
    "argument 0 .* complex64; take its real and imaginary": lambda: jacobian(jnp.abs)(1j),
    "argument 0 must hold an array": lambda: jacobian(lambda x: jnp.ones(2))(None),
    "output of `f` must be .* int32": lambda: jacobian(jnp.argmax)(jnp.ones(3)),
    "output of `f` must be .* complex64": lambda: jacobian(lambda x: jax.lax.complex(x, x))(1.0),
    r"output of `f`\['k'\] must be .* bool": lambda: jacobian(lambda x: {"k": x > 0})(1.0),
    "output of `f` must hold an array": lambda: jacobian(lambda x: None)(1.0),
    "`has_aux` must be True or False, but got 'no'": lambda: jacobian(jnp.sin, has_aux="no"),
    "`argnums` must be an int or a tuple of ints": lambda: jacobian(jnp.sin, np.ones(2))(1.0),
    "`argnums` must be static, but it is traced": lambda: jax.jit(
        lambda i: jacobian(jnp.sin, i)(1.0)
    )(0),
    r"must return a pair \(y, aux\)": lambda: jacobian(jnp.sin, has_aux=True)(jnp.ones(2)),
}
VALUE_ERRORS = {
    "`argnums` must name some of the 1 positional": lambda: jacobian(jnp.sin, 1)(1.0),
    r"`argnums` must name .* \(-3,\)": lambda: jacobian(jnp.add, -3)(1.0, 2.0),
    r"`argnums` must name .* \(\)": lambda: jacobian(jnp.sin, ())(1.0),
    "`argnums` must not name an argument twice": lambda: jacobian(jnp.add, (0, -2))(1.0, 2.0),
    "pass the differentiated arguments by position": lambda: jacobian(jnp.sin)(x=1.0),
    "`mode` must be one of 'auto', 'forward', 'reverse'": lambda: jacobian(jnp.sin, mode="fwd"),
    "`vec` must be one of None, 'C', 'F', but got 'K'": lambda: hessian(jnp.sin, vec="K"),
    "`mode` must be one of .* but got array": lambda: jacobian(jnp.sin, mode=np.ones(2)),
    "`vec` must be one of .* but got array": lambda: hessian(jnp.sin, vec=np.array(["C", "F"])),
    "`layout` must be 'numerator' or": lambda: jacobian(jnp.sin, layout="rows"),
    "`layout` must be .* but got array": lambda: hessian(jnp.sin, layout=np.ones(2)),
}
ERRORS = [(TypeError, *item) for item in TYPE_ERRORS.items()]
ERRORS += [(ValueError, *item) for item in VALUE_ERRORS.items()]


@pytest.mark.parametrize(("error", "words", "call"), ERRORS)
def test_refusals(error, words, call):
    with pytest.raises(error, match=words):
        call()
