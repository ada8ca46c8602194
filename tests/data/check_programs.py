"""What `check` says of the derivatives of random programs: right of right ones, wrong of others.

As a script, `python tests/data/check_programs.py 0 1000` looks at the programs 0 to 999.
"""

import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from programs import Program, program

import jaxcalc as jc


def faults(number: int) -> Iterator[str]:
    """What `check` gets wrong of a program of one array; nothing where the point is at a kink."""
    one = program(number)
    if isinstance(one.argument, dict) or not bool(one.is_tame(one.argument)):
        return
    for name, report in _reports(one):
        if bool(report) != (name == "right"):
            yield f"# {name}\n{one}\n{report}"


def _reports(one: Program) -> Iterator[tuple[str, jc.Report]]:
    x, truth = one.argument, jc.jacobian(one.f)
    J = np.asarray(jax.jit(truth)(x))
    yield "right", jc.check(one.f, truth, x)
    if J.any() and np.max(np.abs(J)) < 1e-12:  # rounding alone
        return
    claims = {"one entry": _one_entry_off(J, number=J.size)}
    if J.any():
        claims |= {"doubled": 2 * J, "negative": -J}
    for name, claim in claims.items():
        yield name, jc.check(one.f, jnp.asarray(claim), x)


def _one_entry_off(J: np.ndarray, number: int) -> np.ndarray:
    """By a thousandth of the largest."""
    claim = J.copy()
    where = np.random.default_rng(number).integers(J.size)
    claim.flat[where] += 1e-3 * (np.max(np.abs(J), initial=0) or 1)
    return claim


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    found = [text for number in range(*map(int, sys.argv[1:3])) for text in faults(number)]
    print("\n\n".join(found))
    print(f"{len(found)} faults")
