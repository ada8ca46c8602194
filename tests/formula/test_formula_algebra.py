"""Expressions and their canonical form: one object each, like terms together, found again."""

import gc
import time
import weakref

import pytest
from formula_values import node_of

from jaxcalc._formula import Expression, call, name, number
from jaxcalc._formula._expression import hashable
from jaxcalc._formula._styles import TEXT
from jaxcalc._formula._tensor import Tensors

A, B, x, y, t = (
    name(n, s) for n, s in [("A", (3, 4)), ("B", (4, 4)), ("x", (4,)), ("y", (4,)), ("t", ())]
)


def apply(op, *args, **params):
    return call(op, args, max((arg.shape for arg in args), key=len), **params)


def matmul(a, b):
    """The matrix product, by labels."""
    left, right = tuple(range(len(a.shape))), tuple(range(9, 9 + len(b.shape)))
    right = (left[-1], *right[1:])
    out = (*left[:-1], *right[1:])
    return call("contract", (a, b), a.shape[:-1] + b.shape[1:], labels=(left, right), out=out)


def total(v):
    return call("reduce_sum", (v,), (), axes=tuple(range(len(v.shape))))


def spread(v, shape):
    return call("broadcast_in_dim", (v,), shape, broadcast_dimensions=())


one = number(1.0)
exp = apply("exp", x)
e_sum = total(exp)
shift = spread(call("reduce_max", (x,), (), axes=(0,)), (4,))
shifted = apply("exp", apply("sub", x, shift))
tanh, sigma = apply("tanh", x), apply("logistic", x)
off, on = (apply("indicator", apply(op, x, number(0.0))) for op in ("le", "gt"))

# fmt: off
SIMPLIFIED = [  # an expression, as it is written
    (apply("mul", x, x), "x²"),
    (apply("neg", apply("neg", x)), "x"),
    (apply("add", x, x), "2 x"),
    (apply("sub", x, x), "0"),
    (apply("mul", one, x), "x"),
    (apply("add", number(0.0), x), "x"),
    (apply("div", x, x), "1"),
    (apply("integer_pow", apply("integer_pow", x, y=3), y=-2), "1/x⁶"),
    (apply("mul", apply("sqrt", x), apply("sqrt", x)), "x"),
    (apply("square", apply("sqrt", apply("mul", x, y))), "x ⊙ y"),
    (call("scale", (call("scale", (x,), (4,), factor=2.0),), (4,), factor=3.0), "6 x"),
    (apply("div", x, number(3.0)), "x/3"),
    (apply("mul", number(0.7978845834732056), x), "0.797885 x"),
    (apply("mul", number(1 / 3 + 1e-9), x), "x/3"),
    (matmul(A, x), "A x"),
    (matmul(x, B), "Bᵀ x"),
    (matmul(matmul(A, B), x), "A B x"),
    (matmul(x, matmul(B, x)), "xᵀ B x"),
    (matmul(matmul(x, B), x), "xᵀ B x"),
    (call("transpose", (matmul(A, B),), (4, 3), permutation=(1, 0)), "Bᵀ Aᵀ"),
    (call("transpose", (apply("sin", B),), (4, 4), permutation=(1, 0)), "sin(B)ᵀ"),
    (total(x), "sum(x)"),
    (total(apply("mul", x, y)), "xᵀ y"),
    (total(apply("mul", B, B)), "‖B‖²"),
    (apply("sqrt", total(apply("mul", x, x))), "‖x‖"),
    (apply("div", x, spread(apply("sqrt", matmul(x, x)), (4,))), "x/‖x‖"),
    (apply("sub", one, sigma), "1 − σ(x)"),
    (apply("add", apply("sub", one, tanh), apply("mul", tanh, apply("sub", one, tanh))),
     "1 − tanh(x)²"),
    (apply("mul", apply("add", one, tanh), apply("sub", one, tanh)), "1 − tanh(x)²"),
    (apply("mul", sigma, apply("sub", one, sigma)), "σ(x) ⊙ (1 − σ(x))"),
    (apply("div", exp, spread(e_sum, (4,))), "softmax(x)"),
    (apply("div", shifted, spread(total(shifted), (4,))), "softmax(x)"),
    (apply("exp", apply("sub", x, spread(apply("log", e_sum), (4,)))), "softmax(x)"),
    (apply("exp", apply("log_softmax", x, axes=(-1,))), "softmax(x)"),
    (apply("log", e_sum), "logsumexp(x)"),
    (total(apply("softmax", x, axes=(-1,))), "1"),
    (apply("exp", apply("sub", x, apply("softplus", x))), "σ(x)"),
    (apply("logaddexp", x, spread(number(0.0), (4,))), "softplus(x)"),
    (total(apply("sub", x, spread(apply("div", total(x), number(4.0)), (4,)))), "0"),
    (apply("mul", number(2.0), apply("sub", x, y)), "2 (x − y)"),
    (apply("add", apply("mul", number(2.0), x), apply("mul", number(2.0), y)), "2 (x + y)"),
    (apply("select_n", apply("gt", x, number(0.0)), spread(number(0.0), (4,)), y), "[x > 0] ⊙ y"),
    (apply("select_n", apply("gt", x, number(0.0)), x, y), "where(x > 0, y, x)"),
    (apply("add", on, off), "1"),
    (apply("mul", on, on), "[x > 0]"),
    (apply("max", spread(number(float("-inf")), (4,)), x), "x"),
    (apply("abs", exp), "exp(x)"),
    (apply("stop_gradient", x), "x"),
    (apply("convert_element_type", x, new_dtype="float32"), "x"),
    (call("slice", (apply("mul", x, y),), (3,), start_indices=(1,), limit_indices=(4,)),
     "x[1:] ⊙ y[1:]"),
    (call("slice", (x,), (1,), start_indices=(2,), limit_indices=(3,)), "x[2]"),
    (call("rev", (call("rev", (x,), (4,), dimensions=(0,)),), (4,), dimensions=(0,)), "x"),
    (call("linear_solve", (matmul(B, y), y, x), (4,)), "B⁻¹ x"),
    (call("inv", (matmul(call("transpose", (A,), (4, 3), permutation=(1, 0)), A),), (4, 4)),
     "(Aᵀ A)⁻¹"),
    (call("reshape", (call("contract", (A, B), (3, 4, 4, 4), labels=((0, 2), (1, 3)),
                           out=(0, 1, 2, 3)),), (12, 16), new_sizes=(12, 16)), "A ⊗ B"),
    (call("fft", (x,), (4,), fft_type="FFT"), "fft(x)"),
]
# fmt: on


@pytest.mark.parametrize(("expression", "text"), SIMPLIFIED, ids=[text for _, text in SIMPLIFIED])
def test_simplified(expression, text):
    assert TEXT.write(node_of(expression)) == text


def test_equal_expressions_are_one_object():
    assert matmul(A, x) is matmul(name("A", [3, 4]), name("x", [4]))
    assert hash(matmul(A, x)) == hash(matmul(A, x))
    assert number(1) is not number(1.0)
    assert number(1) is not number(True)
    assert name("x", (4,)) is not name("x", (5,))


def test_an_expression_cannot_be_changed():
    with pytest.raises(AttributeError, match="immutable; `op`"):
        x.op = "y"


def test_expressions_are_let_go_when_nothing_holds_them():
    kept, made = name("let go", (4,)), list[weakref.ref[Expression]]()
    for _ in range(20_000):
        kept = apply("sin", kept)
        made.append(weakref.ref(kept))
    assert all(reference() is not None for reference in made)
    del kept
    gc.collect()
    assert all(reference() is None for reference in made)


def test_making_expressions_takes_microseconds():
    chain, start = x, time.perf_counter()
    for _ in range(5_000):
        chain = apply("sin", chain)
    assert time.perf_counter() - start < 5_000 * 100e-6


def test_parameters_become_hashable():
    assert hashable([1, (2, [3])]) == (1, (2, (3,)))
    assert hashable({"axes": [0]}) == (("axes", (0,)),)
    assert call("f", (), (), runs=[[1, 2]]) is call("f", (), (), runs=((1, 2),))


def test_sums_and_products_are_found_again_in_any_order():
    tensors = Tensors()
    assert tensors.value(apply("add", x, y)) is tensors.value(apply("add", y, x))
    assert tensors.value(apply("mul", x, y)) is tensors.value(apply("mul", y, x))
    transposed = call("transpose", (B,), (4, 4), permutation=(1, 0))
    assert tensors.value(matmul(matmul(x, B), y)) is tensors.value(matmul(matmul(y, transposed), x))
