"""Handwritten digits: the data set that `train` is fitted to, and its split."""

from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
BRIGHTEST = 16
_DATA = resources.files("jaxcalc._commands") / "data"


class Digits(NamedTuple):
    """Images of handwritten digits and what they show."""

    images: NDArray[np.uint8]  # [n, 8, 8], from 0 (paper) to 16 (ink)
    labels: NDArray[np.uint8]  # [n], from 0 to 9


def load() -> Digits:
    """All 1,797 images."""
    with (_DATA / "digits.npz").open("rb") as file, np.load(file) as arrays:
        return Digits(arrays["images"], arrays["labels"])


def citation() -> str:
    """Where the data comes from and under which licence."""
    return (_DATA / "digits.txt").read_text(encoding="utf-8")


def split(digits: Digits, seed: int) -> tuple[Digits, Digits]:
    """Two thirds to fit and one third held out, every class in that proportion."""
    order = np.random.default_rng(seed).permutation(digits.labels.size)
    by_class = order[np.argsort(digits.labels[order], kind="stable")]
    held_out = np.zeros(digits.labels.size, dtype=bool)
    held_out[by_class[::3]] = True
    return _select(digits, ~held_out), _select(digits, held_out)


def _select(digits: Digits, keep: NDArray[np.bool_]) -> Digits:
    return Digits(digits.images[keep], digits.labels[keep])
