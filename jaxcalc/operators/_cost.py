"""What it costs to keep a linear map and to apply it, beside the dense form."""

from typing import NamedTuple

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


class Cost(NamedTuple):
    """Bytes to store a linear map and flops of one product, of its structure and of its matrix.

    >>> print(Cost(8, 2, 16, 8))
    8 B stored (dense 16 B), 2 flop a product (dense 8 flop)
    """

    bytes: int
    flops: int
    dense_bytes: int
    dense_flops: int

    def __str__(self) -> str:
        return (
            f"{_written(self.bytes, 'B')} stored (dense {_written(self.dense_bytes, 'B')}), "
            f"{_written(self.flops, 'flop')} a product "
            f"(dense {_written(self.dense_flops, 'flop')})"
        )


def _written(amount: float, unit: str) -> str:
    power = 0
    while amount >= 1000 and power < len(_PREFIXES) - 1:
        amount, power = amount / 1000, power + 1
    return f"{amount:.3g} {_PREFIXES[power]}{unit}"
