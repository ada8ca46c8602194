"""Block diagonal operators: one operator for each index of an axis, all of one structure."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcalc._compat import is_mapped_with
from jaxcalc.operators._base import LinearOperator
from jaxcalc.operators._checks import Shape, checked_operator, integer
from jaxcalc.operators._pytrees import example, stacked, static
from jaxcalc.operators._simple import Diagonal
from jaxcalc.operators._sparse import Coordinates, counted
from jaxcalc.operators._splits import aligned, norm

PREFIX = "block diagonal: "


class BlockDiagonal(LinearOperator):
    """J applies the i-th of `size` operators to the i-th slice of its argument.

    `block` holds them all: its leaves have a leading axis of length `size` where `batched` is
    True (one bool a leaf, as `jax.tree.leaves` orders them; None for all), and are shared
    elsewhere. Slices are taken at `domain_axis` of the argument, and put at `codomain_axis` of
    the result.

    >>> from jaxcalc.operators import Diagonal
    >>> J = BlockDiagonal(Diagonal(jnp.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])), 2)
    >>> J
    BlockDiagonal(block diagonal: diagonal, (2, 3)×(2, 3), float32)
    >>> print(J @ jnp.ones((2, 3)))
    [[1. 2. 3.]
     [4. 5. 6.]]
    """

    block: LinearOperator
    size: int = static()
    codomain_axis: int = static(default=0)
    domain_axis: int = static(default=0)
    batched: tuple[bool, ...] | None = static(default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        leaves = jax.tree.leaves(self.block)
        if len(self._batched) != len(leaves):
            raise ValueError(
                f"`batched` must have a bool for each of the {len(leaves)} arrays of `block`, but "
                f"got {self.batched}."
            )
        heads = [x.shape[:1] for x, b in zip(leaves, self._batched, strict=True) if b]
        if any(head != (self.size,) for head in heads):
            raise ValueError(
                f"the batched arrays of `block` must have a leading axis of length {self.size}, "
                f"but got the leading axes {heads}; say which are shared in `batched`."
            )
        object.__setattr__(self, "batched", self._batched)
        object.__setattr__(self, "block", stacked(self.block, self._batched))
        if not self.added_axes:
            for name in ("codomain", "domain"):
                space = getattr(self.one_block, name)
                of = f"the axes of the {name} {space} of a block"
                integer(f"{name}_axis", getattr(self, f"{name}_axis"), 0, len(space), of)

    @property
    def _batched(self) -> tuple[bool, ...]:
        return (True,) * len(jax.tree.leaves(self.block)) if self.batched is None else self.batched

    @property
    def one_block(self) -> LinearOperator:
        """One block, with abstract leaves."""
        return example(self.block, self._batched)

    @property
    def added_axes(self) -> Shape:
        """Those that its blocks have before the one that tells them apart."""
        added: Shape = self.block.added_axes
        return added[:-1] if any(self._batched) else added

    @property
    def codomain(self) -> Shape:
        """That of one block, with `size` at `codomain_axis`."""
        return _inserted(self.one_block.codomain, self.codomain_axis, self.size)

    @property
    def domain(self) -> Shape:
        """That of one block, with `size` at `domain_axis`."""
        return _inserted(self.one_block.domain, self.domain_axis, self.size)

    @property
    def dtype(self) -> np.dtype:
        """That of `block`."""
        return self.one_block.dtype

    def each(
        self, query: Callable[..., Any], *args: Array, in_axis: int = 0, out_axes: Any = 0
    ) -> Any:
        """`query(one block, *slices of args at in_axis)` for every block, stacked at `out_axes`."""
        leaves, structure = jax.tree.flatten(self.block)

        def one(leaves: list[Any], args: tuple[Array, ...]) -> Any:
            return query(jax.tree.unflatten(structure, leaves), *args)

        in_axes = (_axes(self), (in_axis,) * len(args))
        arrays = aligned((leaves, args), in_axes)
        return jax.vmap(one, in_axes, out_axes, axis_size=self.size)(*arrays)

    def mv(self, v: Array) -> Array:
        """Each block applied to its slice."""
        return self.each(
            lambda block, v: block.mv(v), v, in_axis=self.domain_axis, out_axes=self.codomain_axis
        )

    @property
    def T(self) -> LinearOperator:
        """The blocks' transposes."""
        return blockwise(lambda block: block.T, self).between(self.domain_axis, self.codomain_axis)

    def between(self, codomain_axis: int, domain_axis: int) -> "BlockDiagonal":
        """The same blocks, between slices at other axes."""
        return BlockDiagonal(self.block, self.size, codomain_axis, domain_axis, self.batched)

    def blocks(self) -> Array:
        """The dense forms of the blocks, stacked on a leading axis."""
        return self.each(lambda block: block.todense())

    def tensor(self) -> Array:
        """Zeros, and one write of the blocks' arrays."""
        blocks = self.each(lambda block: block.tensor())
        rows, columns = self.codomain_axis, len(self.codomain) + self.domain_axis
        index: list[Any] = [slice(None)] * (len(self.codomain) + len(self.domain))
        index[rows] = index[columns] = jnp.arange(self.size)
        if columns == rows + 1:  # NumPy then leaves the indexed axis in its place
            blocks = jnp.moveaxis(blocks, 0, rows)
        return jnp.zeros(self.codomain + self.domain, self.dtype).at[tuple(index)].set(blocks)

    def _coordinates(self) -> Coordinates:
        entries = self.each(lambda block: block._coordinates())
        rows = _places(self.codomain, self.codomain_axis, entries.rows)
        columns = _places(self.domain, self.domain_axis, entries.columns)
        return Coordinates(*(x.reshape(-1) for x in (entries.values, rows, columns)))

    def pinv(self) -> LinearOperator:
        """The blocks' pseudo-inverses."""
        inverse = blockwise(lambda block: block.pinv(), self)
        return inverse.between(self.domain_axis, self.codomain_axis)

    def frobenius_norm(self) -> Array:
        """The norm of the blocks' norms."""
        return norm(self.each(lambda block: block.frobenius_norm()))

    def __neg__(self) -> LinearOperator:
        return self._mapped(lambda block: -block)

    def _scaled(self, scale: Array) -> LinearOperator:
        return self._mapped(lambda block: block * scale)

    def _mapped(self, make: Callable[[LinearOperator], LinearOperator]) -> "BlockDiagonal":
        return blockwise(make, self).between(self.codomain_axis, self.domain_axis)

    @property
    def _aligned(self) -> bool:
        """Whether the diagonal of J is that of its blocks."""
        return self.codomain_axis == self.domain_axis

    def _diagonal(self) -> Array:
        if not self._aligned:
            return super()._diagonal()
        return self.each(lambda block: block.diagonal(), out_axes=self.domain_axis)

    def _trace(self) -> Array:
        if not self._aligned:
            return super()._trace()
        return jnp.sum(self.each(lambda block: block.trace()))

    def _slogdet(self) -> tuple[Array, Array]:
        if not self._aligned:  # a permutation, too, has a sign
            return super()._slogdet()
        signs, logarithms = self.each(lambda block: block.slogdet())
        return jnp.prod(signs), jnp.sum(logarithms)

    def _solve(self, b: Array, shift: Array | None) -> Array:
        if shift is not None and not self._aligned:
            return super()._solve(b, shift)
        return self.each(
            lambda block, b: block.solve(b, shift),
            b,
            in_axis=self.codomain_axis,
            out_axes=self.domain_axis,
        )

    @property
    def structure(self) -> str:
        """Block diagonal: <the structure of a block>."""
        return PREFIX + self.one_block.structure.removeprefix(PREFIX)

    def _flops(self) -> int:
        return self.size * self.one_block.cost().flops


def batch(op: LinearOperator, size: int | None = None) -> BlockDiagonal:
    """The operators that a `jax.vmap` stacked in `op`, as one block diagonal operator.

    Args:
        op: an operator that left a `jax.vmap`: all its arrays lead with the batch axis; after
            several, the blocks are block diagonal themselves.
        size: the length of that axis, needed only when `op` has no arrays.

    Returns:
        The operator between arrays that lead with the batch axis.

    Raises:
        ValueError: when `op` has no arrays and `size` is not given, or when they disagree.

    >>> from jaxcalc.operators import Diagonal
    >>> batch(jax.vmap(Diagonal)(jnp.ones((2, 3))))
    BlockDiagonal(block diagonal: diagonal, (2, 3)×(2, 3), float32)
    """
    leaves = jax.tree.leaves(checked_operator("op", op))
    if len(op.added_axes) > 1:
        return batch(jax.vmap(batch)(op), size)
    if size is None and not leaves:
        raise ValueError(
            f"`size` is required for {type(op).__name__}, which has no arrays to tell the length "
            "of the batch; pass `batch(op, size=...)`."
        )
    if size is None:
        size = int(leaves[0].shape[0])
    return BlockDiagonal(op, size)


def blockwise(make: Callable[..., LinearOperator], *ops: BlockDiagonal) -> BlockDiagonal:
    """The operator whose blocks are `make` of those of `ops`; what they share stays shared."""
    (treedef, mapped, shared), arrays = _traced(make, ops)
    arrays, shared = iter(arrays), iter(shared)
    leaves = [next(arrays) if m else next(shared) for m in mapped]
    return BlockDiagonal(jax.tree.unflatten(treedef, leaves), ops[0].size, batched=tuple(mapped))


def _traced(make: Callable[..., LinearOperator], ops: tuple[BlockDiagonal, ...]) -> Any:
    """The structure, the shared arrays and the batched arrays of `make` of every block."""
    found: list[Any] = []
    parts = [jax.tree.flatten(op.block) for op in ops]

    def one(index: Array, all_leaves: list[list[Any]]) -> list[Any]:
        pairs = zip(parts, all_leaves, strict=True)
        result = make(*(jax.tree.unflatten(treedef, leaves) for (_, treedef), leaves in pairs))
        leaves, treedef = jax.tree.flatten(result)
        mapped = [is_mapped_with(leaf, index) for leaf in leaves]
        pairs_of_leaves = list(zip(leaves, mapped, strict=True))
        found.append((treedef, mapped, [leaf for leaf, m in pairs_of_leaves if not m]))
        return [leaf for leaf, m in pairs_of_leaves if m]

    in_axes = (0, [_axes(op) for op in ops])
    indices = jnp.arange(ops[0].size)
    mapped = aligned((indices, [leaves for leaves, _ in parts]), in_axes)
    arrays = jax.vmap(one, in_axes)(*mapped)
    return found[-1], arrays


def _axes(op: BlockDiagonal) -> list[int | None]:
    """The axes along which the arrays of the blocks are stacked, None where they are shared."""
    return [0 if mapped else None for mapped in op._batched]


def in_blocks(op: Diagonal, size: int, axis: int) -> BlockDiagonal:
    """The diagonal operator `op` as one block for each index of an axis."""
    return BlockDiagonal(Diagonal(jnp.moveaxis(op.entries, axis, 0)), size, axis, axis)


def _places(space: Shape, axis: int, of_blocks: Array) -> Array:
    """The row-major indices in `space` of those, block by block, in its slices along an axis."""
    size = math.prod(space)
    slices = jnp.moveaxis(counted(size).reshape(space), axis, 0).reshape(space[axis], -1)
    return jax.vmap(lambda s, i: s.at[i].get(mode="fill", fill_value=size))(slices, of_blocks)


def _inserted(shape: Shape, axis: int, size: int) -> Shape:
    return (*shape[:axis], size, *shape[axis:])
