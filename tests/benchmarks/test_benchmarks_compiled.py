"""Counting kernels and traffic in compiled programs, from texts written for the purpose."""

import os

import jax
import pytest

from benchmarks.compiled.__main__ import failure
from benchmarks.compiled.assembler import Assembled, assembled, overheard
from benchmarks.compiled.cells import QUANTITIES, Cell, cells
from benchmarks.compiled.expectations import Limit, limit, misses
from benchmarks.compiled.program import Kernel, kernels, type_bytes
from benchmarks.compiled.report import page

HEADER = """HloModule jit_f, is_scheduled=true

%fused (p: f32[8,16]) -> f32[8] {
  %p = f32[8,16]{1,0} parameter(0)
  ROOT %reduce = f32[8]{0} reduce(%p), dimensions={1}
}

ENTRY %main (x: f32[8,16], t: bf16[8,16]) -> bf16[8,16] {
  %x = f32[8,16]{1,0} parameter(0), metadata={op_name="x"}
  %t = bf16[8,16]{1,0} parameter(1)
"""
REDUCE = "  %reduce_fusion.12 = f32[8]{0} fusion(%x), kind=kInput, calls=%fused\n"
PAIR = "  %pair = (f32[8]{0}, bf16[8,16]{1,0}) fusion(%x, %t, /*index=2*/%x), kind=kLoop\n"
PART = "  %part = bf16[8,16]{1,0} get-tuple-element(%pair), index=1\n"
CALL = '  ROOT %c.1 = bf16[8,16]{1,0} custom-call(%t), custom_call_target="kernel_v2", x={}\n'
X, T, ROW = 8 * 16 * 4, 8 * 16 * 2, 8 * 4


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([REDUCE], [Kernel("reduce_fusion", X + ROW)]),
        ([PAIR, PART], [Kernel("pair", X + T + ROW + T)]),
        ([REDUCE, CALL], [Kernel("reduce_fusion", X + ROW), Kernel("kernel_v2", 2 * T)]),
        ([], []),
    ],
)
def test_kernels_of_a_program(lines, expected):
    assert kernels(HEADER + "".join(lines) + "}\n\n%other (p: f32[]) -> f32[] {\n}\n") == expected


@pytest.mark.parametrize("op", ["while", "conditional", "call"])
def test_what_would_go_uncounted_is_an_error(op):
    with pytest.raises(ValueError, match=f"loop is a {op}: its kernels are not counted"):
        kernels(f"{HEADER}  ROOT %loop = f32[8]{{0}} {op}(%x), body=%fused\n}}\n")


def test_a_line_that_is_no_instruction_is_an_error():
    with pytest.raises(ValueError, match="not an instruction: nonsense"):
        kernels(f"{HEADER}  nonsense\n}}\n")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("f32[]", 4),
        ("pred[3,5]{1,0}", 15),
        ("(bf16[4]{0}, s64[2]{0})", 24),
        ("f8e4m3fn[16]{0}", 16),
        ("u4[8]", 4),
        ("token[]", 0),
    ],
)
def test_type_bytes(text, size):
    assert type_bytes(text) == size


CELL = Cell("softmax", "backward", "float32", (4096, 1024), -1, "jaxcalc")


@pytest.mark.parametrize(
    ("change", "kernels", "traffic", "miss"),
    [
        ({}, 1, 3.0, False),
        ({}, 2, 3.0, True),
        ({}, 1, 3.1, True),
        ({"contestant": "jax.nn"}, 2, 5.0, False),
        ({"contestant": "pallas", "shape": (64, 131_072)}, 1, 3.0, False),
        ({"contestant": "pallas", "shape": (64, 131_072)}, 2, 4.0, True),
        ({"quantity": "value", "shape": (64, 5_000)}, 3, 6.0, False),
        ({"quantity": "value", "shape": (64, 5_000), "contestant": "fast"}, 3, 6.0, True),
        ({"shape": (4096, 50257)}, 20, 28.0, False),
        ({"axis": 0}, 4, 6.0, False),
        ({"quantity": "value"}, 1, 2.0, False),
        ({"quantity": "value", "shape": (1024, 10)}, 1, 2.15, False),
    ],
)
def test_limits(change, kernels, traffic, miss):
    assert misses(CELL._replace(**change), kernels, traffic) == miss


def test_a_miss_is_named_with_what_was_expected():
    row = {"kernels": ["a", "b"], "traffic": 5.0, "spilled": 0}
    (line,) = failure(CELL, row)
    assert "softmax, backward, float32 (4096, 1024): 2 kernels, 5.00 N" in line
    assert str(limit(CELL)) in line
    assert limit(CELL) == Limit(1, 3)


def test_a_spill_is_a_miss():
    assert failure(CELL, {"kernels": ["a"], "traffic": 3.0, "spilled": 0}) == []
    (line,) = failure(CELL, {"kernels": ["a"], "traffic": 3.0, "spilled": 16})
    assert "16 bytes spilled; expected Limit(kernels=1, traffic=3) and no spills" in line


WORDS = """
    0 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 96 registers, used 2 barriers, 1 bytes smem
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 31 registers
"""


def test_what_the_assembler_says():
    assert assembled(WORDS) == [Assembled(96, 20), Assembled(31, 0)]
    assert assembled("") == []


def test_what_native_code_writes_is_overheard():
    with overheard() as heard:
        os.write(1, b"to stdout, ")
        os.write(2, b"to stderr")
    assert heard == ["to stdout, to stderr"]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_programs_can_be_traced(quantity):
    for contestant in ("jaxcalc", "jax.nn"):
        cell = CELL._replace(quantity=quantity, contestant=contestant, shape=(4, 8))
        f, arguments = cell.program()
        (out,) = {y.shape for y in jax.tree.leaves(jax.eval_shape(f, *arguments))}
        assert out == ((4, 8, 8) if quantity == "jacobian" else (4, 8))


def test_the_page_has_a_line_for_each_program_and_names_what_is_not_shown():
    rows = [
        {**cell._asdict(), "kernels": ["k"], "traffic": 2.0, "registers": [40], "spilled": 0}
        for cell in cells(quick=True)
        if cell.dtype == "float32"
    ]
    about = {"device": "a card", "jax": "1", "jaxlib": "2", "plugin": "3"}
    text = page(rows, about, ["one miss"])
    assert "Compiled for a card, not run" in text
    assert "- one miss" in text
    assert "Not yet shown" in text
    assert "at most 40 registers a thread and spill 0 bytes" in text
    everywhere = " | ".join(["1: 2.00 N"] * 4)
    assert f"| 1024 × 131072 | float32 | value | {everywhere} |" in text
    assert "| 16384 × 5000 | float32 | value | 1: 2.00 N | 1: 2.00 N |  | 1: 2.00 N |" in text
