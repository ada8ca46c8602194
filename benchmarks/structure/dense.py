"""Dense forms, blocks and products of `derive`, over autodiff and beside the peers."""

import functools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

import jaxcalc as jc
from benchmarks.peers.jacobians import Function, JacobianPeer
from benchmarks.structure.cases import Case, normal, softmax_blocks
from benchmarks.structure.contest import Aim, Contest
from benchmarks.structure.names import GIVEN, MUST_BE_RIGHT, OWN, OWN_JC
from benchmarks.structure.products import PRODUCT, made_ready, product_entries, ready
from benchmarks.structure.trial import Entry, any_result, near, near_in_rows

AUTODIFF: dict[str, Callable[[Function], Function]] = {"jacfwd": jax.jacfwd, "jacrev": jax.jacrev}
BY_AUTODIFF = tuple(f"dense: {name}" for name in AUTODIFF)
FILL = "dense: fill"  # an array of that size, each entry the same


def contest(
    case: Case, peers: Sequence[JacobianPeer], at_most: float, over: tuple[str, ...] = BY_AUTODIFF
) -> Contest:
    """The dense form of that case, by default aimed at in times that of autodiff."""
    aims = [Aim(f"dense: {name}", over, at_most) for name in _functions(case)]
    return Contest(case.name, list(_entries(case, peers)), BY_AUTODIFF, aims, MUST_BE_RIGHT)


def contest_with_blocks(case: Case, peers: Sequence[JacobianPeer]) -> Contest:
    """The dense form of a batch, and its blocks alone."""
    judge = near(softmax_blocks(np.asarray(case.arguments[0], np.float64)))
    entries = [
        Entry("blocks", name, jc.__version__, ready(_blocks(f), case.arguments), judge)
        for name, f in _functions(case).items()
    ]
    aims = [Aim(entry.key, BY_AUTODIFF, 1 / 100) for entry in entries]
    return _extended(contest(case, peers, 1 / 2), entries, aims)


def contest_with_products(case: Case, peers: Sequence[JacobianPeer]) -> Contest:
    """The dense form, and products without it."""
    v = normal(*case.arguments[0].shape, seed=4)
    judge = near(case.reference() @ np.asarray(v, np.float64))
    entries = list(product_entries(case.problem, v, judge, peers))
    aims = [Aim(f"{PRODUCT}: {name}", BY_AUTODIFF, 1 / 100) for name in (OWN, GIVEN)]
    return _extended(contest(case, peers, 1.1), entries, aims)


def _extended(contest: Contest, entries: list[Entry], aims: list[Aim]) -> Contest:
    return contest._replace(entries=[*contest.entries, *entries], aims=[*contest.aims, *aims])


def _functions(case: Case) -> dict[str, Function]:
    """What `derive` is asked for: the function of JAX, and that of jaxcalc if there is one."""
    return {OWN: case.f} if case.own is None else {OWN: case.f, OWN_JC: case.own}


def _entries(case: Case, peers: Sequence[JacobianPeer]) -> Iterator[Entry]:
    judge, arguments = near_in_rows(case.rows, case.reference()), case.arguments
    for name, f in _functions(case).items():
        yield Entry("dense", name, jc.__version__, ready(_todense(f), arguments), judge)
    for name, transform in AUTODIFF.items():
        yield Entry("dense", name, jax.__version__, ready(transform(case.f), arguments), judge)
    fill = ready(_filled(case.problem.shape), arguments)
    yield Entry("dense", "fill", jax.__version__, fill, any_result)
    for peer in peers:
        prepare = functools.partial(made_ready, peer.dense, case.problem, arguments)
        yield Entry("dense", peer.name, peer.version, prepare, judge)


def _todense(f: Function) -> Function:
    return lambda *arguments: jc.derive(f)(*arguments).todense()


def _blocks(f: Function) -> Function:
    return lambda *arguments: jc.derive(f)(*arguments).blocks()


def _filled(shape: tuple[int, ...]) -> Function:
    return lambda x, *constants: jnp.full(shape, x.ravel()[0])
