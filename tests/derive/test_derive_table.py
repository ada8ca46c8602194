"""Each primitive has one row in one table; nothing in `derive` asks for a name elsewhere."""

import ast
import gc
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import jaxcalc as jc
from jaxcalc._compat import known_primitives
from jaxcalc._derive._table import TABLE
from jaxcalc._formula._own import OWN, PLAIN
from jaxcalc._functions.activations import ELEMENTWISE
from jaxcalc._functions.primitives import JacobianProduct, ValuePrimitive

ROOT = Path(jc.__file__).parent / "_derive"
TABLE_ROOM = ROOT / "_table.py"
REWRITING = {"_closed", "_entry_products"}  # programs before they are linearised, not their meaning
DECLARED = {f"jaxcalc_{f.product.name}" for f in ELEMENTWISE} | PLAIN.keys()


def compared(node):
    """What stands in comparisons, and as keys and cases."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Dict):
        return [key for key in node.keys if key is not None]
    return [node.value] if isinstance(node, ast.MatchValue) else []


def names_handled(path):
    """The strings that a module compares with or has as keys."""
    nodes = [
        part for node in ast.walk(ast.parse(path.read_text("utf-8"))) for part in compared(node)
    ]
    parts = [part for node in nodes for part in getattr(node, "elts", [node])]
    return [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]


def primitives():
    jax.make_jaxpr(some_functions)(jnp.ones(3))  # own primitives are made when first applied
    return {*TABLE, *known_primitives()}


def some_functions(x):
    return jc.softmax(x), jc.logsumexp(x), jc.sigmoid(x)


def test_no_primitive_has_two_rows():
    rows = [name for name in names_handled(TABLE_ROOM) if name in primitives()]
    assert sorted([*rows, *DECLARED]) == sorted(TABLE)


@pytest.mark.parametrize("path", [*ROOT.glob("*.py")], ids=lambda path: path.stem)
def test_no_primitive_is_handled_elsewhere(path):
    if path != TABLE_ROOM and path.stem not in REWRITING:
        assert not primitives() & {*names_handled(path)}


def test_what_is_rewritten_has_no_row():
    """But those of the operations by which a product of entries is recognised."""
    handled = {name for room in REWRITING for name in names_handled(ROOT / f"{room}.py")}
    assert primitives() & handled == {"reduce_prod", "reshape", "slice", "squeeze"}
    assert "reduce_prod" not in TABLE


def test_a_name_that_is_asked_for_would_be_found(tmp_path):
    room = tmp_path / "room.py"
    room.write_text('if e.primitive.name in ("exp", "sin"): pass\nRULES = {"dot_general": 1}\n')
    assert {*names_handled(room)} == {"exp", "sin", "dot_general"}


def own(kind):
    """The names of all there are; by their types, since some objects warn when they are asked."""
    found = [o for o in gc.get_objects() if issubclass(type(o), kind)]
    return {f"jaxcalc_{o.name}" for o in found if not o.name.startswith("test_")}


def test_every_primitive_of_the_package_has_a_row():
    assert own(JacobianProduct) <= TABLE.keys()
    assert own(ValuePrimitive) <= OWN.keys() | PLAIN.keys()
    assert len(own(ValuePrimitive)) > 50
