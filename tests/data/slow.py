"""Which cases every run takes, and which are left to `-m slow`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest

slow = pytest.mark.slow


def some(cases: Iterable[Any], keep: Collection[Any]) -> list[Any]:
    """The cases for `parametrize`, all but those kept marked slow.

    A tuple is a case of several arguments.
    """
    cases = list(cases)
    if unknown := [case for case in keep if case not in cases]:
        raise ValueError(f"`keep` must be among the cases, but has {unknown}")
    marks = [() if case in keep else slow for case in cases]
    several = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*s, marks=m) for s, m in zip(several, marks, strict=True)]
