"""Settings and transformations of JAX × functions × (value, grad, jacfwd, Hessian).

At a moderate point, and at a saturated one where most derivatives are far smaller than 1, and are
compared with that size: what is lost there is lost digits, not rounding.
"""

import inspect
import itertools
import json
import pickle
import subprocess
import sys
from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from functions import CORE, assert_close
from switches import (
    DERIVATIVES,
    PAIRS,
    PLACES,
    SWITCHED,
    SWITCHES,
    UNCOMPILED,
    WITH_AN_INFINITY,
    Switch,
    dealt,
    is_fast,
    truths,
)

import jaxcalc as jc
from jaxcalc._compat import opened, sub_jaxprs

PUBLIC = [name for name, f in vars(jc).items() if inspect.isfunction(f)]


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.resize(np.array([1.0, -0.5, 0.75, 2.0, -1.25]), shape)


def assert_keeps_its_digits(got, true, name: str) -> None:
    """Relative to each entry, though it be far smaller than 1."""
    assert got.shape == true.shape, name
    np.testing.assert_allclose(np.asarray(got, np.float64), true, 2e-5, 1e-13, err_msg=name)


def check(switch: Switch, functions) -> None:
    """Every derivative of every function, in one program."""
    derivatives = switch.derivatives or DERIVATIVES
    g = {f: cotangent(truths(f)["moderate"][0].shape) for f in functions}

    def program(x):
        return {
            f.name: {
                d: of(switch.of_function(f.own), g[f])(x) for d, (of, _) in derivatives.items()
            }
            for f in functions
        }

    with switch.setting():
        applied = switch.of_program(program)
        results = {place: applied(jnp.asarray(x, switch.dtype)) for place, x in PLACES.items()}
    for place, f, d in itertools.product(PLACES, functions, derivatives):
        got, true = results[place][f.name][d], derivatives[d][1](truths(f)[place], g[f])
        assert got.dtype == switch.dtype
        narrow = jnp.finfo(switch.dtype).bits == 16
        coarse = place == "moderate" or is_fast(f) or d == "value" or narrow
        close = (
            partial(assert_close, units=2 if narrow else 64) if coarse else assert_keeps_its_digits
        )
        close(got, true, name=f"{f}: {d}, {place}")


EVERY = [*SWITCHES, *PAIRS, *UNCOMPILED]
USUAL = [*SWITCHES, *PAIRS[:6], *UNCOMPILED]


def has(switch, function):
    return switch.name != "debug_infs" or function.name not in WITH_AN_INFINITY


@pytest.mark.parametrize("switch", USUAL, ids=str)
def test_some_functions_under_every_switch(switch):
    functions = dealt(USUAL.index(switch))
    check(switch, [f for f in functions if has(switch, f)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switch", "function"), [p for p in itertools.product(EVERY, SWITCHED) if has(*p)], ids=str
)
def test_every_function_under_every_switch(switch, function):
    check(switch, [function])


def test_every_function_has_its_turn():
    turns = {f for i in range(len(USUAL)) for f in dealt(i)}
    assert turns >= set(CORE)
    assert len(turns) >= min(len(SWITCHED), len(USUAL) + len(CORE))


def customised(program):
    """The programs inside a `custom_jvp`, however deep they lie."""
    for equation in opened(program)[0].eqns:
        for inner in sub_jaxprs(equation):
            if equation.primitive.name == "custom_jvp_call":
                yield opened(inner)[0]
            yield from customised(inner)


@pytest.mark.parametrize("function", SWITCHED, ids=str)
def test_inside_a_custom_rule_is_one_primitive(function):
    """It carries the rule itself, for where JAX drops the custom one."""
    program = jax.make_jaxpr(function.own)(jnp.asarray(PLACES["moderate"], "float32"))
    for inner in customised(program):
        names = [equation.primitive.name for equation in inner.eqns]
        assert len(names) == 1, names
        assert names[0].startswith("jaxcalc_")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_function_is_pickled_by_its_name(name):
    f = getattr(jc, name)
    assert pickle.loads(pickle.dumps(f)) is f


# All of them differentiate all at once, before anything has been traced.
THREADS = """
import json, sys, threading
import jax, jax.numpy as jnp
sys.path[:0] = json.loads(sys.argv[1])
from switches import PLACES, SWITCHED

x = jnp.asarray(PLACES["saturated"], "float32")
barrier, sums = threading.Barrier(16), [None] * 16

def differentiate(i):
    own = SWITCHED[i % 8 :: 8]  # every function in two threads
    barrier.wait()
    sums[i] = {f.name: jax.grad(lambda x: jnp.sum(f.own(x)))(x).tolist() for f in own}

threads = [threading.Thread(target=differentiate, args=(i,)) for i in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(sums))
"""


@pytest.mark.slow
def test_sixteen_threads_of_a_fresh_process():
    paths = json.dumps([p for p in sys.path if p])
    command = [sys.executable, "-c", THREADS, paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    gradients = [pair for each in json.loads(done.stdout) for pair in (each or {}).items()]
    counts = Counter(name for name, _ in gradients)
    assert counts == {f.name: 2 for f in SWITCHED}, done.stderr
    functions = {f.name: f for f in SWITCHED}
    for name, gradient in gradients:
        f, (_, J, _) = functions[name], truths(functions[name])["saturated"]
        if not is_fast(f):
            true = J.sum(tuple(range(J.ndim - 2)))
            np.testing.assert_allclose(gradient, true, 1e-4, 1e-6, err_msg=name)
