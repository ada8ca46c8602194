"""Newton's method and accelerated gradient descent, run by one loop to the same proved gap."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.linalg import cho_factor, cho_solve

from jaxcalc._commands.regression import (
    RegressionProblem,
    gap_bound,
    gradient,
    hessian,
    loss,
    no_weights,
)

State = tuple[Array, Array]  # the weights, and an earlier point that the method remembers
Trace = tuple[Array, Array]  # losses and proved gaps, one of each an iteration
Report = Callable[[str, int, float, float], None]  # method, iteration, loss, proved gap
HALVINGS = 10  # of a Newton step, at most


class Method(NamedTuple):
    """An iteration: the next state from this one and the gradient of the loss there."""

    name: str
    update: Callable[[State, Array, RegressionProblem], State]
    block: int  # iterations between two reports
    limit: int  # iterations after which it is given up


@dataclass(frozen=True)
class Fit:
    """How a method went."""

    method: str
    weights: Array
    losses: list[float]  # before the first iteration, and after each
    converged: bool
    seconds: float  # compilation apart

    @property
    def iterations(self) -> int:
        """How often the weights were updated."""
        return len(self.losses) - 1


def newton_update(state: State, g: Array, p: RegressionProblem) -> State:
    """W − t H⁻¹ ∇, with a step length t that lowers the loss enough."""
    W, _ = state
    direction = -cho_solve(cho_factor(hessian(W, p)), g.ravel()).reshape(W.shape)
    return W + step_length(W, direction, g, p) * direction, W


def step_length(W: Array, direction: Array, g: Array, p: RegressionProblem) -> Array:
    """The longest of 1, ½, ¼, … under Armijo's condition, up to the rounding of the loss."""
    lengths = jnp.asarray(0.5 ** np.arange(HALVINGS + 1), W.dtype)
    here = loss(W, p)
    there = jax.vmap(lambda t: loss(W + t * direction, p))(lengths)
    rounding = 4 * jnp.finfo(W.dtype).eps * here
    enough = there <= here + 1e-4 * lengths * jnp.vdot(g, direction) + rounding
    return lengths[jnp.argmax(enough.at[-1].set(True))]


def descent_update(state: State, g: Array, p: RegressionProblem) -> State:
    """Nesterov's step for a λ-strongly convex loss whose gradient is L-Lipschitz."""
    Y, before = state
    X = Y - g / p.smoothness
    ratio = jnp.sqrt(p.penalty / p.smoothness)
    return X + (1 - ratio) / (1 + ratio) * (X - before), X


NEWTON = Method("Newton", newton_update, block=1, limit=50)
DESCENT = Method("accelerated gradient descent", descent_update, block=200, limit=10_000)


def fit(method: Method, p: RegressionProblem, report: Report) -> Fit:
    """Iterate from W = 0 until the loss is proved to be within one `eps` of its minimum."""
    W = no_weights(p)
    state: State = (W, W)
    losses: list[float] = []
    converged = False
    advance = jax.jit(_advance, static_argnums=0).lower(method, state, p).compile()
    start = time.perf_counter()
    while not converged and len(losses) < method.limit:
        state, (block, gaps) = advance(state, p)
        count, converged = _until_converged(gaps)
        losses += np.asarray(block[:count]).tolist()
        report(method.name, len(losses) - 1, losses[-1], float(gaps[count - 1]))
    return Fit(method.name, state[0], losses, converged, time.perf_counter() - start)


def _advance(method: Method, state: State, p: RegressionProblem) -> tuple[State, Trace]:
    def body(state: State, _: None) -> tuple[State, Trace]:
        g = gradient(state[0], p)
        gap = gap_bound(g, p)
        following = lax.cond(_proved(gap), lambda: state, lambda: method.update(state, g, p))
        return following, (loss(state[0], p), gap)

    return lax.scan(body, state, length=method.block)


def _proved(gap: Array) -> Array:
    return gap <= jnp.finfo(gap.dtype).eps


def _until_converged(gaps: Array) -> tuple[int, bool]:
    """The entries up to the first proved gap, and whether there is one: the rest repeats it."""
    proved = np.asarray(_proved(gaps))
    return (int(np.argmax(proved)) + 1, True) if proved.any() else (len(proved), False)
