"""Factors in words: what a number may be."""

import math

import numpy as np
import pytest

from jaxcalc._check._words import Names

NAMES = Names({"n": 7}, {"x": np.asarray([0.3, 1.13]), "t": np.asarray(0.37)})
NUMBERS = {
    "n, with n = 7": 7.0,
    "1/n, with n = 7": 1 / 7,
    "−1/2": -0.5,
    "2/3": 2 / 3,
    "1/log(2)": 1 / math.log(2),
    "−√2": -math.sqrt(2),
    "sum(x)": 1.43,
    "1/sum(x)": 1 / 1.43,
    "‖x‖": math.hypot(0.3, 1.13),
    "‖x‖²": 1.3669,
    "1/t": 1 / 0.37,
    "0.123457": 0.1234567,
    "−0.123457": -0.1234567,
}


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number(text):
    assert NAMES.number(NUMBERS[text]) == text
