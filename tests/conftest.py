"""Strict JAX for every test: no silent promotion of dtypes or ranks."""

import gc
import itertools
import pathlib

import jax
import pytest

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 8)  # for the tests of sharding


MANY, LARGE, HUGE = 2, 4, 100  # cases of a test
GOLDEN = (5**0.5 - 1) / 2


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every", action="store_true", help="every case of the large tables")
    parser.addoption("--target", type=pathlib.Path, help="a GPU in XLA's words, for `-m compiled`")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test of many cases every run takes a few, and `-m slow` some of the others.

    Every run takes the first, a twentieth in all, of a large table a fortieth. `-m slow` takes the
    others, of what is a large table still a twentieth, of a huge one a hundredth, and the whole
    with `--every`. Multiples of the golden ratio choose them, which fall in step with no parameter.
    """
    left_out = []
    for _, group in itertools.groupby(items, key=lambda item: item.nodeid.partition("[")[0]):
        cases = list(group)
        slow = [case for case in cases if case.get_closest_marker("slow")]
        quick = [case for case in cases if case not in slow]
        if len(quick) > MANY:
            for case in _others(quick, 1 / 40 if len(quick) > LARGE else 1 / 20):
                case.add_marker("slow")
        slow = [case for case in cases if case.get_closest_marker("slow")]
        is_whole = cases[0].get_closest_marker("whole") or config.getoption("--every")
        if len(slow) > LARGE and not is_whole:
            left_out += _others(slow, 1 / 100 if len(slow) > HUGE else 1 / 20)
    unwanted = set(left_out)
    items[:] = [item for item in items if item not in unwanted]
    config.hook.pytest_deselected(items=left_out)


def _others(cases: list[pytest.Item], share: float) -> list[pytest.Item]:
    """All but a share of them, with the first in that."""
    return [case for i, case in enumerate(cases) if i * GOLDEN % 1 > share]


@pytest.fixture(autouse=True, scope="module")
def _let_programs_go():
    """What a module has compiled serves no other, and it would add up to gigabytes."""
    yield
    jax.clear_caches()
    gc.collect()


_tests = itertools.count(1)


@pytest.fixture(autouse=True)
def _let_maps_go():
    """A program holds memory maps, of which a process has some 65,000; beyond them XLA crashes."""
    yield
    if next(_tests) % 50 == 0:
        jax.clear_caches()


@pytest.fixture
def getkey():
    """A maker of fresh random keys, the same sequence in every run."""
    root, counter = jax.random.key(20261122), itertools.count()
    return lambda: jax.random.fold_in(root, next(counter))


@pytest.fixture
def x64():
    """Double precision inside one test."""
    with jax.enable_x64(True):
        yield
