"""The shape table, the move from one layout to the other, and the one-matrix forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcalc._layout.layout import Layout, arrange, stack_groups, to_layout

# (y.shape, x.shape, shape in numerator layout, shape in denominator layout), as in the notes.
TABLE = [
    ((), (), (1, 1), (1, 1)),
    ((), (3,), (1, 3), (3, 1)),
    ((2,), (), (2, 1), (1, 2)),
    ((2,), (3,), (2, 3), (3, 2)),
    ((), (3, 4), (4, 3), (3, 4)),
    ((2, 5), (), (2, 5), (5, 2)),
    ((2, 5), (3,), (2, 5, 3), (3, 2, 5)),
    ((2,), (3, 4), (2, 3, 4), (3, 4, 2)),
    ((2, 5), (3, 4), (2, 5, 3, 4), (3, 4, 2, 5)),
    ((), (2, 3, 4), (2, 3, 4), (2, 3, 4)),
    ((2, 3, 4), (), (2, 3, 4), (2, 3, 4)),
    ((0,), (3,), (0, 3), (3, 0)),
]
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def tensor(y_shape, x_shape):
    shape = y_shape + x_shape
    return jnp.arange(float(np.prod(shape, dtype=int))).reshape(shape)


@pytest.mark.parametrize(("y_shape", "x_shape", "numerator", "denominator"), TABLE)
def test_shapes_follow_the_table(y_shape, x_shape, numerator, denominator):
    J = tensor(y_shape, x_shape)
    assert arrange(J, len(y_shape), Layout.NUMERATOR).shape == numerator
    assert arrange(J, len(y_shape), Layout.DENOMINATOR).shape == denominator


def test_entries_of_scalar_by_matrix_and_matrix_by_scalar():
    J = tensor((), (3, 4))
    np.testing.assert_array_equal(arrange(J, 0, Layout.DENOMINATOR), J)
    np.testing.assert_array_equal(arrange(J, 0, Layout.NUMERATOR), J.T)
    np.testing.assert_array_equal(arrange(J, 2, Layout.NUMERATOR), J)
    np.testing.assert_array_equal(arrange(J, 2, Layout.DENOMINATOR), J.T)


@settings(max_examples=15, deadline=None)
@given(SHAPES, SHAPES)
def test_round_trip(y_shape, x_shape):
    numerator = arrange(tensor(y_shape, x_shape), len(y_shape), Layout.NUMERATOR)
    denominator = to_layout(numerator, "numerator", "denominator", y_ndim=len(y_shape))
    np.testing.assert_array_equal(
        denominator, arrange(tensor(y_shape, x_shape), len(y_shape), Layout.DENOMINATOR)
    )
    back = to_layout(denominator, "denominator", "numerator", y_ndim=len(y_shape))
    np.testing.assert_array_equal(back, numerator)


@settings(max_examples=15, deadline=None)
@given(SHAPES, SHAPES, st.sampled_from("CF"))
def test_vec_stacks_as_numpy_does(y_shape, x_shape, vec):
    J = tensor(y_shape, x_shape)
    rows = [
        np.asarray(J[index]).reshape(-1, order=vec)
        for index in sorted(np.ndindex(*y_shape), key=lambda i: i if vec == "C" else i[::-1])
    ]
    expected = np.array(rows).reshape(int(np.prod(y_shape)), int(np.prod(x_shape)))
    np.testing.assert_array_equal(arrange(J, len(y_shape), Layout.NUMERATOR, vec), expected)
    np.testing.assert_array_equal(arrange(J, len(y_shape), Layout.DENOMINATOR, vec), expected.T)


def test_three_groups_are_stacked_each_on_its_own():
    J = tensor((2, 3), (4, 5))
    assert stack_groups(J, (1, 1, 2), "C").shape == (2, 3, 20)
    np.testing.assert_array_equal(stack_groups(J, (2, 2), "C"), J.reshape(6, 20))


def test_two_axes_need_no_rank_and_one_layout_changes_nothing():
    J = tensor((2,), (3,))
    np.testing.assert_array_equal(to_layout(J, "numerator", Layout.DENOMINATOR), J.T)
    np.testing.assert_array_equal(to_layout(J, "denominator", "denominator"), J)
    np.testing.assert_array_equal(to_layout([[1.0, 2.0]], "numerator", "denominator"), [[1], [2]])
    np.testing.assert_array_equal(
        to_layout(np.ones((1, 2)), "denominator", "numerator"), [[1], [1]]
    )


def test_inside_transformations():
    J = jnp.stack([tensor((2,), (3, 4))] * 5)
    move = jax.jit(jax.vmap(lambda J: to_layout(J, "numerator", "denominator", y_ndim=1)))
    assert move(J).shape == (5, 3, 4, 2)


def test_layouts_are_known_by_their_words():
    assert Layout("numerator") is Layout(Layout.NUMERATOR) is Layout.NUMERATOR
    assert Layout("denominator").other is Layout.NUMERATOR
    assert Layout.NUMERATOR.other is Layout.DENOMINATOR


@pytest.mark.parametrize("wrong", ["bogus", "Numerator", None, ["numerator"], 1])
def test_unknown_layout(wrong):
    with pytest.raises(ValueError, match="`layout` must be 'numerator' or 'denominator', but got"):
        Layout(wrong)
    with pytest.raises(ValueError, match="`target` must be 'numerator' or 'denominator', but got"):
        to_layout(jnp.ones((2, 3)), "numerator", wrong)
    with pytest.raises(ValueError, match="`source` must be 'numerator' or 'denominator', but got"):
        to_layout(jnp.ones((2, 3)), wrong, "numerator")


@pytest.mark.parametrize(
    ("shape", "y_ndim", "words"),
    [
        ((2, 3, 4), None, r"`y_ndim` is required .* shape \(2, 3, 4\).*pass the rank of y"),
        ((2, 3, 4), 4, "`y_ndim` must lie between 0 and the 3 axes of `J`, but got 4"),
        ((2, 3), -1, "`y_ndim` must lie between 0 and the 2 axes of `J`, but got -1"),
        ((3,), None, r"`J` must have at least two axes, but got shape \(3,\)"),
        ((), 0, r"`J` must have at least two axes, but got shape \(\)"),
    ],
)
def test_wrong_ranks(shape, y_ndim, words):
    for target in ("numerator", "denominator"):
        with pytest.raises(ValueError, match=words):
            to_layout(jnp.ones(shape), "numerator", target, y_ndim=y_ndim)


def test_a_rank_is_an_integer():
    for wrong in ("1", 1.0, jnp.ones(2)):
        with pytest.raises(TypeError, match=r"^`y_ndim` must be an integer or None"):
            to_layout(jnp.ones((2, 3, 4)), "numerator", "denominator", y_ndim=wrong)
