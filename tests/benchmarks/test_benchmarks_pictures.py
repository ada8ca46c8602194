"""The README's pictures: what they show, and that the command writes them."""

import numpy as np
import pytest

import jaxcalc as jc
from benchmarks import pictures
from benchmarks.libraries import plain_cross_entropy
from benchmarks.losses import logits
from benchmarks.losses.cases import SCALES


@pytest.fixture(scope="module")
def losses():
    return pictures.draw_losses((64, 100))


def lines(axes):
    return {line.get_label(): np.asarray(line.get_ydata(), np.float64) for line in axes.lines}


@pytest.mark.slow
def test_ours_is_the_true_loss_and_the_plain_formula_falls_to_0(losses):
    shown = lines(losses.axes[0])
    true = shown["true, in float64"]
    np.testing.assert_allclose(shown["jaxcalc"], true, rtol=1e-5, atol=1e-7)
    plain = shown["jax.nn, the plain formula"]
    assert np.sum((plain == 0) & (true > 1e-4)) > 5
    np.testing.assert_array_equal(shown["optax"], plain)


def test_worst_errors_are_over_the_scales_of_the_benchmark(losses):
    axes = losses.axes[1]
    shown = lines(axes)
    assert list(axes.lines[0].get_xdata()) == list(SCALES)
    assert np.all(shown["jaxcalc"] < 1e-5)
    assert np.all(shown["jax.nn, the plain formula"] > 1e-3)
    assert axes.get_title() == "Worst error of 64 rows"


def test_who_is_not_installed_is_left_out(monkeypatch):
    for module in (pictures, logits):
        monkeypatch.setattr(module, "contestants", lambda dtype: {"jax.nn": plain_cross_entropy})
    assert list(lines(pictures.draw_losses((8, 10)).axes[1])) == ["jax.nn, the plain formula"]


@pytest.mark.slow
def test_the_jacobian_is_of_blocks_with_its_formula():
    axes = pictures.draw_jacobian().axes[0]
    (image,) = axes.images
    assert image.get_array().shape == (24, 24)
    assert np.count_nonzero(image.get_array()) == 4 * 36
    assert "blockdiag" in axes.get_title()


def test_the_command_writes_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "DRAWINGS", {"jacobian": lambda: jc.plot.jacobian(np.eye(2))})
    folder = tmp_path / "new"
    assert pictures.main([str(folder)]) == 0
    first = (folder / "jacobian.svg").read_bytes()
    assert capsys.readouterr().out.split() == [str(folder / "jacobian.svg")]
    assert pictures.main([str(folder)]) == 0
    assert (folder / "jacobian.svg").read_bytes() == first  # nothing in it but the picture
