"""The notebooks in `docs/`: their cells run, and show what is committed with them."""

import ast
import contextlib
import io
import json
from pathlib import Path

import jax
import numpy as np
import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def cells(path):
    """The source of each cell of code and what is committed as its output."""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield "".join(cell["source"]), "".join(map(text_of, cell["outputs"]))


def text_of(output):
    """A printed text, or a value as plain text; pictures are not compared."""
    data = output.get("data", {})
    if "image/png" in data:
        return ""
    return "".join(output.get("text") or data["text/plain"])


def run(source, names):
    """What a cell prints, and after it its value if it ends with one."""
    tree, value = ast.parse(source), None
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, "cell", "exec"), names)
        if last:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return printed.getvalue() + ("" if value is None else repr(value))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_show_what_is_committed(path):
    pytest.importorskip("matplotlib").use("Agg")
    names = {}
    with (  # as users have it
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
        np.printoptions(),
    ):
        for source, committed in cells(path):
            assert run(source, names) == committed, source


def test_there_are_two_and_each_has_been_run():
    assert len(NOTEBOOKS) == 2
    for path in NOTEBOOKS:
        assert path.stat().st_size < 100_000
        assert sum(bool(committed) for _, committed in cells(path)) >= 4
