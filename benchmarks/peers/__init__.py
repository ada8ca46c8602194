"""Who is compared: jaxcalc, jax.nn, and torch and scipy where they are installed.

A peer evaluates one quantity of one function on NumPy arrays. Elementwise functions have the
quantities of `ORDERS`, functions of rows "value", "jvp", "vjp" and "jacobian". A further peer
is one file with a `find` function, and a place in `_FINDERS`.
"""

from benchmarks.peers import jax, scipy, torch
from benchmarks.peers.peer import DECLARED as DECLARED
from benchmarks.peers.peer import ELEMENTWISE as ELEMENTWISE
from benchmarks.peers.peer import LOSS as LOSS
from benchmarks.peers.peer import ORDERS as ORDERS
from benchmarks.peers.peer import ROWS as ROWS
from benchmarks.peers.peer import Peer as Peer

_FINDERS = (jax.find, torch.find, scipy.find)


def find_peers() -> list[Peer]:
    """Every peer that can be imported here."""
    return [peer for find in _FINDERS for peer in find()]
