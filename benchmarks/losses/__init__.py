"""The losses beside optax's, the plain formula and PyTorch's: error, time and memory.

Value and gradient, for logits of several scales, and of a last layer for several vocabularies.

    cases           logits, labels, and their true losses and gradients in float64
    contestants     everyone's loss of class indices, one a row
    rows_of_logits  error, memory and time of them, one row each for a case and a contestant
    vocabulary      the same of the loss joined with the last layer, beside the plain program
    subject         the run; tables, picture, results
"""

from benchmarks.losses.results import write_results as write_results
from benchmarks.losses.subject import run as run
from benchmarks.losses.tables import show as show
