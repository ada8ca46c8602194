"""What is counted in compiled programs: communication, memory, and the tables of both."""

import io
import json
import math
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest
from benchmarks.scale.communication import communication
from benchmarks.scale.hlo import entries, parse
from jax import lax

from benchmarks.report import Progress
from benchmarks.scale import aims, memory, splitting, subject, tables
from benchmarks.scale.__main__ import main
from benchmarks.speed.cell import Cell
from benchmarks.speed.jax_side import along, rivals
from benchmarks.subjects import SUBJECTS

SILENT = Progress(io.StringIO(), every=math.inf)

# --- programs written for the purpose: 8 rows of 16 numbers ---

HEADER = """HloModule jit_f, is_scheduled=true, num_partitions=4

FileNames
1 "f.py"

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b), metadata={op_name="jit(f)/reduce (sum)"}
}

%row (p: f32[8,16]) -> f32[8] {
  %p = f32[8,16]{1,0} parameter(0)
  %zero = f32[] constant(0)
  ROOT %reduce = f32[8]{0} reduce(%p, %zero), dimensions={1}, to_apply=%add
}
"""
ENTRY = """
ENTRY %main (x: f32[8,16], y: bf16[8]) -> f32[8] {
  %x = f32[8,16]{1,0} parameter(0), metadata={op_name="x"}
  %y = bf16[8]{0} parameter(1)
  %r = f32[8]{0} fusion(%x), kind=kInput, calls=%row, backend_config={"partitions":["2"]}
"""
REDUCED = "f32[8]{0} all-reduce({}), channel_id=1, to_apply=%add"


def program(*lines, computations=""):
    return HEADER + computations + ENTRY + "".join(f"  {line}\n" for line in lines) + "}\n"


def reduced(name, of):
    return f"%{name} = f32[8]{{0}} all-reduce(%{of}), channel_id=1, to_apply=%add"


def added(name, *of):
    return f"%{name} = f32[8]{{0}} add({', '.join(f'%{each}' for each in of)})"


INDEPENDENT = [reduced("a", "r"), reduced("b", "r"), "ROOT " + added("c", "a", "b")]
CHAIN = [reduced("a", "r"), added("b", "a", "r"), reduced("c", "b"), "ROOT " + added("d", "c", "a")]
TOGETHER = [
    "%both = (f32[8]{0}, /*index=1*/bf16[8]{0}) all-reduce(%r, %y), to_apply=%add",
    "ROOT %a = f32[8]{0} get-tuple-element(%both), index=0",
]
ASYNC = [
    "%start = f32[8]{0} all-reduce-start(%r), channel_id=1, to_apply=%add",
    "%done = f32[8]{0} all-reduce-done(%start)",
    "ROOT " + reduced("a", "done"),
]
GATHER = [
    "%start = (f32[8,16]{1,0}, f32[8,64]{1,0}) all-gather-start(%x), dimensions={1}",
    "%done = f32[8,64]{1,0} all-gather-done(%start)",
    "ROOT %a = f32[8]{0} fusion(%done), kind=kInput, calls=%row",
]
SCATTER = ["ROOT %a = f32[2]{0} reduce-scatter(%r), dimensions={0}, to_apply=%add"]
PERMUTE = [
    "%a = f32[8]{0} collective-permute(%r), source_target_pairs={{0,1},{1,0}}",
    "ROOT %b = f32[8]{0} all-to-all(%a), dimensions={0}",
]
PARTS = [  # one part does not wait for what was said for the other
    reduced("a", "r"),
    reduced("b", "a"),
    "%pair = (f32[8]{0}, f32[8]{0}) tuple(%b, %r)",
    "%held = (f32[8]{0}, f32[8]{0}) opt-barrier(%pair)",
    "%part = f32[8]{0} get-tuple-element(%held), index=1",
    reduced("c", "part"),
    "ROOT %all = (f32[8]{0}, f32[8]{0}) tuple(%b, %c)",
]
ROOT_FIRST = ["ROOT " + reduced("a", "r"), "%after = f32[8]{0} copy(%r)"]
CONSTANT = [
    "%table = c64[2,1]{1,0} constant({ { (1, 2) }, { (3, 4) } })",
    "ROOT %a = f32[8]{0} copy(%r)",
]


@pytest.mark.parametrize(
    ("lines", "rounds", "numbers", "size", "largest", "collectives"),
    [
        (["ROOT %a = f32[8]{0} copy(%r)"], 0, 0, 0, 0, 0),
        (INDEPENDENT, 1, 2, 8, 1, 2),
        (CHAIN, 2, 2, 8, 1, 2),
        (TOGETHER, 1, 2, 6, 2, 1),
        (ASYNC, 2, 2, 8, 1, 2),
        (GATHER, 1, 16, 64, 80, 1),
        (SCATTER, 1, 1, 4, 1, 1),
        (PERMUTE, 2, 2, 8, 1, 2),
        (PARTS, 2, 3, 12, 1, 3),
        (ROOT_FIRST, 1, 1, 4, 1, 1),
        (CONSTANT, 0, 0, 0, 0, 0),
    ],
)
def test_communication_of_a_program(lines, rounds, numbers, size, largest, collectives):
    found = communication(program(*lines), rows=8)
    assert found == (rounds, numbers, size, largest, collectives)


INNER = """
%said (q: f32[8], h: f32[8]) -> (f32[8], f32[8]) {
  %q = f32[8]{0} parameter(0)
  %h = f32[8]{0} parameter(1)
  %t = f32[8]{0} all-reduce(%q), channel_id=3, to_apply=%add
  ROOT %pair = (f32[8]{0}, f32[8]{0}) tuple(%t, %h)
}

%scattered (q: f32[8]) -> f32[2] {
  %q = f32[8]{0} parameter(0)
  ROOT %t = f32[2]{0} reduce-scatter(%q), dimensions={0}, to_apply=%add
}
"""


def called(op):
    """Of the pair that %said gives, its first part took a round and its second none."""
    return [
        reduced("a", "r"),
        f"%pair = (f32[8]{{0}}, f32[8]{{0}}) {op}(%a, %r), to_apply=%said",
        "%said.1 = f32[8]{0} get-tuple-element(%pair), index=0",
        "%unsaid = f32[8]{0} get-tuple-element(%pair), index=1",
        reduced("b", "unsaid"),
        "ROOT " + added("c", "b", "said.1"),
    ]


def test_called_computations_are_followed():
    lines = called("call")
    assert communication(program(*lines, computations=INNER), 8)[:2] == (2, 3)
    lines[1] = lines[1].replace("call(", "fusion(").replace("to_apply", "kind=kCustom, calls")
    assert communication(program(*lines, computations=INNER), 8)[:2] == (2, 3)


def test_a_collective_wrapped_to_run_beside_others_is_counted():
    lines = [
        "%start = ((f32[8]{0}), f32[2]{0}, u32[]) async-start(%r), calls=%scattered",
        "%update = ((f32[8]{0}), f32[2]{0}, u32[]) async-update(%start)",
        "ROOT %done = f32[2]{0} async-done(%update)",
    ]
    assert communication(program(*lines, computations=INNER), 8)[:2] == (1, 1)


LOOP = """
%body (s: (s32[], f32[8], f32[8])) -> (s32[], f32[8], f32[8]) {
  %s = (s32[], f32[8]{0}, f32[8]{0}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %v = f32[8]{0} get-tuple-element(%s), index=1
  %kept = f32[8]{0} get-tuple-element(%s), index=2
  %t = f32[8]{0} STEP
  ROOT %next = (s32[], f32[8]{0}, f32[8]{0}) tuple(%i, %t, %kept)
}

%condition (s: (s32[], f32[8], f32[8])) -> pred[] {
  %s = (s32[], f32[8]{0}, f32[8]{0}) parameter(0)
  %i = s32[] get-tuple-element(%s), index=0
  %n = s32[] constant(5)
  ROOT %less = pred[] compare(%i, %n), direction=LT
}
"""
TALKING = LOOP.replace("STEP", "all-reduce(%v), to_apply=%add")
SILENT_LOOP = LOOP.replace("STEP", "negate(%v)")


def loop(trips, of="r"):
    known = f', backend_config={{"known_trip_count":{{"n":"{trips}"}}}}' if trips else ""
    return [
        "%zero = s32[] constant(0)",
        f"%state = (s32[], f32[8]{{0}}, f32[8]{{0}}) tuple(%zero, %{of}, %r)",
        "%loop = (s32[], f32[8]{0}, f32[8]{0}) while(%state), condition=%condition, body=%body"
        + known,
        "%changed = f32[8]{0} get-tuple-element(%loop), index=1",
        "%same = f32[8]{0} get-tuple-element(%loop), index=2",
        reduced("b", "same"),
        "ROOT " + added("c", "b", "changed"),
    ]


def test_a_loop_says_it_as_often_as_it_runs():
    assert communication(program(*loop(5), computations=TALKING), 8)[:2] == (5, 6)
    after = [reduced("a", "r"), *loop(5, of="a")]
    assert communication(program(*after, computations=TALKING), 8)[:2] == (6, 7)


def test_a_silent_loop_may_run_as_often_as_it_likes():
    after = [reduced("a", "r"), *loop(None, of="a")]
    assert communication(program(*after, computations=SILENT_LOOP), 8)[:2] == (1, 2)
    with pytest.raises(ValueError, match="%loop communicates, and how often it runs is not known"):
        communication(program(*loop(None), computations=TALKING), 8)


def test_of_branches_the_most():
    branches = """
%one (q: f32[8]) -> f32[8] {
  %q = f32[8]{0} parameter(0)
  ROOT %t = f32[8]{0} all-reduce(%q), to_apply=%add
}

%two (q: f32[8]) -> f32[8] {
  %q = f32[8]{0} parameter(0)
  %t = f32[8]{0} all-reduce(%q), to_apply=%add
  ROOT %u = f32[8]{0} all-reduce(%t), to_apply=%add
}
"""
    for names in (
        "branch_computations={%one, %two}",
        "true_computation=%two, false_computation=%one",
    ):
        lines = ["%p = pred[] constant(true)"]
        lines += [f"ROOT %c = f32[8]{{0}} conditional(%p, %r, %r), {names}"]
        assert communication(program(*lines, computations=branches), 8)[:2] == (2, 2)


@pytest.mark.parametrize("op", ["send", "recv"])
def test_messages_are_an_error(op):
    with pytest.raises(ValueError, match=f"%m is a {op}, which is not counted"):
        communication(program(f"ROOT %m = (f32[8], u32[], token[]) {op}(%r)"), 8)


def test_text_that_cannot_be_read_is_an_error():
    with pytest.raises(ValueError, match="not an instruction: %a = nonsense"):
        parse(program("%a = nonsense"))
    with pytest.raises(ValueError, match="its parentheses stay open"):
        parse(program("%a = f32[8] copy(%r"))
    with pytest.raises(ValueError, match="no ENTRY"):
        parse(HEADER)


def test_entries_of_a_type():
    assert entries("(f32[8,16]{1,0}, pred[3]{0}, s32[], token[], f8e4m3fn[5])") == 128 + 3 + 1 + 5


# --- programs that XLA made, of two devices ---

F14 = [
    ("softmax", "value", "jax.nn", (2, 2)),
    ("softmax", "value+vjp", "jax.nn", (3, 3)),
    ("softmax", "vjp+hvp", "jax.nn", (4, 5)),
    ("cross-entropy(indices)", "value+vjp", "jax.nn", (2, 3)),
    ("softmax", "value", "high", (2, 2)),
    ("cross-entropy(indices)", "value", "fast", (2, 3)),
]


@pytest.mark.parametrize(("function", "quantity", "name", "expected"), F14)
def test_communication_of_split_classes(function, quantity, name, expected):
    cell = Cell(function, quantity, "float32", (8, 64))
    found = splitting.said(along(rivals()[name], cell), cell, "jit", devices=2)
    assert found[:2] == expected
    assert found.largest <= 2


def test_what_is_gathered_is_seen():
    cell = Cell("softmax", "value", "float32", (8, 64))
    found = splitting.said(partial(jnp.sort, axis=-1), cell, "jit", devices=2)
    assert found.largest >= 32


def test_a_scan_is_as_long_as_it_is():
    def three_times(x):
        return lax.scan(lambda x, _: (jax.nn.softmax(x), None), x, None, length=3)[0]

    found = splitting.said(three_times, Cell("softmax", "value", "float32", (8, 64)), "jit", 2)
    assert found[:2] == (6, 6)


def collective_softmax(x, axis_name):
    top = lax.pmax(lax.stop_gradient(jnp.max(x, -1, keepdims=True)), axis_name)
    e = jnp.exp(x - top)
    return e / lax.psum(jnp.sum(e, -1, keepdims=True), axis_name)


def collective_logsumexp(x, y, axis_name):
    top = lax.pmax(lax.stop_gradient(jnp.max(x, -1)), axis_name)
    mass = lax.psum(jnp.sum(jnp.exp(x - top[:, None]), -1), axis_name)
    return top + jnp.log(mass) + y.astype(x.dtype)


@pytest.mark.parametrize(("quantity", "expected"), [("value", (2, 2)), ("value+vjp", (3, 3))])
def test_classes_split_by_name(quantity, expected):
    cell = Cell("softmax", quantity, "float32", (8, 64))
    assert splitting.said(collective_softmax, cell, "shard_map", devices=2)[:2] == expected


def test_classes_split_by_name_with_labels():
    cell = Cell("cross-entropy(indices)", "value+vjp", "float32", (8, 64))
    assert splitting.said(collective_logsumexp, cell, "shard_map", devices=2)[:2] == (2, 2)


# --- memory ---


@pytest.mark.parametrize(("dtype", "arrays"), [("float32", 2), ("bfloat16", 2), ("float64", 1)])
def test_temporaries_are_in_arrays_of_the_dtype_computed_in(dtype, arrays, monkeypatch):
    stats = SimpleNamespace(temp_size_in_bytes=2 * 4 * 16 * 64)
    fake = SimpleNamespace(memory_analysis=lambda: stats)
    monkeypatch.setattr(memory, "compiled", lambda f, cell, typed: fake)
    assert memory.temporaries(abs, Cell("softmax", "value", dtype, (16, 64))) == arrays


def test_temporaries_of_programs():
    cell = Cell("softmax", "value", "float32", (256, 512))
    M = jnp.ones((512, 512))
    assert memory.temporaries(lambda x: 2 * x, cell) == 0
    assert memory.temporaries(lambda x: x @ M @ M, cell) >= 1  # the first product


# --- rows, tables, aims ---


@pytest.fixture(scope="module")
def rows():
    patch = pytest.MonkeyPatch()
    patch.setattr(memory, "SHAPES", ((16, 64),))
    patch.setattr(splitting, "CLASSES", 64)
    names = ["softmax"]
    with patch.context():
        yield [
            *splitting.communication_rows(names, 2, quick=True, progress=SILENT),
            *memory.memory_rows(names, quick=True, progress=SILENT),
        ]
    patch.undo()


@pytest.mark.slow
def test_rows_of_every_contestant(rows):
    assert {row["contestant"] for row in rows} == {"high", "fast", "jax.nn"}
    plain = [row for row in rows if row.get("way") == "jit"]
    assert [row["quantity"] for row in plain[::3]] == ["value", "value+vjp", "vjp+hvp"]
    assert not any(row["gathers"] for row in plain)
    assert json.dumps(rows)


def test_tables(rows):
    text = tables.show(rows)
    assert "Communication of 2 devices" in text
    assert "2 / 2 / 8" in text
    assert "Temporaries" in text
    (line,) = [line for line in text.splitlines() if line.startswith("softmax ")]
    assert line.endswith(("met", "missed by high", "missed by high and fast"))


def test_the_baseline_of_every_way_is_that_of_jit(rows):
    named = [row for row in rows if row.get("way") == "shard_map"]
    assert {row["contestant"] for row in named} == {"high", "fast"}
    of_jit = [row for row in rows if row.get("way") == "jit"]
    changed = [row | {"rounds": 1, "numbers": 1, "bytes": 4} for row in named]
    lines = tables.show([*of_jit, *changed]).splitlines()
    (line,) = [line for line in lines if line.startswith("shard_map  softmax   value+vjp")]
    assert line.split()[4::5] == ["1", "1", "3", "6"]
    assert line.endswith("met")


def said(rounds, numbers, gathers=False, quantity="value+vjp"):
    named = {"function": "softmax", "quantity": quantity}
    return {**named, "rounds": rounds, "numbers": numbers, "gathers": gathers}


@pytest.mark.parametrize(
    ("high", "fast", "missing"),
    [
        (said(6, 8), said(3, 9), []),
        (said(7, 7), said(3, 3), ["high"]),
        (said(5, 9), said(4, 3), ["high", "fast"]),
        (said(2, 2, gathers=True), said(3, 3, gathers=True), ["high", "fast"]),
        (said(2, 2, quantity="value"), said(4, 4, quantity="value"), []),
    ],
)
def test_aims_of_communication(high, fast, missing):
    assert aims.too_talkative({"high": high, "fast": fast, "jax.nn": said(3, 3)}) == missing


@pytest.mark.parametrize(
    ("function", "classes", "high", "nn", "missing"),
    [
        ("softmax", 1000, 1.01, 0.0, []),
        ("softmax", 1000, 1.5, 0.5, ["high"]),
        ("softmax", 1000, 3.0, 3.0, []),
        ("log_softmax", 50257, 2.0, 0.0, []),
        ("log_softmax", 1000, 2.0, 0.0, ["high"]),
        ("logsumexp", 50257, 2.0, 0.0, ["high"]),
    ],
)
def test_aims_of_memory(function, classes, high, nn, missing):
    named = {"function": function, "classes": classes}
    arrays = {"high": high, "fast": 0.0, "jax.nn": nn}
    line = {name: {**named, "arrays": held} for name, held in arrays.items()}
    assert aims.too_large(line) == missing


# --- the process ---


def test_the_rows_come_from_a_process_of_several_devices():
    result = subject.run_process(["--quick", "--functions", "sigmoid"])
    assert result.failures == []
    assert {row["part"] for row in result.rows} == {"memory"}
    assert {row["contestant"] for row in result.rows} == {"high", "fast", "jax.nn"}


def test_a_process_that_fails_is_a_failure(monkeypatch):
    def failing(command, **options):
        return subprocess.CompletedProcess([sys.executable], 3, "")

    monkeypatch.setattr(subprocess, "run", failing)
    assert subject.run(True, SILENT) == ([], ["python -m benchmarks.scale ended with status 3"])


def test_only_functions_that_are_known(capsys):
    with pytest.raises(SystemExit):
        main(["--functions", "cosine"])
    assert "invalid choice: 'cosine'" in capsys.readouterr().err


def test_the_subject_is_registered():
    assert SUBJECTS["scale"].show is tables.show
