"""The results page of the losses, its rows and its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.losses.tables import parts
from benchmarks.machine import slug
from benchmarks.report import Result, markdown_table, write_json


def write_results(folder: Path, result: Result, machine: Mapping[str, Any], command: str) -> Path:
    """Write everything; give the path of the page."""
    from matplotlib import rc_context  # optional, as is what needs it

    from benchmarks.losses.picture import DRAWINGS
    from benchmarks.speed.results import SVG

    stem = f"losses-{slug(machine)}"
    write_json(folder / f"{stem}.json", machine, {"losses": result})
    pictures = {kind: f"{stem}-{kind}.svg" for kind in DRAWINGS}
    with rc_context(SVG):
        for kind, name in pictures.items():
            DRAWINGS[kind](result.rows).savefig(folder / name, metadata={"Date": None})
    tables = (
        f"{text}\n\n{markdown_table(columns, rows)}" for text, columns, rows in parts(result.rows)
    )
    text = [
        f"# Losses, {machine['device_name']}, jax {machine['jax']}",
        f"Written by `{command}` from its JSON.",
        *(f"![{kind}]({name})" for kind, name in pictures.items()),
        *tables,
    ]
    page = folder / f"{stem}.md"
    page.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    return page
