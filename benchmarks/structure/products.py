"""Products with the Jacobian: `derive`, one `jax.jvp`, the peers."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax

import jaxcalc as jc
from benchmarks.peers.jacobians import Function, JacobianPeer, Problem
from benchmarks.structure.contest import Contest
from benchmarks.structure.names import GIVEN, MUST_BE_RIGHT, OWN
from benchmarks.structure.trial import Entry, Judge
from benchmarks.timing import Contestant

PRODUCT = "J @ v"
JVP = f"{PRODUCT}: jvp"


def product_contest(
    case: str, problem: Problem, v: jax.Array, judge: Judge, peers: Sequence[JacobianPeer]
) -> Contest:
    """Products over one `jax.jvp`."""
    entries = list(product_entries(problem, v, judge, peers))
    return Contest(case, entries, (JVP,), (), MUST_BE_RIGHT)


def product_entries(
    problem: Problem, v: jax.Array, judge: Judge, peers: Sequence[JacobianPeer]
) -> Iterator[Entry]:
    """Everybody's product with v."""
    f, arguments = problem.f, (v, *problem.arguments)
    yield Entry(PRODUCT, "jvp", jax.__version__, ready(jvp(f), arguments), judge)
    yield Entry(PRODUCT, OWN, jc.__version__, ready(own_product(f), arguments), judge)
    given = functools.partial(given_product, f, arguments)
    yield Entry(PRODUCT, GIVEN, jc.__version__, given, judge)
    for peer in peers:
        prepare = functools.partial(made_ready, peer.product, problem, arguments)
        yield Entry(PRODUCT, peer.name, peer.version, prepare, judge)


def jvp(f: Function) -> Function:
    """The tangent alone, for v first."""

    def product(v: jax.Array, x: jax.Array, *constants: jax.Array) -> jax.Array:
        return jax.jvp(lambda x: f(x, *constants), (x,), (v,))[1]

    return product


def own_product(f: Function) -> Function:
    """The derivative found and applied in one program."""
    return lambda v, *arguments: jc.derive(f)(*arguments) @ v


def given_product(f: Function, arguments: tuple[jax.Array, ...]) -> Contestant:
    """The derivative found once and handed to the program that applies it."""
    v, *point = arguments
    J = jax.jit(jc.derive(f))(*point)
    return Contestant(jax.jit(lambda J, v: J @ v), [(J, v)])


def ready(f: Function, arguments: tuple[jax.Array, ...]) -> Callable[[], Contestant]:
    """That function, to be compiled at its first call."""
    return lambda: Contestant(jax.jit(f), [arguments])


def made_ready(
    make: Callable[[Problem], Function], problem: Problem, arguments: tuple[jax.Array, ...]
) -> Contestant:
    """A peer's function, after whatever it does beforehand."""
    return Contestant(jax.jit(make(problem)), [arguments])
