"""What a check says."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from jaxcalc._check._faults import Finding


@dataclass(frozen=True)
class Report:
    """Whether a derivative is right, and if not, where and what may be wrong; true if it is right.

    Attributes:
        is_right: whether every entry is right at every point.
        summary: the verdict in a line.
        details: the worst entry, shapes, NaN: what is seen.
        diagnoses: what explains it, simplest first.
        notes: what is no fault: kinks, a layout that cannot be told, doubts about f.
        formula: the true derivative, where it has a closed form.

    >>> import jax.numpy as jnp, jaxcalc as jc
    >>> report = jc.check(jnp.sin, lambda x: -jnp.diag(jnp.cos(x)), jnp.ones(2))
    >>> bool(report), report.diagnoses[0].name
    (False, 'the sign')
    """

    is_right: bool
    summary: str
    details: tuple[str, ...] = ()
    diagnoses: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    formula: str | None = None

    def __bool__(self) -> bool:
        return self.is_right

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return str(self)

    def _lines(self) -> Sequence[str]:
        lines = [self.summary, *(f"  {text}" for text in self.details)]
        lines += [f"  {finding}" for finding in self.diagnoses]
        if not self.is_right and not self.diagnoses:
            lines.append("  no known fault explains it")
        lines += [f"  note: {text}" for text in self.notes]
        return lines if self.formula is None else [*lines, f"  the derivative: {self.formula}"]

    def _repr_html_(self) -> str:
        first, *rest = map(escape, self._lines())
        items = "".join(f"<li>{line.strip()}</li>" for line in rest)
        return f"<b>{first}</b><ul>{items}</ul>"
