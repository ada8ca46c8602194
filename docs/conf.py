"""The site: `python -m sphinx -W --keep-going docs docs/_build/html` writes it.

Formulas become MathML as the site is built, so that it needs no script and no network.
"""

import html
import re
import shutil
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from docutils import nodes
from jax.typing import ArrayLike
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"

project = "jaxcalc"
copyright = "the authors of jaxcalc, Apache-2.0"
version = release = version_of("jaxcalc")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are committed with what they print, and the tests run them
nb_merge_streams = True

default_role = "py:obj"  # `name` links to what it names, and is code where there is nothing
add_module_names = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
copybutton_exclude = ".gp, .go"  # prompts and what is printed

html_theme = "furo"
html_title = "jaxcalc"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False


def mathml(latex: str, displaystyle: bool = False) -> str:
    """LaTeX as MathML, as in a line or set apart."""
    return LatexToMathML().convert_with_local_state(latex, displaystyle=displaystyle)


def visit_math(translator: Any, node: nodes.math) -> None:
    """A formula in a line."""
    translator.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_math_block(translator: Any, node: nodes.math_block) -> None:
    """A formula of its own."""
    translator.body.append(f'<div class="math">{mathml(node.astext(), displaystyle=True)}</div>')
    raise nodes.SkipNode


def set_formulas_of_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """Formulas in the HTML that notebooks show, which a notebook's own script would set."""
    for raw in list(doctree.findall(nodes.raw)):
        source = raw.astext()
        made = re.sub(r"\$(.+?)\$", lambda found: mathml(html.unescape(found[1])), source)
        raw.children = [nodes.Text(made)]


def as_restructured_text(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """A docstring is no reStructuredText: |x| is a size, and rooms are of no use to readers."""
    text = re.sub(r"The rooms[^\n]*:\n\n(    [^\n]*\n)+", "", "\n".join(lines))
    parts = text.split("\n\n")
    escaped = [part if ">>>" in part else part.replace("|", r"\|") for part in parts]
    lines[:] = "\n\n".join(escaped).split("\n")


ALIASES = {stringify_annotation(ArrayLike, "smart"): "ArrayLike"}


def shorten_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: Any, returned: Any
) -> tuple[Any, Any]:
    """Types by the names that the source gives them."""
    for expanded, alias in ALIASES.items():
        signature = signature and signature.replace(expanded, alias)
    return signature, returned


def copy_results(app: Sphinx) -> None:
    """The pages of benchmarks lie beside the data that they are made from."""
    shutil.copytree(RESULTS, HERE / "results", dirs_exist_ok=True)


def setup(app: Sphinx) -> None:
    """What the above adds to Sphinx."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("builder-inited", copy_results)
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("doctree-read", set_formulas_of_outputs)
