"""The results of a subject on a device, in a folder: the page, its rows, its pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.machine import slug
from benchmarks.report import Part, Result, Row, markdown_table, write_json

LONG = 30  # lines from which on a table is folded


def write_page(
    folder: Path,
    name: str,
    parts: Callable[[Sequence[Row]], Sequence[Part]],
    result: Result,
    on: Mapping[str, Any],
) -> Path:
    """Write everything of the subject of that name; give the path of the page."""
    stem = slug(on) if name == "speed" else f"{name}-{slug(on)}"
    write_json(folder / f"{stem}.json", on, name, result)
    pictures = plot.write(name, result.rows, folder / f"{stem}.svg")
    failures = "\n".join(f"- {line}" for line in result.failures)
    text = [
        f"# {name.capitalize()} on {on['device_name']}, jax {on['jax']}",
        f"Written by `{on['command']}` from its JSON.",
        f"## Wrong results, not timed\n\n{failures}" if failures else "",
        *(f"![{kind}]({picture.name})" for kind, picture in pictures.items()),
        *map(_section, parts(result.rows)),
        _section(Part("Machine", "", [{"what": k, "is": str(v)} for k, v in on.items()])),
    ]
    page = folder / f"{stem}.md"
    page.write_text("\n\n".join(filter(None, text)) + "\n", encoding="utf-8")
    return page


def _section(part: Part) -> str:
    heading = f"## {part.heading}" if part.heading else ""
    table = markdown_table(part.lines) if part.lines else ""
    if len(part.lines) > LONG:
        count = f"<summary>{len(part.lines)} lines</summary>"
        table = f"<details>{count}\n\n{table}\n\n</details>"
    return "\n\n".join(filter(None, (heading, part.text, table)))
