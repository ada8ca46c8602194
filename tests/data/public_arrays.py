"""Public functions that arrange arrays, and of linear algebra: the rest of the table.

Beside it stand the public functions that have no derivative, with the reason.
"""

import jax
import jax.numpy as jnp
import numpy as np
from public_functions import (
    ACTIVATIONS,
    COLUMNS,
    ELEMENTWISE,
    MASK,
    NORMALISATIONS,
    PRODUCTS,
    REDUCTIONS,
    ROWS,
    SQUARE,
    TALL,
    Case,
    U,
    V,
    X,
    Y,
    each,
    like,
    named,
)

POSITIVE = np.array([[2.0, 0.5, -0.25], [0.5, 1.5, 0.75], [-0.25, 0.75, 3.0]])
BATCH = np.stack([POSITIVE + np.eye(3), POSITIVE])

ARRANGEMENTS = [
    *each(
        jnp,
        "atleast_1d atleast_2d atleast_3d diag diagflat diagonal diff ediff1d fliplr flipud "
        "matrix_transpose ravel rot90 sort squeeze transpose tril triu column_stack "
        "concatenate concat hstack vstack dstack stack unstack flip block",
    ),
    *named(
        jnp,
        {
            "append": lambda x: jnp.append(x, x[:1] ** 2, axis=0),
            "array_split": lambda x: jnp.array_split(x, 3, axis=1),
            "block, of four": lambda x: jnp.block([[x, x * x], [x[:1], x[1:2]]]),
            "broadcast_arrays": lambda x: jnp.broadcast_arrays(x[:1], x),
            "broadcast_to": lambda x: jnp.broadcast_to(x[0], (2, 3, 4)),
            "choose": lambda x: jnp.choose(
                COLUMNS % 3, [x[0, :3], x[1, :3], x[2, 1:]], mode="wrap"
            ),
            "compress": lambda x: jnp.compress(MASK[0], x, axis=1, size=int(MASK[0].sum())),
            "concatenate, two": lambda x: jnp.concatenate([x, x[:2] * 2.0]),
            "delete": lambda x: jnp.delete(x, 1, axis=0),
            "diag, of a vector": lambda x: jnp.diag(x[0]),
            "diagonal, shifted": lambda x: jnp.diagonal(x, 1),
            "diff, twice": lambda x: jnp.diff(x, 2, axis=0),
            "dsplit": lambda x: jnp.dsplit(x.reshape(3, 2, 2), 2),
            "expand_dims": lambda x: jnp.expand_dims(x, 1),
            "extract": lambda x: jnp.extract(MASK, x, size=8),
            "fill_diagonal": lambda x: jnp.fill_diagonal(x, x[0, :3], inplace=False),
            "full": lambda x: jnp.full((2, 3), x[0, 0]),
            "full_like": lambda x: jnp.full_like(x, x[1, 1]),
            "hsplit": lambda x: jnp.hsplit(x, 2),
            "insert": lambda x: jnp.insert(x, 1, x[2], axis=0),
            "ix_": lambda x: x[jnp.ix_(ROWS, COLUMNS)],
            "meshgrid": lambda x: jnp.meshgrid(x[0], x[1, :3]),
            "moveaxis": lambda x: jnp.moveaxis(x, 0, 1),
            "ones_like": jnp.ones_like,
            "zeros_like": jnp.zeros_like,
            "pad": lambda x: jnp.pad(x, [(1, 2), (0, 1)]),
            "pad, edge": lambda x: jnp.pad(x, 1, mode="edge"),
            "pad, reflect": lambda x: jnp.pad(x, 1, mode="reflect"),
            "pad, wrap": lambda x: jnp.pad(x, 2, mode="wrap"),
            "partition": lambda x: jnp.partition(x, 2, axis=1),
            "permute_dims": lambda x: jnp.permute_dims(x, (1, 0)),
            "place": lambda x: jnp.place(x, MASK, x[0], inplace=False),
            "put": lambda x: jnp.put(x, ROWS[:3:2], x[0, :2], inplace=False),
            "put_along_axis": lambda x: jnp.put_along_axis(
                x, COLUMNS[:, None], x[:, :1] ** 2, axis=1, inplace=False
            ),
            "repeat": lambda x: jnp.repeat(x, 2, axis=1),
            "reshape": lambda x: jnp.reshape(x, (2, 6)),
            "resize": lambda x: jnp.resize(x, (3, 5)),
            "roll": lambda x: jnp.roll(x, 1, axis=1),
            "roll, both": lambda x: jnp.roll(x, (1, 2), axis=(0, 1)),
            "rollaxis": lambda x: jnp.rollaxis(x, 1),
            "sort, first axis": lambda x: jnp.sort(x, axis=0, descending=True),
            "split": lambda x: jnp.split(x, 2, axis=1),
            "swapaxes": lambda x: jnp.swapaxes(x, 0, 1),
            "take": lambda x: jnp.take(x, ROWS, axis=0),
            "take, flat": lambda x: jnp.take(x, ROWS),
            "take_along_axis": lambda x: jnp.take_along_axis(x, COLUMNS[:, None], axis=1),
            "tile": lambda x: jnp.tile(x, (2, 1)),
            "top_k": lambda x: jnp.top_k(x, 2)[0],
            "vsplit": lambda x: jnp.vsplit(x, 3),
        },
    ),
]
INDEXING = [
    Case(name, f, X)
    for name, f in {
        "x[1]": lambda x: x[1],
        "x[-1, 2]": lambda x: x[-1, 2],
        "x[:, 1:3]": lambda x: x[:, 1:3],
        "x[::-1, ::2]": lambda x: x[::-1, ::2],
        "x[..., None, 0]": lambda x: x[..., None, 0],
        "x[rows]": lambda x: x[ROWS],
        "x[:, columns]": lambda x: x[:, COLUMNS],
        "x[rows, columns]": lambda x: x[ROWS[:3], COLUMNS],
        "x[rows[:, None], columns]": lambda x: x[ROWS[:, None], COLUMNS[None]],
        "x[rows, 1:]": lambda x: x[ROWS, 1:],
        "x[mask]": lambda x: x[MASK],
        "x[mask of rows]": lambda x: x[MASK[:, 1]],
        "x[index that depends on x]": lambda x: x[jnp.argmax(x[:, 0])],
        "x[-1]": lambda x: x[np.array([-1, -3], np.int32)],
        "x.at[].get": lambda x: x.at[1, ::2].get(),
        "x.at[].get, filled": lambda x: x.at[ROWS + 1].get(mode="fill", fill_value=7.0),
        "x.at[].set": lambda x: x.at[1].set(2.0),
        "x.at[].set, of x": lambda x: x.at[1, :2].set(x[0, 2:] ** 2),
        "x.at[].set, rows": lambda x: x.at[ROWS[:2]].set(x[1:] * 2.0),
        "x.at[].add": lambda x: x.at[ROWS].add(x[ROWS[::-1]]),
        "x.at[].subtract": lambda x: x.at[:, 1].subtract(x[:, 0]),
        "x.at[].multiply": lambda x: x.at[1].multiply(x[2]),
        "x.at[].multiply, rows": lambda x: x.at[ROWS[:2]].multiply(3.0),
        "x.at[].divide": lambda x: x.at[0].divide(2.0 + x[1]),
        "x.at[].power": lambda x: x.at[0].power(2.0),
        "x.at[].min": lambda x: x.at[1].min(x[0]),
        "x.at[].max": lambda x: x.at[1].max(0.1),
        "x.at[mask].set": lambda x: x.at[MASK].set(0.0),
        "zeros.at[].set": lambda x: jnp.zeros((5, 4), x.dtype).at[1:4].set(x),
        "zeros.at[].add": lambda x: jnp.zeros((5, 4), x.dtype).at[COLUMNS].add(x),
        "dynamic_slice": lambda x: jax.lax.dynamic_slice(x, (1, 2), (2, 2)),
        "dynamic_slice_in_dim": lambda x: jax.lax.dynamic_slice_in_dim(x, 2, 2, 1),
        "dynamic_update_slice": lambda x: jax.lax.dynamic_update_slice(x, x[:1, :2] ** 2, (1, 2)),
        "dynamic_index_in_dim": lambda x: jax.lax.dynamic_index_in_dim(x, 1, 0),
    }.items()
]
LINALG = [
    *each(
        jnp.linalg,
        "cholesky cond det diagonal eigh eigvalsh inv norm matrix_norm vector_norm "
        "matrix_transpose pinv qr slogdet svdvals trace",
        POSITIVE,
    ),
    *each(jnp.linalg, "det inv slogdet cholesky eigvalsh trace", BATCH, variant="batch"),
    *named(
        jnp.linalg,
        {
            "cross": lambda x: jnp.linalg.cross(x, like(x, TALL[:3])),
            "matmul": lambda x: jnp.linalg.matmul(x, x),
            "matrix_power": lambda x: jnp.linalg.matrix_power(x, 3),
            "matrix_norm, nuclear": lambda x: jnp.linalg.matrix_norm(x, ord="nuc"),
            "multi_dot": lambda x: jnp.linalg.multi_dot([x, like(x, X), like(x, TALL), x]),
            "norm, of rows": lambda x: jnp.linalg.norm(x, axis=1),
            "norm, 1": lambda x: jnp.linalg.norm(x, 1),
            "norm, infinity": lambda x: jnp.linalg.norm(x, jnp.inf),
            "norm, spectral": lambda x: jnp.linalg.norm(x, 2),
            "vector_norm, 3": lambda x: jnp.linalg.vector_norm(x, ord=3),
            "outer": lambda x: jnp.linalg.outer(x[0], x[1]),
            "solve": lambda x: jnp.linalg.solve(x, like(x, X)),
            "solve, right-hand side": lambda x: jnp.linalg.solve(like(x, POSITIVE), x),
            "svd": lambda x: jnp.linalg.svd(x, full_matrices=False),
            "tensordot": lambda x: jnp.linalg.tensordot(x, like(x, X), axes=1),
            "tensorinv": lambda x: jnp.linalg.tensorinv(x, ind=1),
            "tensorsolve": lambda x: jnp.linalg.tensorsolve(x, like(x, U)),
            "vecdot": lambda x: jnp.linalg.vecdot(x, like(x, POSITIVE)),
        },
        SQUARE,
    ),
    *named(
        jnp.linalg,
        {
            "lstsq": lambda x: jnp.linalg.lstsq(x, like(x, V))[0],
            "lstsq, right-hand side": lambda x: jnp.linalg.lstsq(like(x, Y.T), x[:, 0])[0],
            "pinv, tall": jnp.linalg.pinv,
            "qr, tall": jnp.linalg.qr,
        },
        TALL,
    ),
]
CASES = [
    *ACTIVATIONS,
    *NORMALISATIONS,
    *ELEMENTWISE,
    *REDUCTIONS,
    *PRODUCTS,
    *ARRANGEMENTS,
    *INDEXING,
    *LINALG,
]

WITHOUT_DERIVATIVE = {
    "of low precision, on hardware of its own": {
        "nn": "get_scaled_dot_general_config scaled_dot_general scaled_matmul",
    },
    "of integers or booleans, or with such results": {
        "nn": "one_hot",
        "jnp.linalg": "matrix_rank",
        "jnp": "all allclose any argmax argmin argpartition argsort argwhere array_equal "
        "array_equiv bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not "
        "bitwise_or bitwise_right_shift bitwise_xor count_nonzero digitize equal flatnonzero gcd "
        "greater greater_equal invert isclose iscomplex iscomplexobj isfinite isin isinf isnan "
        "isneginf isposinf isreal isrealobj isscalar iterable lcm left_shift less less_equal "
        "lexsort logical_and logical_not logical_or logical_xor nanargmax nanargmin ndim nonzero "
        "not_equal packbits ravel_multi_index right_shift searchsorted shape signbit size "
        "unpackbits unravel_index",
    },
    "of complex numbers": {"jnp.linalg": "eig eigvals", "jnp": "roots sort_complex"},
    "without a rule in JAX": {"jnp": "nextafter spacing"},
    "with a shape that depends on the numbers": {
        "jnp": "intersect1d setdiff1d setxor1d trim_zeros union1d unique unique_all unique_counts "
        "unique_inverse unique_values"
    },
    "that make arrays from none, or no arrays": {
        "jnp": "arange array_repr array_str bartlett blackman broadcast_shapes can_cast "
        "diag_indices diag_indices_from einsum_path empty empty_like eye from_dlpack frombuffer "
        "fromfile fromfunction fromiter frompyfunc fromstring get_printoptions hamming hanning "
        "identity indices isdtype issubdtype kaiser load mask_indices ones printoptions "
        "promote_types result_type save savez set_printoptions tri tril_indices tril_indices_from "
        "triu_indices triu_indices_from zeros",
    },
}
