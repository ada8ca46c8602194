"""Structured linear maps: what a derivative is before it is written out as a matrix.

An operator maps arrays of shape `domain` to arrays of shape `codomain`; neither is flattened.

>>> import jax.numpy as jnp
>>> from jaxcalc.operators import Dense, Diagonal
>>> J = Diagonal(jnp.array([1.0, 2.0])) @ Dense(jnp.ones((2, 3)), codomain_ndim=1)
>>> J
Chain(chain, 2×3, float32)
>>> print(J @ jnp.ones(3), jnp.ones(2) @ J)
[3. 6.] [3. 3. 3.]

The rooms, from the ground floor up:

    _pickling      what stands beside the arrays, as bytes
    _registry      open tables: what two classes of operators make
    _pytrees       operators as pytrees: which fields are structure
    _vectors       what operators are applied to: dtypes, complex numbers
    _checks        shapes, scalars, singularity
    _cost          bytes and flops
    _splits        contractions, places and choices for arrays split over devices
    _batches       queries that a batch of operators refuses
    _sparse        entries and products as sparse matrices of JAX and SciPy
    _matrices      dense solutions and determinants that say where a matrix is singular
    _capacitance   what solves and determinants of a diagonal plus low rank share
    _base          LinearOperator: products, sums, dense forms, queries
    _functions     linear functions as parts of an operator
    _simple        Zero, Identity, Diagonal, Dense
    _low_rank      LowRank, DiagonalPlusLowRank
    _banded        Banded
    _toeplitz      Toeplitz
    _circulant     Circulant
    _linear        Linear, known by its product alone
    _selection     Selection
    _kronecker     Kronecker
    _block         BlockDiagonal, batch
    _inverse       Transpose, Inverse
    _triangular    Triangular
    _factored      Factored
    _cumulative    CumulativeSum
    _chain_order   the cheapest order to multiply out a chain
    _chain         Sum, Chain
    _facts         symmetry, signs and triangles that the structure shows
    _products      the table of products
    _sums          the table of sums
    _lineax        to and from lineax, an optional extra

Operators are pytrees: their arrays are leaves, so they pass through `jax.jit`, `jax.vmap`,
`jax.grad` and `jax.lax.scan`, and can be differentiated. What leaves a `jax.vmap` carries the batch
in its arrays and refuses to be asked as one operator; `batch` makes it one, block diagonal.

>>> import jax
>>> from jaxcalc.operators import batch
>>> J = jax.vmap(Diagonal)(jnp.ones((2, 3)))
>>> J
batch of 2: Diagonal(diagonal, 3×3, float32)
>>> batch(J).trace()
Array(6., dtype=float32)

An operator is an array to NumPy (`np.asarray(J)`), can be pickled and copied, and passes through
what `jax.export` exports. Both read pickles: read only what you trust. A program that an operator
without a closed form holds equals no other, not even its copy: exported functions return such an
operator, but take none.
"""

from jaxcalc.operators import _products as _products
from jaxcalc.operators import _sums as _sums
from jaxcalc.operators._banded import Banded as Banded
from jaxcalc.operators._base import LinearOperator as LinearOperator
from jaxcalc.operators._base import add as add
from jaxcalc.operators._base import compose as compose
from jaxcalc.operators._block import BlockDiagonal as BlockDiagonal
from jaxcalc.operators._block import batch as batch
from jaxcalc.operators._chain import Chain as Chain
from jaxcalc.operators._chain import Sum as Sum
from jaxcalc.operators._circulant import Circulant as Circulant
from jaxcalc.operators._cost import Cost as Cost
from jaxcalc.operators._cumulative import CumulativeSum as CumulativeSum
from jaxcalc.operators._factored import Factored as Factored
from jaxcalc.operators._inverse import Inverse as Inverse
from jaxcalc.operators._inverse import Transpose as Transpose
from jaxcalc.operators._kronecker import Kronecker as Kronecker
from jaxcalc.operators._linear import Linear as Linear
from jaxcalc.operators._lineax import from_lineax as from_lineax
from jaxcalc.operators._lineax import to_lineax as to_lineax
from jaxcalc.operators._low_rank import DiagonalPlusLowRank as DiagonalPlusLowRank
from jaxcalc.operators._low_rank import LowRank as LowRank
from jaxcalc.operators._pytrees import static as static
from jaxcalc.operators._registry import defadd as defadd
from jaxcalc.operators._registry import defcompose as defcompose
from jaxcalc.operators._selection import Selection as Selection
from jaxcalc.operators._simple import Dense as Dense
from jaxcalc.operators._simple import Diagonal as Diagonal
from jaxcalc.operators._simple import Identity as Identity
from jaxcalc.operators._simple import Zero as Zero
from jaxcalc.operators._toeplitz import Toeplitz as Toeplitz
from jaxcalc.operators._triangular import Triangular as Triangular

__all__ = [
    "Banded",
    "BlockDiagonal",
    "Chain",
    "Circulant",
    "Cost",
    "CumulativeSum",
    "Dense",
    "Diagonal",
    "DiagonalPlusLowRank",
    "Factored",
    "Identity",
    "Inverse",
    "Kronecker",
    "Linear",
    "LinearOperator",
    "LowRank",
    "Selection",
    "Sum",
    "Toeplitz",
    "Transpose",
    "Triangular",
    "Zero",
    "add",
    "batch",
    "compose",
    "defadd",
    "defcompose",
    "from_lineax",
    "static",
    "to_lineax",
]
