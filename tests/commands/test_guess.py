"""Shapes that nobody gave: what the uses of an array say about them."""

import random
import re

import jax
import jax.numpy as jnp
import pytest

from jaxcalc._commands import sizes
from jaxcalc._commands.guess import guessed
from jaxcalc._commands.reader import read

GUESSES = {
    "x": "x 3",
    "X": "X 3×4",
    "c": "c",
    "c x": "c, x 3",
    "c * X": "c, X 3×4",
    "A x + b": "A 3×4, x 4, b 3",
    "A B C": "A 3×4, B 4×5, C 5×6",
    "A A": "A 3×3",
    "w' X' y": "w 3, X 4×3, y 4",
    "a' x b": "a 3, x 3, b 4",
    "a.T @ x @ b": "a 3, x 3×4, b 4",
    "tr(x)": "x 3×3",
    "det(A B)": "A 3×4, B 4×3",
    "solve(A, B)": "A 3×3, B 3×4",
    "inv(A' A) A' b": "A 3×4, b 3",
    "kron(A, B) x": "A 3×4, B 5×6, x 24",
    "diag(s) - s s'": "s 3",
    "diag(x) y": "x 3, y 3",
    "diag(A) + x": "A 3×3, x 3",
    "outer(x, y) z": "x 3, y 4, z 4",
    "x + y": "x 3, y 3",
    "x[6] + x[-9]": "x 9",
    "x[1:] - y": "x 3, y 2",
    "x[2:-2] * y": "x 5, y 1",
    "x[::2] + y": "x 3, y 2",
    "X[0] + y": "X 3×4, y 4",
    "X[:, 1] + y": "X 3×4, y 3",
    "sum(X, axis=0) * y": "X 3×4, y 4",
    "X - mean(X, axis=1, keepdims=True)": "X 3×4",
    "eye(6) @ x": "x 6",
    "reshape(x, (2, 3))": "x 6",
    "reshape(x, (2, -1))": "x 6",
    "reshape(X, (2, -1)) y": "X 3×4, y 6",
    "reshape(X, -1) @ y": "X 3×4, y 12",
    "softmax_cross_entropy(W x, y)": "W 3×4, x 4, y 3",
    "sum((X w - y)²)/(2n) + λ w' w": "X 3×4, w 4, y 3, n, λ",
    "softmax(Q K' / √d) V": "Q 3×4, K 5×4, d, V 5×6",
    "sigmoid_binary_cross_entropy(x, y)": "x 3, y 3",
    "where(x > 0, x, a)": "x 3, a 3",
    "norm(X, axis=0) + b": "X 3×4, b 4",
    "dot(A, x) + inner(x, A)": "A 3×4, x 4",
    "cumsum(X) + y": "X 3×4, y 12",
    "pinv(A) b": "A 3×4, b 3",
    "x' roll(x, 1)": "x 3",
}


def text(shapes):
    return ", ".join(" ".join(filter(None, (n, "×".join(map(str, s))))) for n, s in shapes.items())


@pytest.mark.parametrize("expression", GUESSES, ids=GUESSES)
def test_the_guess(expression):
    f = read(expression)
    shapes = guessed(f, {}).shapes
    assert text(shapes) == GUESSES[expression]
    jax.eval_shape(f, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes.values()))


NAMES = ["x", "y", "A", "B", "c", "s", "2"]
WAYS = [
    "{} + {}", "{} * {}", "{} / {}", "({}) ({})", "{} @ {}", "({})'", "({}).T", "({})⁻¹", "({})²",
    "‖{}‖", "exp({})", "sum({})", "sum({}, axis=0)", "mean({}, axis=-1, keepdims=True)", "tr({})",
    "inv({})", "pinv({})", "diag({})", "kron({}, {})", "softmax({})", "({})[1:]", "({})[0]",
    "({})[:, ::2]", "solve({}, {})", "outer({}, {})", "dot({}, {})", "inner({}, {})", "cumsum({})",
    "reshape({}, (2, -1))", "where({} > {}, {}, 0)", "norm({}, 1)", "max({}, 0)",
]  # fmt: skip


def random_expression(rng, depth):
    if not depth:
        return rng.choice(NAMES)
    way = rng.choice(WAYS)
    return way.format(*(random_expression(rng, depth - 1) for _ in range(way.count("{}"))))


@pytest.mark.parametrize("seed", range(8))
def test_every_guess_can_be_computed(seed):
    rng = random.Random(seed)
    found = 0
    with jax.numpy_rank_promotion("allow"):
        for _ in range(150):
            try:
                f = read(random_expression(rng, rng.randint(1, 3)))
                shapes = guessed(f, {}).shapes
            except ValueError:
                continue
            jax.eval_shape(f, *(jax.ShapeDtypeStruct(s, jnp.float32) for s in shapes.values()))
            found += 1
    assert found > 100


GIVEN = {
    ("A x", "x", (7,)): "A 3×7, x 7",
    ("A x", "A", (2, 5)): "A 2×5, x 5",
    ("x + y", "x", ()): "x, y 3",
    ("x + y", "y", (2, 2)): "x 2, y 2×2",
    ("x @ y", "x", (4, 3)): "x 4×3, y 3",
    ("sum(A, axis=2) x", "A", (2, 3, 4)): "A 2×3×4, x 3",
}


@pytest.mark.parametrize(("expression", "name", "shape"), GIVEN)
def test_what_is_given_stays(expression, name, shape):
    shapes = guessed(read(expression), {name: shape}).shapes
    assert text(shapes) == GIVEN[expression, name, shape]


def test_sizes_that_need_not_be_equal_differ():
    shapes = guessed(read("a' X b + c' Y d + tr(Z)"), {}).shapes
    found = [n for name in "XYZ" for n in set(shapes[name])]
    assert len(set(found)) == len(found)


MISTAKES = {
    "eye(3) @ x + eye(4) @ x": "no shapes of `x` fit both `eye(3) @ x` and `eye(4) @ x`.",
    "softmax(2) + x": "`softmax(2)` cannot be computed from shapes scalar: it needs an axis.",
    "sum(x, axis=3)": "`sum(x, axis=3)` cannot be computed from shapes ?: there is no axis 3.",
    "reshape(x, (2, 3)) @ x": (
        "`reshape(x, (2, 3)) @ x` cannot be computed from shapes 2×3 and 6: the inner sizes differ"
    ),
}


@pytest.mark.parametrize("expression", MISTAKES)
def test_a_contradiction_names_the_uses(expression):
    with pytest.raises(ValueError, match=re.escape(MISTAKES[expression])):
        guessed(read(expression), {})


def test_many_names_take_no_time():
    names = [f"a{i}" for i in range(40)]
    assert guessed(read(" + ".join(names)), {}).shapes == dict.fromkeys(names, (3,))


def test_equal_sizes_are_equal_whatever_the_order():
    known = sizes.UnknownSizes()
    n, m, k = known.unknown(), known.unknown(), known.unknown()
    known.equal(sizes.plus(m, -1), n)
    known.equal(k, m)
    known.equal(k, 6)
    known.number()
    assert known.shape((n, m, k)) == (5, 6, 6)
    with pytest.raises(sizes.MisfitError, match="5 is not 6"):
        known.equal(n, m)
