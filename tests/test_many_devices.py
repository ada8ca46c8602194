"""`docs/many-devices.md`: its table of what travels holds."""

import re
from pathlib import Path

import pytest
from counted import BY_NAME, SPLIT_QUANTITIES, said

from benchmarks.libraries import INDICES, libraries
from benchmarks.speed.cell import Cell

PAGE = (Path(__file__).parent.parent / "docs" / "many-devices.md").read_text(encoding="utf-8")
TABLE = re.findall(r"^\| `(\w+)` +\| (high|fast) +\|(.*)\|$", PAGE, re.MULTILINE)


def test_the_table_has_every_function_twice():
    assert len(TABLE) == 8


@pytest.mark.slow
@pytest.mark.parametrize(("function", "accuracy", "cells"), TABLE)
def test_no_more_travels_than_the_table_says(function, accuracy, cells):
    name = function.replace("softmax_cross_entropy", INDICES)
    for quantity, most in zip(SPLIT_QUANTITIES, cells.split("|"), strict=True):
        cell = Cell(name, quantity, "float32", (64, 4096))
        found = said(cell.of(libraries()[accuracy]), cell, BY_NAME, devices=4)
        rounds, numbers = map(int, most.split("/"))
        assert found.rounds <= rounds
        assert found.numbers <= numbers
