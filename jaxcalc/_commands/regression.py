"""Multinomial logistic regression: its loss, gradient and Hessian, from the notes' closed forms.

Sizes: n images, d features, K classes; the weights W are a d×K matrix and the logits are Φ W.
The penalty covers the bias too: adding one number to the biases of all classes changes no
probability, so without it the Hessian would be singular.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

import jaxcalc as jc
from jaxcalc._commands.digits import BRIGHTEST, CLASSES, Digits


class RegressionProblem(NamedTuple):
    """What the weights are fitted to."""

    features: Array  # Φ: [n, d], the last column 1 for the bias
    labels: Array  # [n], integers
    penalty: float  # λ
    smoothness: Array  # L, a Lipschitz constant of the gradient


def problem(digits: Digits, penalty: float, dtype: DTypeLike) -> RegressionProblem:
    """The digits as a regression problem."""
    pixels = digits.images.reshape(len(digits.images), -1) / BRIGHTEST
    features = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
    # diag(s) − s sᵀ never exceeds ½, so the Hessian never exceeds ½ ΦᵀΦ/n + λ
    smoothness = np.linalg.norm(features, ord=2) ** 2 / (2 * len(pixels)) + penalty
    return RegressionProblem(
        jnp.asarray(features, dtype),
        jnp.asarray(digits.labels, int),
        penalty,
        jnp.asarray(smoothness, dtype),
    )


def no_weights(p: RegressionProblem) -> Array:
    """W = 0: every class is as likely as the others."""
    return jnp.zeros((p.features.shape[1], CLASSES), p.features.dtype)


def random_weights(p: RegressionProblem, seed: int) -> Array:
    """Weights drawn from the normal distribution: a point where no gradient vanishes."""
    drawn = np.random.default_rng(seed).standard_normal((p.features.shape[1], CLASSES))
    return jnp.asarray(drawn, p.features.dtype)


def loss(W: Array, p: RegressionProblem) -> Array:
    """Mean cross-entropy + λ/2 ‖W‖²."""
    entropies = jc.softmax_cross_entropy(p.features @ W, p.labels)
    return jnp.mean(entropies) + p.penalty / 2 * jnp.sum(W * W)


def gradient(W: Array, p: RegressionProblem) -> Array:
    """Φᵀ (s − y)/n + λ W, with s = softmax(Φ W) and y the one-hot labels."""
    s = jc.softmax(p.features @ W)
    y = jax.nn.one_hot(p.labels, W.shape[1], dtype=W.dtype)
    return p.features.T @ (s - y) / len(p.labels) + p.penalty * W


def hessian(W: Array, p: RegressionProblem) -> Array:
    """Σ φφᵀ ⊗ (diag(s) − s sᵀ)/n + λ I over the images, [dK, dK], W stacked by rows."""
    blocks = jax.vmap(lambda logits: jc.softmax_jacobian(logits).todense())(p.features @ W)
    H = jnp.einsum("ni,nkl,nj->ikjl", p.features, blocks, p.features) / len(p.labels)
    return H.reshape(W.size, W.size) + p.penalty * jnp.eye(W.size, dtype=W.dtype)


def gap_bound(g: Array, p: RegressionProblem) -> Array:
    """‖∇‖²/(2λ): a λ-strongly convex loss is at most this far above its minimum."""
    return jnp.sum(g * g) / (2 * p.penalty)


def accuracy(W: Array, p: RegressionProblem) -> Array:
    """The share of the images whose largest logit is the right class."""
    return jnp.mean(jnp.argmax(p.features @ W, axis=1) == p.labels)


def plain_loss(W: Array, p: RegressionProblem) -> Array:
    """The same loss in `jax.numpy` alone, for JAX to differentiate as a check."""
    logits = p.features @ W
    own = jnp.take_along_axis(logits, p.labels[:, None], axis=1)[:, 0]
    entropies = jnp.log(jnp.sum(jnp.exp(logits), axis=1)) - own
    return jnp.mean(entropies) + p.penalty / 2 * jnp.sum(W**2)


def gradient_error(W: Array, p: RegressionProblem) -> float:
    """The difference of `gradient` from `jax.grad` of `plain_loss`, over the largest entry."""
    expected = jax.grad(plain_loss)(W, p)
    return float(jnp.max(jnp.abs(gradient(W, p) - expected)) / jnp.max(jnp.abs(expected)))
