"""Whether matplotlib, an optional extra, is there."""

import importlib.util


def need_matplotlib(function: str) -> None:
    """Refuse to draw without it.

    Raises:
        ImportError: when it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            f"`{function}` needs matplotlib, but it is not installed; "
            'run `pip install "jaxcalc[plot]"`.'
        )
