"""How far `derive` reaches: a page of public functions.

    python tests/data/coverage.py > benchmarks/results/coverage.md

For each its structure, its formula, whether its code runs, and how long derivative and formula
took, compilation included; each derivative and each code is compared with `jax.jacfwd` in double
precision.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special, stats
from public_arrays import CASES
from public_functions import Case, Y, each

import jaxcalc as jc

SHOWN = 64  # characters of a formula
SPECIAL = "digamma entr erf erfc expit gammaln i0 i0e i1 i1e log_ndtr logit ndtr xlog1py xlogy"
DISTRIBUTIONS = {  # the parameters before or after the point
    "cauchy": (),
    "expon": (),
    "gennorm": (1.5,),
    "laplace": (),
    "logistic": (),
    "norm": (),
    "t": (3.0,),
    "uniform": (),
    "beta": (2.0, 3.0),
    "chi2": (3.0,),
    "gamma": (2.0,),
    "pareto": (0.1,),
    "truncnorm": (-2.0, 2.0),
    "vonmises": (1.5,),
    "wrapcauchy": (0.5,),
}


class Row(NamedTuple):
    """What came of one function, by each of its outputs."""

    name: str
    structure: str
    formula: str
    code: str
    seconds: float


def cases() -> Iterator[Case]:
    yield from CASES
    for name in SPECIAL.split():
        if name.startswith("xlog"):
            f = getattr(special, name)
            yield Case(f"special.{name}", lambda x, f=f: f(x, jnp.asarray(Y)), Y)
        else:
            yield from each(special, name, Y / 2)
    for name, parameters in DISTRIBUTIONS.items():
        f = getattr(stats, name).logpdf
        yield Case(f"stats.{name}.logpdf", lambda x, f=f, p=parameters: f(x, *p), Y[0] / 2)
    yield from optax_cases()


def optax_cases() -> Iterator[Case]:
    """The calls on the page about optax, by x."""
    from optax import losses

    page = Path(__file__).parent.parent.parent / "docs" / "optax.md"
    calls = re.findall(
        r"^\| `(losses\.(\w+).*?)` \|", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    rng = np.random.default_rng(0)
    kept = {
        "y": rng.dirichlet([1.0] * 3, 4),
        "w": rng.uniform(0.5, 2, (4, 3)),
        "t": rng.random((4, 3)),
        "p": rng.dirichlet([1.0] * 3, 4),
        "log_p": np.log(rng.dirichlet([1.0] * 3, 4)),
        "i": rng.integers(3, size=4),
        "s": rng.choice([-1.0, 1.0], (4, 3)),
        "kept": rng.random((4, 3)) < 0.7,
    }
    arrays = {name: jnp.asarray(a) for name, a in kept.items()} | {"jnp": jnp, "losses": losses}
    for call, name in dict(calls).items():
        if re.search(r"\bx\b", call):
            yield Case(
                f"losses.{name}",
                lambda x, call=call: eval(call, {**arrays, "x": x}),
                rng.normal(size=(4, 3)),
            )


def row(case: Case) -> Row | None:
    """What came of a function; None where it cannot be evaluated here."""
    x = jnp.asarray(case.x)
    try:
        truths = jax.tree.leaves(jax.jacfwd(case.f)(x))
    except (TypeError, ValueError, NameError, KeyError):
        return None
    start = time.perf_counter()
    Js = jax.tree.leaves(jc.derive(case.f)(x), is_leaf=lambda J: isinstance(J, jc.Derivative))
    formulas = [J.formula for J in Js]
    seconds = time.perf_counter() - start
    codes = [_code(J) for J in Js]
    right = all(map(_close, (J.tensor() for J in Js), truths))
    structure = Counter(J.structure for J in Js).most_common(1)[0][0] if right else "WRONG"
    code = next((c for c in ("wrong", "fails", "none") if c in codes), "runs")
    return Row(case.name, structure, formulas[0], code, seconds)


def _code(J: jc.Derivative) -> str:
    scope: dict[str, object] = {}
    try:
        exec(J.code, scope)
    except ValueError:
        return "none"
    try:
        computed = scope["derivative"](**J.arrays)
    except Exception:
        return "fails"
    return "runs" if _close(computed, J.todense()) else "wrong"


def _close(got: object, true: object) -> bool:
    got, true = np.asarray(got, np.float64), np.asarray(true, np.float64)
    scale = max(1.0, float(np.max(np.abs(true), initial=0)))
    return got.shape == true.shape and bool(np.allclose(got, true, 1e-4, 1e-5 * scale, True))


def page() -> str:
    with jax.numpy_dtype_promotion("standard"), jax.enable_x64(True):
        rows = [found for case in cases() if (found := row(case)) is not None]
    codes, wrong = Counter(r.code for r in rows), sum(r.structure == "WRONG" for r in rows)
    free = sum("matrix-free" in r.structure for r in rows)
    long = sum(len(r.formula) > 300 for r in rows)
    lines = [
        "# How far `derive` reaches",
        "",
        f"{len(rows)} functions of jax.nn, jax.numpy, its linalg, jax.scipy.special and stats, and "
        f"optax at a point, jax {jax.__version__}, double precision, made by "
        "`python tests/data/coverage.py`. "
        f"{wrong} derivatives are wrong, {free} are matrix-free altogether; the formula's code "
        f"runs and is right for {codes['runs']}, {codes['none']} have a part without closed form, "
        f"{codes['fails']} fail, {codes['wrong']} are wrong; {long} formulas are longer than 300 "
        f"characters. The slowest took {max(r.seconds for r in rows):.1f} s, compilation included, "
        f"the median {np.median([r.seconds for r in rows]):.2f} s.",
        "",
        "| function | structure | formula | code | s |",
        "|---|---|---|---|---:|",
    ]
    for r in rows:
        text = r.formula if len(r.formula) <= SHOWN else f"{r.formula[: SHOWN - 1]}…"
        shown = text.replace("|", "\\|")
        lines.append(f"| {r.name} | {r.structure} | {shown} | {r.code} | {r.seconds:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(page())
