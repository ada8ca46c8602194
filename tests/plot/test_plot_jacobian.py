"""`plot.jacobian` and `J.show()`: what is drawn, what it says, that it fits, what is refused."""

import subprocess
import sys
from functools import cache

import identities
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import jaxcalc as jc
from jaxcalc.operators import Diagonal
from jaxcalc.plot import _heat_map, _titles
from jaxcalc.plot._seen import Known

A = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)
X = np.random.default_rng(2).standard_normal((2, 3)).astype(np.float32)
x = X[0]


def shown(figure):
    """The axes of the map, the numbers in it, and what the colour bar says."""
    axes, colour_bar = figure.axes
    (image,) = axes.images
    return axes, image.get_array(), colour_bar.get_ylabel()


# The function, the point; in numerator layout the shape of the map, what rows and columns follow.
LABELS = {
    "scalar by scalar": (jnp.sin, jnp.float32(1), (1, 1), "outputs y", "inputs x"),
    "scalar by vector": (lambda x: x @ x, x, (1, 3), "outputs y", "inputs x"),
    "vector by scalar": (lambda t: t * x, jnp.float32(2), (3, 1), "outputs y", "inputs t"),
    "vector by vector": (lambda w: jnp.tanh(A @ w), x, (4, 3), "outputs y", "inputs w"),
    "scalar by matrix": (
        *(lambda X: jnp.sum(X**2), X, (3, 2)),
        *("inputs X, axis 1", "inputs X, axis 0"),
    ),
    "matrix by scalar": (
        *(lambda t: t * X, jnp.float32(2), (2, 3)),
        *("outputs y, axis 0", "outputs y, axis 1"),
    ),
    "vector by matrix": (lambda X: X @ x, X, (2, 6), "outputs y", "inputs X (2×3)"),
    "matrix by matrix": (lambda X: X @ A.T, X, (8, 6), "outputs y (2×4)", "inputs X (2×3)"),
    "scalar by tensor": (
        *(lambda T: jnp.sum(T**2), X[None], (1, 6)),
        *("outputs y", "inputs T (1×2×3)"),
    ),
}


@pytest.mark.parametrize("layout", jc.Layout)
@pytest.mark.parametrize("name", LABELS)
def test_rows_and_columns_are_those_of_the_layout(name, layout):
    f, point, shape, *labels = LABELS[name]
    turn = 1 if layout is jc.Layout.NUMERATOR else -1
    axes, cells, note = shown(jc.derive(f, layout=layout)(point).show())
    assert [axes.get_ylabel(), axes.get_xlabel()] == labels[::turn]
    assert f"{layout.value} layout" in note
    J = jc.jacobian(f, layout=layout)(point).reshape(shape[::turn])
    np.testing.assert_allclose(cells, J, rtol=1e-6)


def test_closed_form_jacobians_know_their_layout():
    J = jc.log_softmax_jacobian(x, layout="denominator")
    axes, cells, note = shown(J.show())
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("inputs x", "outputs y")
    assert note == "∂y/∂x\ndenominator layout"
    np.testing.assert_array_equal(cells, J.todense())


def test_what_was_computed_with_is_a_map_until_its_layout_is_said():
    J = jc.sigmoid_jacobian(x, layout="denominator")
    axes, _, note = shown((J + J).show())
    assert (axes.get_ylabel(), axes.get_xlabel(), note) == ("outputs", "inputs", "entries")
    axes, _, note = shown(jc.plot.jacobian(J + J, layout="denominator"))
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("inputs x", "outputs y")
    assert "denominator" in note


def test_operators_and_arrays_are_drawn_too():
    axes, cells, _ = shown(jc.plot.jacobian(Diagonal(jnp.asarray(x))))
    np.testing.assert_array_equal(cells, np.diag(x))
    assert axes.get_title() == ""
    axes, cells, _ = shown(jc.plot.jacobian(A.tolist(), layout="numerator"))
    np.testing.assert_array_equal(cells, A)
    assert axes.get_ylabel() == "outputs y"
    axes, cells, _ = shown(jc.plot.jacobian(jnp.ones((2, 3, 4), jnp.bfloat16), y_ndim=1))
    assert cells.shape == (2, 12)
    tensor = np.arange(24.0).reshape(2, 3, 4)
    axes, cells, _ = shown(jc.plot.jacobian(tensor, layout="denominator", y_ndim=1))
    np.testing.assert_array_equal(cells, tensor.reshape(6, 4))
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("inputs x (2×3)", "outputs y")


def test_a_long_name_is_cut():
    assert Known(x="parameters_of_the_first_layer").short_x == "parameters_of_t…"
    assert Known(x="parameters").short_x == "parameters"


# --- colours ---


def test_colours_are_symmetric_about_0():
    axes, _, _ = shown(jc.plot.jacobian(np.array([[-1.0, 0.0, 3.0]])))
    (image,) = axes.images
    assert image.get_clim() == (-3, 3)
    red, _, blue, _ = image.to_rgba(np.array([-3.0, 0.0, 3.0])).T
    assert blue[0] > red[0]
    assert red[2] > blue[2]
    assert min(red[1], blue[1]) > 0.95


def test_zeros_have_the_colour_of_0():
    axes, _, _ = shown(jc.plot.jacobian(np.zeros((2, 2))))
    assert axes.images[0].get_clim() == (-1, 1)


def test_what_is_not_finite_is_left_to_the_hatching_and_counted():
    axes, cells, note = shown(jc.plot.jacobian(np.array([[np.nan, 2.0], [-np.inf, -1.0]])))
    np.testing.assert_array_equal(cells.mask, [[True, False], [True, False]])
    assert note == "entries\nhatched: 2 not finite"
    assert axes.images[0].get_clim() == (-2, 2)
    assert axes.patch.get_hatch()


@pytest.mark.parametrize("size", [1e308, 1e-40, 1e-320])
def test_sizes_at_the_ends_of_the_range_are_drawn(size):
    figure = jc.plot.jacobian(np.array([[size, -size]]))
    figure.draw_without_rendering()
    assert figure._repr_png_().startswith(b"\x89PNG")


# --- many entries ---


def test_few_cells_are_the_entries():
    cells, steps = _heat_map.reduced(A)
    np.testing.assert_array_equal(cells, A)
    assert steps == (1, 1)


def test_of_many_each_cell_is_the_entry_of_the_largest_magnitude():
    matrix = np.random.default_rng(0).standard_normal((1030, 600))
    matrix[5, 4] = np.nan
    cells, steps = _heat_map.reduced(matrix)
    assert (steps, cells.shape) == ((3, 2), (344, 300))
    block = matrix[1029:, 598:]
    assert cells[-1, -1] == block.flat[np.argmax(abs(block))]
    block = matrix[9:12, 4:6]
    assert cells[3, 2] == block.flat[np.argmax(abs(block))]
    assert np.isnan(cells[1, 2])
    assert np.isnan(cells).sum() == 1


def test_a_reduced_map_says_so_and_keeps_the_places():
    axes, cells, note = shown(jc.plot.jacobian(np.eye(1500)))
    assert note.splitlines()[-1] == "of each 3×3 the largest"
    assert cells.shape == (500, 500)
    assert axes.get_xlim() == (-0.5, 1499.5)
    assert axes.get_ylim() == (1499.5, -0.5)


# --- blocks ---


def test_lines_stand_between_blocks():
    axes, _, _ = shown(jc.plot.jacobian(Diagonal(jnp.asarray(X))))
    assert [line.get_ydata() for line in axes.lines[:1]] == [[2.5, 2.5]]
    assert [line.get_xdata() for line in axes.lines[1:]] == [[2.5, 2.5]]


def test_ticks_are_at_blocks_and_name_all_indices():
    axes, _, _ = shown(jc.plot.jacobian(Diagonal(jnp.zeros((2, 3, 4)))))
    axes.figure.draw_without_rendering()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["0,0,0", "0,1,0", "0,2,0", "1,0,0", "1,1,0", "1,2,0"]
    assert list(axes.get_xticks()) == [0, 4, 8, 12, 16, 20]
    assert axes.format_coord(-0.5, 23.5) == "(x, y) = (0,0,0, 1,2,3)"


def test_ticks_of_many_blocks_are_thinned():
    axes, _, _ = shown(jc.plot.jacobian(Diagonal(jnp.zeros((40, 3)))))
    assert list(axes.get_xticks()) == list(range(0, 120, 15))


def test_ticks_of_one_entry_are_whole_numbers():
    axes, _, _ = shown(jc.plot.jacobian(np.ones((1, 1))))
    axes.figure.draw_without_rendering()
    assert [t for t in axes.get_xticks() if -0.5 < t < 0.5] == [0]


# --- the formula ---


def closed_form(f):
    return jax.eval_shape(jc.derive(f), x)._closed_form


@cache
def layers(count):
    """The closed form of the derivative of that many layers."""

    def f(x):
        for k in range(count):
            x = jnp.tanh(A[:3] @ x + k) * x
        return x

    return closed_form(f)


def outside(figure):
    """How far the drawing stands out of the figure, in inches."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    width, height = figure.get_size_inches()
    return max(-box.x0, -box.y0, box.x1 - width, box.y1 - height)


@pytest.mark.parametrize("identity", identities.IDENTITIES, ids=lambda i: f"{i.kind} {i.name}")
def test_formulas_fit_and_are_mathematics(x64, identity):
    axes = Figure(figsize=(5.6, 3)).subplots()
    for layout in jc.Layout:
        J = jax.eval_shape(jc.derive(identity.f, layout=layout), *identity.arguments())
        _titles.set_title(axes, J._closed_form)
        assert axes.title.get_window_extent().width <= axes.bbox.width + 1
        assert axes.get_title().startswith("$") or len(J.formula) > 60


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 5), (30, 2), (700, 9)])
def test_every_shape_fits(size):
    assert outside(jc.plot.jacobian(np.full(size, np.nan), layout="denominator")) <= 0.02


@pytest.mark.parametrize(("count", "inches"), [(2, 4.2), (2, 2.5), (8, 5.6)])
def test_a_long_formula_is_text_and_cut_at_last(count, inches):
    formula = layers(count)
    axes = Figure(figsize=(inches, 3)).subplots()
    _titles.set_title(axes, formula)
    lines = axes.get_title().split("\n")
    assert len(lines) <= 3
    assert lines[-1].endswith("…") == (inches != 4.2)
    assert formula.text.startswith(" ".join(lines).removesuffix("…").strip())


def test_a_formula_with_definitions_is_broken_before_them():
    axes = Figure(figsize=(2.9, 3)).subplots()
    _titles.set_title(axes, closed_form(jc.softmax))
    head, where = axes.get_title().split("\n")
    assert where.startswith(r"$\text{where } s = ")
    assert head.endswith("$")


@pytest.mark.parametrize("width", [0.01, 0.1, 0.2])
def test_a_formula_fits_axes_that_are_given(width):
    figure = Figure(figsize=(7, 3))
    narrow = figure.add_axes((0.1, 0.2, width, 0.5))
    _titles.set_title(narrow, layers(2))
    assert (narrow.get_title() == "…") == (width == 0.01)
    assert width == 0.01 or narrow.title.get_window_extent().width <= narrow.bbox.width + 1


class Signs:
    """A closed form with signs that matplotlib calls otherwise."""

    text = "signs"
    latex = (
        r"\left\lVert x \right\rVert \left|x\right| \left[a \le b\right] \ge c \ne d"
        r" \land e \lor \lnot f \frac{\lambda}{\left(\gamma\right)}"
    )


def test_signs_have_matplotlibs_names():
    axes = Figure().subplots()
    _titles.set_title(axes, Signs())
    assert axes.get_title() == (
        r"$\Vert x \Vert |x| \left[a \leq b\right] \geq c \ne d \wedge e \vee \neg f"
        r" \dfrac{\lambda}{\left(\gamma\right)}$"
    )


class Written:
    """A closed form with LaTeX that matplotlib does not know."""

    text, latex = "f(x) where x = $y$", r"\unknowncommand{f}"


def test_what_matplotlib_cannot_set_is_text():
    axes = Figure().subplots()
    _titles.set_title(axes, Written())
    assert axes.get_title() == "f(x)\nwhere x = $y$"
    axes.figure.draw_without_rendering()


# --- figures ---


def test_given_axes_are_drawn_on():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert jc.plot.jacobian(A, ax=right) is figure
    assert right.images
    assert not left.images
    part = figure.subfigures().subplots()
    assert jc.plot.jacobian(A, ax=part) is figure


def test_a_notebook_shows_it():
    assert jc.plot.jacobian(A)._repr_png_().startswith(b"\x89PNG")


def test_nothing_of_matplotlib_is_changed_and_pyplot_not_imported():
    script = (
        "import sys, numpy as np, matplotlib, jaxcalc as jc; before = matplotlib.rcParams.copy()\n"
        "jc.plot.jacobian(np.ones((2, 3)))\n"
        "print(before == matplotlib.rcParams.copy(), 'matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]


def test_without_matplotlib_the_error_has_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    remedy = r'needs matplotlib, .* not installed; run `pip install "jaxcalc\[plot\]"`'
    with pytest.raises(ImportError, match=f"`plot.jacobian` {remedy}"):
        jc.sigmoid_jacobian(x).show()
    with pytest.raises(ImportError, match=f"`plot.accuracy` {remedy}"):
        jc.plot.accuracy("sigmoid")


# --- refusals ---

REFUSED = {
    "words": ("A x", {}, TypeError, "`J` must be a Derivative, an operator or an array .* str"),
    "tree": ({"w": A}, {}, TypeError, "but got dict; of a tree show one leaf"),
    "complex": (1j * A, {}, TypeError, "`J` must be real, but got dtype complex64.*np.real"),
    "batch": (jax.vmap(Diagonal)(jnp.asarray(X)), {}, ValueError, "`plot.jacobian.J.` needs one"),
    "many": (Diagonal(jnp.ones(5000)), {}, ValueError, "at most 16777216, but got 25000000"),
    "none": (np.ones((0, 3)), {}, ValueError, "at least one entry .* but got 0"),
    "vector": (x, {}, ValueError, "`J` must have at least two axes"),
    "rank": (np.ones((2, 3, 4)), {}, ValueError, "`y_ndim` is required"),
    "axes": (np.ones((2, 3, 4)), {"y_ndim": 4}, ValueError, "`y_ndim` must lie between 0 and"),
    "layout": (A, {"layout": "rows"}, ValueError, "`layout` must be 'numerator' or"),
    "other layout": (
        jc.sigmoid_jacobian(x),
        {"layout": "denominator"},
        ValueError,
        "`layout` must be that of `J`, 'numerator', but got 'denominator'; pass `J.T`",
    ),
    "pyplot": (A, {"ax": mpl}, TypeError, "`ax` must be the matplotlib Axes .* got module"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    J, options, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        jc.plot.jacobian(J, **options)


def test_what_is_traced_is_refused():
    with pytest.raises(TypeError, match="`J` must be concrete to be drawn, but it is traced"):
        jax.jit(lambda x: jc.sigmoid_jacobian(x).show())(x)
    with pytest.raises(TypeError, match="it is traced"):
        jax.jit(lambda J: jc.plot.jacobian(J))(A)
