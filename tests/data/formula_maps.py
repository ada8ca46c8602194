"""Map trees with their formulas: text in both layouts, and LaTeX in numerator layout."""

import numpy as np

from jaxcalc._formula import call, maps, name, number

RANDOM = np.random.default_rng(1)
SHAPES = {
    "A": (3, 4), "B": (3, 4), "C": (5, 3), "W": (4, 4), "X": (4, 3), "Y": (2, 3), "T": (2, 3, 4),
    "a": (3,), "b": (4,), "c": (3,), "x": (4,), "y": (4,), "t": (), "M": (4, 4), "i": (4, 5, 6),
}  # fmt: skip
ARRAYS = {text: RANDOM.uniform(0.5, 1.5, shape) for text, shape in SHAPES.items()}
E = {text: name(text, shape) for text, shape in SHAPES.items()}


def contract(labels, out, *args):
    sizes = {
        i: n for x, arg in zip(labels, args, strict=True) for i, n in zip(x, arg.shape, strict=True)
    }
    return call("contract", args, [sizes[i] for i in out], labels=labels, out=out)


def matvec(M, v):
    return contract(((0, 1), (1,)), (0,), M, v)


def softmax(x):
    return call("softmax", (x,), x.shape, axes=(-1,))


def elementwise(op, x, **params):
    return call(op, (x,), x.shape, **params)


def term(factors, links, out, scale=1.0):
    """A term whose links are labels, or (label, offset or places), one an axis of x."""
    pairs = [link if isinstance(link, tuple) else (link, None) for link in links]
    full = tuple((label, axis, offset) for axis, (label, offset) in enumerate(pairs))
    return maps.Einsum(tuple(factors), full, tuple(out), scale)


linear = maps.matrix


def diagonal(v):
    return maps.diagonal(v.shape, v)


def terms(codomain, domain, *all_terms):
    return maps.Terms(codomain, domain, all_terms)


x, y, a, b, c, t, A, B, C, W, X = (E[n] for n in "xyabctABCWX")
Ax, s, S = matvec(A, x), softmax(matvec(A, x)), softmax(X)
norm = elementwise("sqrt", contract(((0,), (0,)), (), x, x))
sigma = elementwise("logistic", x)
one_minus = call("sub", (number(1.0), sigma), (4,))
rows = maps.of_rows("softmax", call("at", (S,), (3,), axis=0, index="i"), (-1,))
triangle = maps.matrix(call("tri", (), (4, 4), k=0))
scan = maps.matrix_free((4,), (4,), "scan")

# fmt: off
FORMULAS = {  # the map; its formula in numerator and in denominator layout
    "softmax": (maps.of_rows("softmax", softmax(x), (-1,)),
        "diag(s) − s sᵀ where s = softmax(x)", "diag(s) − s sᵀ where s = softmax(x)"),
    "softmax(A x)": (maps.Composition((3,), (4,), (
            maps.of_rows("softmax", s, (-1,)), linear(A))),
        "(diag(s) − s sᵀ) A where s = softmax(A x)", "Aᵀ (diag(s) − s sᵀ) where s = softmax(A x)"),
    "log_softmax": (maps.of_rows("log_softmax", softmax(x), (-1,)),
        "I − 1 sᵀ where s = softmax(x)", "I − s 1ᵀ where s = softmax(x)"),
    "its transpose": (maps.of_rows("log_softmax_transposed", softmax(x), (-1,)),
        "I − s 1ᵀ where s = softmax(x)", "I − 1 sᵀ where s = softmax(x)"),
    "scaled softmax": (maps.Composition((4,), (4,), (
            diagonal(y), maps.of_rows("softmax", softmax(x), (-1,)), diagonal(b))),
        "diag(y) (diag(s) − s sᵀ) diag(b) where s = softmax(x)",
        "diag(b) (diag(s) − s sᵀ) diag(y) where s = softmax(x)"),
    "softmax of rows": (maps.of_rows("softmax", S, (-1,)),
        "blockdiag_i(diag(sᵢ) − sᵢ sᵢᵀ) where s = softmax(X)",
        "blockdiag_i(diag(sᵢ) − sᵢ sᵢᵀ) where s = softmax(X)"),
    "block": (maps.Block((4, 3), (4, 3), rows, "i", 4, 0, 0),
        "blockdiag_i(diag(sᵢ) − sᵢ sᵢᵀ) where s = softmax(X)",
        "blockdiag_i(diag(sᵢ) − sᵢ sᵢᵀ) where s = softmax(X)"),
    "x W x": (terms((), (4,), term([(W, (0, 1)), (x, (1,))], [0], []),
                    term([(contract(((0,), (0, 1)), (1,), x, W), (1,))], [1], [])),
        "xᵀ Wᵀ + xᵀ W", "W x + Wᵀ x"),
    "cos": (diagonal(elementwise("cos", x)), "diag(cos(x))", "diag(cos(x))"),
    "σ": (diagonal(call("mul", (sigma, one_minus), (4,))),
        "diag(σ(x) ⊙ (1 − σ(x)))", "diag(σ(x) ⊙ (1 − σ(x)))"),
    "σ of order 1": (diagonal(elementwise("logistic_derivative", x, order=1)),
        "diag(σ(x) ⊙ (1 − σ(x)))", "diag(σ(x) ⊙ (1 − σ(x)))"),
    "σ of order 3": (diagonal(elementwise("logistic_derivative", x, order=3)),
        "diag(σ(x) ⊙ (1 − σ(x)) ⊙ (1 − 6 σ(x) + 6 σ(x)²))",
        "diag(σ(x) ⊙ (1 − σ(x)) ⊙ (1 − 6 σ(x) + 6 σ(x)²))"),
    "1/x": (diagonal(call("integer_pow", (x,), (4,), y=-2)), "diag(1/x²)", "diag(1/x²)"),
    "outer": (terms((3,), (4,), term([(a, (0,)), (b, (1,))], [1], [0])), "a bᵀ", "b aᵀ"),
    "x/‖x‖": (terms((4,), (4,), term([(elementwise("integer_pow", norm, y=-1), ())], [0], [0]),
                    term([(x, (0,)), (elementwise("integer_pow", norm, y=-3), ()), (x, (1,))],
                         [1], [0], -1.0)),
        "I/‖x‖ − x xᵀ/‖x‖³", "I/‖x‖ − x xᵀ/‖x‖³"),
    "scalar by scalar": (terms((), (), term([(elementwise("square", t), ())], [], [], 3.0)),
        "3 t²", "3 t²"),
    "vector by scalar": (terms((3,), (), term([(a, (0,)), (t, ())], [], [0], 2.0)),
        "2 t a", "2 t aᵀ"),
    "tr(B X)": (terms((), (4, 3), term([(B, (1, 0))], [0, 1], [])), "B", "Bᵀ"),
    "aᵀ X b": (terms((), (4, 3), term([(x, (0,)), (a, (1,))], [0, 1], [])), "a xᵀ", "x aᵀ"),
    "‖X‖²": (terms((), (4, 3), term([(X, (0, 1))], [0, 1], [], 2.0)), "2 Xᵀ", "2 X"),
    "log det W": (terms((), (4, 4), term([(elementwise("inv", W), (0, 1))], [1, 0], [])),
        "W⁻¹", "W⁻ᵀ"),
    "t A": (terms((3, 4), (), term([(A, (0, 1))], [], [0, 1])), "A", "Aᵀ"),
    "A Z Yᵀ": (terms((3, 2), (4, 3), term([(A, (0, 1)), (E["Y"], (2, 3))], [1, 3], [0, 2])),
        "A ⊗ Y", "Aᵀ ⊗ Yᵀ"),
    "A Z": (terms((3, 3), (4, 3), term([(A, (0, 1))], [1, 2], [0, 2])), "A ⊗ I", "Aᵀ ⊗ I"),
    "Zᵀ": (terms((3, 4), (4, 3), term([], [0, 1], [1, 0])),
        "J[i, j, k, l] = δ[j, k] δ[i, l]", "J[i, j, k, l] = δ[i, l] δ[j, k]"),
    "cos of a matrix": (diagonal(elementwise("cos", X)), "diag(cos(X))", "diag(cos(X))"),
    "row sums": (terms((4,), (4, 3), term([], [0, 1], [0])), "I ⊗ 1ᵀ", "I ⊗ 1"),
    "a tensor": (terms((2,), (3, 4), term([(E["T"], (0, 1, 2))], [1, 2], [0])),
        "J[i, j, k] = T[i, j, k]", "J[i, j, k] = T[k, i, j]"),
    "a tensor applied": (terms((2,), (3,), term([(E["T"], (0, 1, 2)), (x, (2,))], [1], [0])),
        "J[i, j] = Σ_k T[i, j, k] x[k]", "J[i, j] = Σ_k T[j, i, k] x[k]"),
    "differences": (terms((3,), (4,), term([], [(0, 1)], [0]), term([], [0], [0], -1.0)),
        "I[1:] − I[:3]", "I[1:]ᵀ − I[:3]ᵀ"),
    "rolled": (terms((4,), (4,), term([], [(0, 3)], [0])), "roll(I, 1)", "roll(I, 1)ᵀ"),
    "permuted": (terms((4,), (4,), term([], [(0, (2, 0, 3, 1))], [0])),
        "I[2, 0, 3, 1]", "I[2, 0, 3, 1]ᵀ"),
    "reversed": (terms((4,), (4,), term([], [(0, (3, 2, 1, 0))], [0])), "I[::−1]", "I[::−1]ᵀ"),
    "padded": (terms((6,), (4,), term([], [(0, (-1, 0, 1, 2, 3, -1))], [0])), "I[1:5]ᵀ", "I[1:5]"),
    "an entry": (terms((), (4,), term([], [(0, (2,))], [])), "I[2]ᵀ", "I[2]"),
    "masked": (diagonal(elementwise("indicator", call("gt", (x, number(0.0)), (4,)))),
        "diag([x > 0])", "diag([x > 0])"),
    "cumulative sum": (triangle, "tril(1 1ᵀ)", "tril(1 1ᵀ)ᵀ"),
    "reversed sum": (maps.transposed(triangle), "tril(1 1ᵀ)ᵀ", "tril(1 1ᵀ)"),
    "reshaped": (maps.Indexing((2, 2), (4,), "reshape", "reshape", (("new_sizes", (2, 2)),)),
        "reshape", "reshapeᵀ"),
    "identity": (maps.diagonal((4,)), "I", "I"),
    "identity of matrices": (maps.diagonal((4, 3)), "I", "I"),
    "zero": (maps.zero((3,), (4,)), "0", "0"),
    "sum of maps": (maps.Addition((4,), (4,), (linear(W), maps.diagonal((4,)), linear(E["M"]))),
        "W + I + M", "Wᵀ + I + Mᵀ"),
    "transposed": (maps.Transposed((4,), (3,), linear(A)), "Aᵀ", "A"),
    "three matrices": (maps.Composition((5,), (4,), (
            linear(C), diagonal(elementwise("cos", a)), linear(A))),
        "C diag(cos(a)) A", "Aᵀ diag(cos(a)) Cᵀ"),
    "‖A x − c‖²": (maps.Composition((), (4,), (
            terms((), (3,), term([(call("sub", (Ax, c), (3,)), (0,))], [0], [], 2.0)), linear(A))),
        "2 (A x − c)ᵀ A", "2 Aᵀ (A x − c)"),
    "a constant": (terms((3,), (4,), term([], [0], [1], 0.25)), "1 1ᵀ/4", "1 1ᵀ/4"),
    "repeated": (terms((4,), (4,), term([(matvec(W, elementwise("sin", matvec(W, x))), (0,)),
                     (matvec(W, elementwise("sin", matvec(W, x))), (1,))], [1], [0])),
        "W u uᵀ Wᵀ where u = sin(W x)", "W u uᵀ Wᵀ where u = sin(W x)"),
}
OPAQUE = {
    "scan": (scan, "D[scan]", "D[scan]ᵀ"),
    "after a matrix": (maps.Composition((4,), (4,), (scan, linear(W))), "D[scan] W", "Wᵀ D[scan]ᵀ"),
    "of matrices": (maps.Composition((4, 3), (4, 3), (
            maps.matrix_free((4, 3), (4, 3), "fft"), diagonal(elementwise("cos", X)))),
        "D[fft] diag(cos(X))", "diag(cos(X)) D[fft]ᵀ"),
}
LATEX = {
    "softmax(A x)": r"\left(\operatorname{diag}\left(s\right) - s s^\top\right) A "
        r"\quad\text{where } s = \operatorname{softmax}\left(A x\right)",
    "x/‖x‖": r"\frac{I}{\left\lVert x \right\rVert} "
        r"- \frac{x x^\top}{\left\lVert x \right\rVert^{3}}",
    "x W x": r"x^\top W^\top + x^\top W",
    "σ": r"\operatorname{diag}\left(\sigma\left(x\right) "
        r"\odot \left(1 - \sigma\left(x\right)\right)\right)",
    "softmax of rows": r"\operatorname{blockdiag}_{i}\left("
        r"\operatorname{diag}\left(s_{i}\right) - s_{i} s_{i}^\top"
        r"\right) \quad\text{where } s = \operatorname{softmax}\left(X\right)",
    "log det W": "W^{-1}",
    "A Z": r"A \otimes I",
    "Zᵀ": r"J_{i, j, k, l} = \delta_{j, k} \delta_{i, l}",
    "a tensor applied": r"J_{i, j} = \sum_{k} T_{i, j, k} x_{k}",
    "log_softmax": r"I - \mathbf{1} s^\top "
        r"\quad\text{where } s = \operatorname{softmax}\left(x\right)",
    "1/x": r"\operatorname{diag}\left(\frac{1}{x^{2}}\right)",
    "a constant": r"\frac{\mathbf{1} \mathbf{1}^\top}{4}",
}
# fmt: on
