"""A linear layer joined with the softmax cross-entropy: the logits of all rows never exist.

The rows go in chunks through a scan. Of a chunk the logits are formed, the loss taken and the
logits let go; the backward pass forms them once more. The kernel is widened once, outside the scan,
so that its gradient is added up in float32; every derivative is the one JAX makes of this program
from the closed forms of the product and of the loss.

Chunk i has the rows i, i + n, i + 2n, …, of n chunks: each device then has its share of every chunk
of a batch that is split over devices, and nothing is gathered.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcalc._arrays import (
    Accuracy,
    AxisName,
    array,
    float_dtype,
    floating,
    jit_checked,
    mask,
    mesh_names,
    static_index,
    wide,
)
from jaxcalc._compat import cpu_multiplies_16_bits, with_axes
from jaxcalc._functions.labels import counted_rows
from jaxcalc._functions.masks import fill
from jaxcalc._functions.primitives import ValuePrimitive, add, changing
from jaxcalc._functions.softmax_cross_entropy import softmax_cross_entropy, static_options

ENTRIES = 2**24  # of the logits of a chunk, 64 MiB of float32
FEWEST = 512  # rows of a chunk: for each the kernel is read, and its gradient read and written


def linear_softmax_cross_entropy(
    x: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    chunk_size: int | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    class_weights: ArrayLike | None = None,
    z_loss: float = 0.0,
    soft_cap: float | None = None,
    dtype: Any = None,
    accuracy: Accuracy = "high",
    axis_name: AxisName = None,
) -> Array:
    """`softmax_cross_entropy(x @ kernel + bias, labels)` of each row, a chunk of rows at a time.

    The logits are float32 at least, whatever the dtype of `x` and `kernel`. In memory are, beside
    arguments and gradients, some three arrays of a chunk's logits and, for a kernel of 16 bits, a
    float32 copy of it and of its gradient; the plain formula keeps the logits of all rows. Value
    and gradient take four matrix products of the size of `x @ kernel` instead of three.

    Args:
        x: real array of shape (…, D), the rows.
        kernel: real array of shape (D, V).
        labels: class indices of shape (…), or distributions or one-hot rows of shape (…, V).
        where: boolean mask of shape (V,): classes where it is False are left out.
        bias: real array of shape (V,), added to the logits.
        chunk_size: rows of a chunk, from 1 on; it need not divide the rows. By default as many as
            have 2²⁴ logits, but at least 512 rows.
        label_smoothing: as for `softmax_cross_entropy`, like the next four.
        ignore_index: the class index of rows that do not count.
        class_weights: V numbers.
        z_loss: the weight of lse².
        soft_cap: the bound c of the logits.
        dtype: of the result; by default that of `x`, but float32 for 16 bits.
        accuracy: "high" or "fast", as for `softmax`.
        axis_name: the mesh axes over which V is split inside `jax.shard_map`: `kernel`, `bias`,
            `where`, `class_weights` and distributions, while `x` and class indices are the same on
            each of the devices. Under `jax.jit` arrays may be split as they are, rows or V.

    Returns:
        An array of the shape (…), as of `softmax_cross_entropy`; each gradient has the dtype of its
        argument and is rounded to it once.

    Raises:
        TypeError: for complex or non-array input, a `chunk_size` that is no integer, and as for
            `softmax_cross_entropy`.
        ValueError: for shapes that do not fit, a `chunk_size` below 1, and as for
            `softmax_cross_entropy`.

    >>> import jax, jax.numpy as jnp, jaxcalc as jc
    >>> x, kernel = jnp.ones((6, 2), jnp.bfloat16), jnp.zeros((2, 1000), jnp.bfloat16)
    >>> loss = jc.linear_softmax_cross_entropy(x, kernel, jnp.arange(6), chunk_size=4)
    >>> print(loss.dtype, loss[:3])
    float32 [6.9077554 6.9077554 6.9077554]
    """
    return _loss_of(
        x,
        kernel,
        labels,
        where,
        bias,
        class_weights,
        chunk_size=_checked(chunk_size),
        **static_options(label_smoothing, ignore_index, z_loss, soft_cap),
        dtype=float_dtype(dtype),
        accuracy=accuracy,
        axis_name=mesh_names(axis_name),
    )


@jit_checked
def _loss_of(
    x: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    where: ArrayLike | None,
    bias: ArrayLike | None,
    class_weights: ArrayLike | None,
    *,
    chunk_size: int | None,
    ignore_index: int | None,
    dtype: Any,
    axis_name: tuple[str, ...],
    **options: Any,
) -> Array:
    rows, W = floating("x", x), floating("kernel", kernel)
    y, chosen = array("labels", labels), mask(where)
    b = None if bias is None else floating("bias", bias)
    _check_shapes(rows, W, y, b, chosen)
    batch, (D, V) = rows.shape[:-1], W.shape
    of_chunk = partial(
        softmax_cross_entropy,
        where=None if chosen is None else lax.expand_dims(chosen, [0]),
        ignore_index=ignore_index,
        class_weights=class_weights,
        dtype=wide(rows).dtype if dtype is None else dtype,
        axis_name=axis_name or None,
        **options,
    )
    N = math.prod(batch)
    rows = rows.reshape(N, D)
    if y.shape == batch:
        y = y.reshape(N)
        counted = counted_rows(y, ignore_index)  # of the others 0 · NaN would reach the kernel
        rows = rows if counted is None else fill(rows, lax.expand_dims(counted, [1]), 0)
    else:
        y = y.reshape(N, V)
    size = max(ENTRIES // max(V, 1), FEWEST) if chunk_size is None else chunk_size
    return _in_chunks(rows, W, b, y, size, of_chunk).reshape(batch)


def _check_shapes(x: Array, W: Array, y: Array, b: Array | None, where: Array | None) -> None:
    if x.ndim < 1 or W.ndim != 2 or x.shape[-1] != W.shape[0]:
        raise ValueError(
            "`x` must have shape (…, D) and `kernel` shape (D, V), but got shapes "
            f"{x.shape} and {W.shape}."
        )
    batch, V = x.shape[:-1], W.shape[1]
    if y.shape not in (batch, (*batch, V)):
        raise ValueError(
            f"`labels` must have shape {batch} (class indices) or {(*batch, V)} (distributions), "
            f"but got shape {y.shape}."
        )
    for name, values in (("bias", b), ("where", where)):
        if values is not None and values.shape != (V,):
            raise ValueError(f"`{name}` must have shape {(V,)}, but got shape {values.shape}.")


def _checked(chunk_size: int | None) -> int | None:
    size = static_index("chunk_size", chunk_size)
    if size is not None and size < 1:
        raise ValueError(f"`chunk_size` must be at least 1, but got {size}.")
    return size


def _form(W: Array, x: Array, *, given: Any) -> Array:
    """x W, added up in the dtype of both, which is a wider one if they were `given` in 16 bits.

    Products of 16 bits are exact, and XLA:CPU multiplies by them 2 times as fast as by float32; the
    products of the derivatives have factors of float32, which are not rounded.
    """
    return jnp.matmul(x.astype(given), W.astype(given), preferred_element_type=x.dtype)


_product = ValuePrimitive("linear_product", _form, lambda W, x, *, given: with_axes(x, (-1,), W))
if not cpu_multiplies_16_bits():
    _product.defform("cpu", lambda apply, lowered: lambda W, x, *, given: jnp.matmul(x, W))


@_product.defjvp  # x dW + dx W
def _(given: Any, primals: Any, tangents: Any) -> tuple[Array, Array]:
    (W, x), (dW, dx) = primals, tangents
    changes = []
    if changing(dW):
        # the gradient of W is columns · g: by a copy, since XLA:CPU takes 1.4 to 2.4 times as long
        # for a product over the first axes of both
        columns = lax.optimization_barrier(x.mT)
        changes.append(jnp.matmul(columns.mT, dW))
    if changing(dx):
        changes.append(jnp.matmul(dx, W))
    return _product(W, x, given=given), add(changes)


def _in_chunks(x: Array, W: Array, b: Array | None, y: Array, size: int, of_chunk: Any) -> Array:
    """The loss of each of N rows."""
    N = len(x)
    dtype = jnp.promote_types(wide(x).dtype, wide(W).dtype)
    given = W.dtype if W.dtype == x.dtype else dtype
    W = W.astype(dtype)
    b = None if b is None else b.astype(dtype)

    @partial(jax.checkpoint, prevent_cse=False)  # a scan keeps its passes apart by itself
    def losses(x: Array, y: Array, W: Array, b: Array | None) -> Array:
        logits = _product(W, x.astype(dtype), given=given)
        return of_chunk(logits if b is None else logits + jnp.expand_dims(b, 0), y)

    chunks = -(-N // size)
    if chunks <= 1:
        return losses(x, y, W, b)
    size = -(-N // chunks)

    def chunked(a: Array) -> Array:
        missing = [(0, size * chunks - N)] + [(0, 0)] * (a.ndim - 1)
        return jnp.moveaxis(jnp.pad(a, missing).reshape(size, chunks, *a.shape[1:]), 1, 0)

    _, out = lax.scan(lambda _, xy: (None, losses(*xy, W, b)), None, (chunked(x), chunked(y)))
    return jnp.moveaxis(out, 0, 1).reshape(-1)[:N]
