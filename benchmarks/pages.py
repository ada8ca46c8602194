"""The results of a subject on a device, in a folder: the page, its rows, its pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.machine import slug
from benchmarks.report import Part, Result, Row, field, markdown_table, write_json

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
    write_json(folder / f"{stem}.json", on, {name: result})
    pictures = plot.write(name, result.rows, folder / f"{stem}.svg", kinds=True)
    text = [
        f"# {name.capitalize()} on {on['device_name']}, jax {on['jax']}",
        f"Written by `{on['command']}` from its JSON.",
        *_failed(result.failures),
        *(f"![{picture.stem.removeprefix(f'{stem}-')}]({picture.name})" for picture in pictures),
        *map(_section, parts(result.rows)),
        _section(_machine(on)),
    ]
    page = folder / f"{stem}.md"
    page.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    return page


def _failed(failures: Sequence[str]) -> list[str]:
    lines = "\n".join(f"- {line}" for line in failures)
    return [f"## Wrong results, not timed\n\n{lines}"] if failures else []


def _section(part: Part) -> str:
    heading = f"## {part.heading}" if part.heading else ""
    table = markdown_table(part.columns, part.rows) if part.columns else ""
    if len(part.rows) > LONG:
        count = f"<summary>{len(part.rows)} lines</summary>"
        table = f"<details>{count}\n\n{table}\n\n</details>"
    return "\n\n".join(filter(None, (heading, part.text, table)))


def _machine(on: Mapping[str, Any]) -> Part:
    facts = [{"what": key, "is": value} for key, value in on.items()]
    return Part("Machine", "", [field("what"), field("is")], facts)
