"""What holds of the derivative of any program, whatever way `derive` goes about it.

A law gives pairs, what there is and what there should be, each under a name. The faults of a
program are those that differ, a formula that contradicts the structure, errors, and what takes too
long. As a script,

    python tests/data/laws.py 0 3000 10

looks at the programs 0 to 2999, prints those with a fault, and how many there were; the dear laws,
those under transformations, only in every tenth batch (without that number, in all).
"""

import contextlib
import inspect
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from functions import quick_jit
from programs import Program, program

import jaxcalc as jc
from jaxcalc._derive._names import leaf_names, made_unique

TOLERANCE = 1e-9
# The XLA of jax 0.10 aborts where a scan follows a dot of two batch axes.
ABORTING = {261} if jax.__version_info__ < (0, 11) else set()
SECONDS = 20  # of the process, in which a law is looked at
WITHOUT_CODE = "has no closed form, so that there is no `code`; `todense` computes the array."


@dataclass
class Judged:
    """What came of one program."""

    program: Program
    faults: list[str] = field(default_factory=list)
    is_tame: bool = True
    has_code: bool = True
    is_zero: bool = False
    blocks: list["Block"] = field(default_factory=list)  # while it is looked at

    def __str__(self) -> str:
        return "\n".join([str(self.program), *(f"  {fault}" for fault in self.faults)])


Pairs = dict[str, tuple[Any, Any]]
Laws = Callable[[Judged], Pairs]


def judged(programs: Sequence[Program], *laws: Laws) -> list[Judged]:
    """The programs with their faults; all of them in one compilation."""
    found = [Judged(one) for one in programs]

    def pairs(one: Judged, argument: Any) -> tuple[Any, Pairs]:
        one.program = one.program._replace(argument=argument)
        made: Pairs = {}
        with _noted(one):
            one.blocks = blocks_of(one.program.f, argument)
        for law in laws:
            with _noted(one):
                made |= law(one)
        finite = [jnp.isfinite(block.truth).all() for block in one.blocks]
        return jnp.stack([one.program.is_tame(argument), *finite]).all(), made

    arguments = [one.argument for one in programs]
    results = quick_jit(lambda xs: list(map(pairs, found, xs)))(arguments)
    for one, original, (tame, made) in zip(found, programs, results, strict=True):
        one.program, one.is_tame = original, bool(tame)
        one.faults += [text for name, pair in made.items() for text in _unlike(name, *pair)]
    return found


@contextlib.contextmanager
def _noted(one: Judged) -> Iterator[None]:
    """An error is a fault; so is what takes too long."""
    with within(SECONDS) as is_late:
        try:
            yield
        except Exception as error:
            words = f"more than {SECONDS} s" if is_late() else f"{type(error).__name__}: {error}"
            one.faults.append(words[:300])


@contextlib.contextmanager
def within(seconds: float) -> Iterator[Callable[[], bool]]:
    """Raises an error after that time of this process."""
    late = []

    def stop(*_: object) -> None:
        late.append(True)
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield lambda: bool(late)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _unlike(name: str, got: Any, true: Any) -> list[str]:
    got, true = np.asarray(got), np.asarray(true)
    if (got.shape, got.dtype) != (true.shape, true.dtype):
        return [f"{name}: {got.dtype}{got.shape} instead of {true.dtype}{true.shape}"]
    scale = max(1.0, float(np.max(np.abs(true), initial=0)))
    difference = float(np.max(np.abs(got - true), initial=0)) / scale
    return [] if difference <= TOLERANCE else [f"{name}: off by {difference:.1e}"]


# --- the laws ---


class Block(NamedTuple):
    """The derivative by one leaf of the argument, and autodiff's."""

    name: str
    J: jc.Derivative
    truth: Any


def blocks_of(f: Callable[[Any], Any], x: Any) -> list[Block]:
    names = [f"x{jax.tree_util.keystr(path)}" for path, _ in jax.tree.leaves_with_path(x)]
    truths = jax.tree.leaves(jax.jacfwd(f)(x))
    return [Block(*row) for row in zip(names, derivatives(jc.derive(f)(x)), truths, strict=True)]


def derivatives(tree: Any) -> list[jc.Derivative]:
    return jax.tree.leaves(tree, is_leaf=lambda J: isinstance(J, jc.Derivative))


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng([5, *shape]).standard_normal(shape)


def of_operators(one: Judged) -> Pairs:
    """Products, diagonals, traces and solutions are those of the dense array."""
    pairs: Pairs = {}
    for name, J, truth in one.blocks:
        for law, pair in _of_operator(J, truth).items():
            pairs[f"{law} by {name}"] = pair
    return pairs


def _of_operator(J: jc.Derivative, truth: Any) -> Pairs:
    v, w = numbers(*J.domain), numbers(*J.codomain)
    matrix = truth.reshape(w.size, v.size)
    pairs = {
        "tensor": (J.tensor(), truth),
        "J @ v": (J @ v, (matrix @ v.ravel()).reshape(w.shape)),
        "w @ J": (w @ J, (w.ravel() @ matrix).reshape(v.shape)),
        "J.T": (J.T @ w, (w.ravel() @ matrix).reshape(v.shape)),
        "todense": (J.todense(), arranged(truth, J, "numerator")),
        "J.T.todense": (J.T.todense(), arranged(truth, J, "denominator")),
    }
    if J.domain == J.codomain:
        shift = 1.0 + 2.0 * jnp.sqrt(jnp.sum(matrix**2))
        shifted = matrix + shift * jnp.eye(len(matrix))
        solution = jnp.linalg.solve(shifted, w.ravel()).reshape(v.shape)
        pairs |= {
            "diagonal": (J.diagonal(), jnp.diagonal(matrix).reshape(v.shape)),
            "trace": (J.trace(), jnp.trace(matrix)),
            "solve": (J.solve(w, shift), solution),
        }
    return pairs


def arranged(truth: Any, J: jc.Derivative, layout: str) -> Any:
    """Autodiff's array in a layout: that of a linear function with this array."""

    def linear(v: Any) -> Any:
        return jnp.tensordot(truth, v, len(J.domain))

    return jc.jacobian(linear, layout=layout)(jnp.zeros(J.domain))


def of_formulas(one: Judged) -> Pairs:
    """Code computes the dense array; the formula is 0 exactly where the structure is zero.

    Code may be refused, by an error that names what has no closed form.
    """
    pairs: Pairs = {}
    for name, J, _ in one.blocks:
        if (J.structure == "zero") != (J.formula == "0"):
            one.faults.append(f"by {name}: the structure is {J.structure}, the formula {J.formula}")
        if J.formula == "0":
            one.is_zero = True
            pairs[f"formula by {name}"] = (J.todense(), jnp.zeros_like(J.todense()))
        for layout, K in (("", J), (".T", J.T)):
            with _noted(one):
                code = code_of(K)
                dense = run(code, one.program) if code else None
                one.has_code &= dense is not None
                if dense is not None:
                    pairs[f"J{layout}.code by {name}"] = (dense, K.todense())
    return pairs


def code_of(J: jc.Derivative) -> str | None:
    """The code, None where it is refused in due form."""
    try:
        return J.code
    except ValueError as error:
        if WITHOUT_CODE in str(error):
            return None
        raise


def run(code: str, program: Program) -> Any:
    """`derivative` of the arrays of a program; None where it needs one of no name."""
    scope: dict[str, Any] = {}
    exec(code, scope)
    arrays = named_arrays(program)
    names = inspect.signature(scope["derivative"]).parameters
    if not arrays.keys() >= names.keys():
        return None
    return scope["derivative"](*(arrays[name] for name in names))


def named_arrays(program: Program) -> dict[str, Any]:
    """The arrays by the names that formulas give them."""
    parameter = "p" if isinstance(program.argument, dict) else "x"
    names = made_unique(leaf_names(parameter, program.argument))
    captured = {name: jnp.asarray(array) for name, array in program.captured.items()}
    return captured | dict(zip(names, jax.tree.leaves(program.argument), strict=True))


def of_layouts(one: Judged) -> Pairs:
    """In the other layout it is the transpose."""
    f, x = one.program.f, one.program.argument
    Js = derivatives(jc.derive(f, layout="denominator")(x))
    return {
        f"denominator layout by {name}": (K.todense(), J.T.todense())
        for K, (name, J, _) in zip(Js, one.blocks, strict=True)
    }


def of_batches(one: Judged) -> Pairs:
    """`batch` of what left a vmap has a block for each index."""
    if one.program.seed in ABORTING:
        return {}
    f, x = one.program.f, one.program.argument
    X = jax.tree.map(lambda a: jnp.stack([a, 0.9 * a]), x)
    Js = jax.vmap(jc.derive(f))(X)
    truths = jax.tree.leaves(jax.vmap(jax.jacfwd(f))(X))
    pairs: Pairs = {}
    for J, truth in zip(derivatives(Js), truths, strict=True):
        batch = jc.batch(J, 2)
        v = numbers(*batch.domain)
        right = jax.vmap(lambda T, v: jnp.tensordot(T, v, v.ndim))(truth, v)
        pairs[f"batch {len(pairs)}"] = (batch @ v, right)
    return pairs


def of_derivatives(one: Judged) -> Pairs:
    """The derivative of a sum of the entries is that of autodiff's."""
    f, x = one.program.f, one.program.argument

    def weighted(arrays: Any) -> Any:
        return sum(jnp.sum(a * numbers(*a.shape)) for a in jax.tree.leaves(arrays))

    got = jax.grad(lambda x: weighted([J.tensor() for J in derivatives(jc.derive(f)(x))]))(x)
    true = jax.grad(lambda x: weighted(jax.jacfwd(f)(x)))(x)
    pairs = zip(jax.tree.leaves(got), jax.tree.leaves(true), strict=True)
    return {f"differentiated {i}": pair for i, pair in enumerate(pairs)}


CHEAP: tuple[Laws, ...] = (of_operators, of_formulas)
DEAR: tuple[Laws, ...] = (of_layouts, of_batches, of_derivatives)
TOGETHER = 20  # programs in one compilation

if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_dtype_promotion", "strict")
    jax.config.update("jax_numpy_rank_promotion", "raise")
    start, stop, step = [*map(int, sys.argv[1:]), 1][:3]
    began, count = time.time(), Counter()
    for first in range(start, stop, TOGETHER):
        some = list(map(program, range(first, min(first + TOGETHER, stop))))
        dear = DEAR if first // TOGETHER % step == 0 else ()
        for one in judged(some, *CHEAP, *dear):
            count["programs"] += 1
            count["wild"] += not one.is_tame
            count["with code"] += one.has_code
            count["with a zero"] += one.is_zero
            if one.is_tame and one.faults:
                count["with a fault"] += 1
                print(one, end="\n\n", flush=True)
        jax.clear_caches()
        print(f"{dict(count)} in {time.time() - began:.0f} s", end="\r", file=sys.stderr)
    print(f"{dict(count)} in {time.time() - began:.0f} s")
