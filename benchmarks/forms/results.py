"""The results page of the forms."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.forms.subject import tables
from benchmarks.machine import slug
from benchmarks.report import Result, markdown_table, write_json

EXPLANATION = """Times are medians of paired ratios over the plain form on the same arrays.
Errors are the worst over the accuracy subject's rows and tangents: of values in ULP, of products
in units of u·N, N = Σᵢ s_k sᵢ |t_k − tᵢ|."""


def write_results(folder: Path, result: Result, machine: Mapping[str, Any], command: str) -> Path:
    """Write the page and its rows; give the path of the page."""
    stem = f"forms-{slug(machine)}"
    write_json(folder / f"{stem}.json", machine, {"forms": result})
    parts = [
        f"# Forms that were tried, {machine['device_name']}, jax {machine['jax']}",
        f"Written by `{command}` from its JSON. {EXPLANATION}",
        *(markdown_table(columns, lines) for columns, lines in tables(result.rows)),
    ]
    page = folder / f"{stem}.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page
