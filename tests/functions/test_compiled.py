"""What XLA compiles for a GPU: kernels and the bytes they move, counted and held to limits.

Texts are written for the purpose; with `--target FILE -m compiled`, a description of a card as
`jax.experimental.topologies` takes it, the programs of `compiled_cells` are compiled for it. They
are not run. `benchmarks/results/h200-compiled.md` has what was counted for an H200.
"""

import os

import compiled_cells
import jax
import pytest
from compiled_cells import QUANTITIES, Cell, limit, most_traffic
from compiled_target import Assembled, Target, assembled, overheard
from compiled_text import Kernel, kernels, type_bytes

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
    ("change", "kernels", "traffic"),
    [
        ({}, 1, 3),
        ({"contestant": "pallas", "shape": (64, 131_072)}, 1, 3),
        ({"quantity": "value", "shape": (64, 5_000)}, 4, 6),
        ({"quantity": "value", "shape": (64, 5_000), "contestant": "fast"}, 1, 2),
        ({"quantity": "value"}, 1, 2),
    ],
)
def test_limits(change, kernels, traffic):
    assert limit(CELL._replace(**change)) == (kernels, traffic)


@pytest.mark.parametrize("change", [{"shape": (4096, 50257)}, {"axis": 0}])
def test_nothing_is_promised_beyond_blocks(change):
    assert limit(CELL._replace(**change)) is None


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
    f, arguments = CELL._replace(quantity=quantity, shape=(4, 8)).program()
    assert {y.shape for y in jax.tree.leaves(jax.eval_shape(f, *arguments))} == {(4, 8)}


# --- compiled for a card that need not be there ---


@pytest.fixture(scope="module")
def target(request):
    path = request.config.getoption("--target")
    if path is None:
        pytest.skip("needs --target FILE, a card described in XLA's words")
    pytest.importorskip("jax_cuda13_plugin", reason="the extra compile-cuda is not installed")
    return Target(path)


@pytest.mark.compiled
def test_kernels_and_traffic_are_within_their_limits(target):
    assert [line for cell in compiled_cells.cells() for line in over(target, cell)] == []


def over(target, cell):
    """A line where a program needs more than it is held to."""
    f, arguments = cell.program()
    text, own = target.compile(f, *arguments)
    found, most = kernels(text), limit(cell)
    traffic = sum(kernel.bytes for kernel in found) / cell.array_bytes
    spilled = sum(kernel.spilled for kernel in own)
    if len(found) > most.kernels or traffic > most_traffic(cell, most) or spilled:
        yield f"{cell}: {len(found)} kernels, {traffic:.2f} N, {spilled} bytes spilled, of {most}"


class Talkative:
    """A target whose programs are the fewest kernels, and what it says of them."""

    def __init__(self, spilled):
        self.own = [Assembled(96, spilled)]

    def compile(self, f, *arguments):
        return HEADER + "}\n", self.own


def test_a_spill_is_a_line():
    assert list(over(Talkative(0), CELL)) == []
    (line,) = over(Talkative(16), CELL)
    assert "0 kernels, 0.00 N, 16 bytes spilled, of Limit(kernels=1, traffic=3)" in line
