"""`docs/many-devices.md`: its table of what travels holds."""

import re
from pathlib import Path

import pytest

from benchmarks.scale.programs import QUANTITIES
from benchmarks.scale.splitting import CLASSES, ROWS, said
from benchmarks.speed.cell import Cell
from benchmarks.speed.jax_side import along, rivals

PAGE = (Path(__file__).parent.parent / "docs" / "many-devices.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `(\w+)` +\| (high|fast) +\|(.*)\|$", PAGE, re.MULTILINE)


def test_the_table_has_every_function_twice():
    assert len(TABLE) == 8


@pytest.mark.slow
@pytest.mark.parametrize(("function", "accuracy", "cells"), TABLE)
def test_no_more_travels_than_the_table_says(function, accuracy, cells):
    name = function.replace("softmax_cross_entropy", "cross-entropy(indices)")
    for quantity, most in zip(QUANTITIES, cells.split("|"), strict=True):
        cell = Cell(name, quantity, "float32", (ROWS, CLASSES))
        found = said(along(rivals()[accuracy], cell), cell, "shard_map", devices=4)
        rounds, numbers = map(int, most.split("/"))
        assert found.rounds <= rounds
        assert found.numbers <= numbers
