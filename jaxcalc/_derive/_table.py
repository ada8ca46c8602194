"""The table of primitives: what each of them does to a value of a linear program.

One row a primitive, here and nowhere else: the rule for real values and, where there is one, that
for complex ones. A primitive without a row is a matrix-free map, exact all the same.
"""

from typing import NamedTuple

from jaxcalc._derive import _complex as complex_
from jaxcalc._derive import _indexing as indexing
from jaxcalc._derive import _loops as loops
from jaxcalc._derive import _own as own
from jaxcalc._derive import _rules as rules
from jaxcalc._derive import _scatters as scatters
from jaxcalc._derive import _solutions as solutions
from jaxcalc._derive._by_ones import by_ones
from jaxcalc._derive._convolutions import convolved
from jaxcalc._derive._opaque import opaque
from jaxcalc._derive._step import Rule
from jaxcalc._derive._structured import cumulated


class Row(NamedTuple):
    """What a primitive does to a real value, and to a complex one."""

    real: Rule
    complex: complex_.ComplexRule = complex_.unknown


def _alike(rule: Rule) -> Row:
    """The same to the real and to the imaginary part."""
    return Row(rule, complex_.each(rule))


NO_ROW = Row(opaque)
TABLE: dict[str, Row] = {
    # arithmetic
    "add": _alike(rules.total),
    "add_any": _alike(rules.total),
    "convert_element_type": Row(rules.converted, complex_.converted),
    "copy": _alike(rules.same),
    "copy_p": Row(rules.same),
    "device_put": Row(rules.same),
    "div": Row(rules.quotient, complex_.divided),
    "dot_general": Row(rules.contracted, complex_.bilinear(rules.contracted)),
    "mul": Row(rules.product, complex_.multiplied),
    "neg": Row(rules.negative, complex_.negated),
    "optimization_barrier": Row(rules.same),
    "reduce_sum": _alike(rules.summed),
    "select_n": _alike(rules.choice),
    "sharding_constraint": Row(rules.same),
    "sub": _alike(rules.difference),
    # complex numbers
    "complex": Row(opaque, complex_.together),
    "conj": Row(opaque, complex_.conjugate),
    "fft": Row(opaque, complex_.transformed),
    "imag": Row(opaque, complex_.imaginary),
    "real": Row(opaque, complex_.real),
    # axes
    "broadcast_in_dim": _alike(rules.broadcast),
    "reshape": _alike(indexing.reshape),
    "squeeze": _alike(rules.squeezed),
    "transpose": Row(rules.transposed, complex_.reordered),
    # indexing
    "concatenate": _alike(indexing.concatenate),
    "dynamic_slice": Row(indexing.dynamic_slice),
    "dynamic_update_slice": Row(indexing.dynamic_update_slice),
    "gather": Row(indexing.selected),
    "pad": Row(indexing.pad, complex_.padded),
    "rev": _alike(indexing.rev),
    "scatter": Row(indexing.selected),
    "scatter-add": Row(indexing.scattered),
    "scatter-mul": Row(scatters.multiplied),
    "scatter-sub": Row(scatters.subtracted),
    "slice": _alike(indexing.slice_),
    "split": _alike(indexing.split),
    "stack": Row(indexing.stack),
    "tile": Row(indexing.selected),
    "unstack": Row(indexing.unstack),
    # along an axis
    "conv_general_dilated": Row(convolved),
    "cumsum": Row(cumulated),
    "custom_linear_solve": Row(solutions.solved),
    "triangular_solve": Row(solutions.substituted),
    # elementwise
    "Ldexp": Row(by_ones),
    "polynomial": Row(by_ones),
    # programs
    "cond": Row(loops.or_opaque(loops.branched)),
    "scan": Row(loops.or_opaque(loops.scanned)),
    "while": Row(loops.or_opaque(loops.repeated)),
    # the package's own
    "jaxcalc_binary_cross_entropy_product": Row(own.scaling("binary_cross_entropy")),
    "jaxcalc_distribution_cross_entropy_product": Row(own.row_sum("distribution_cross_entropy")),
    "jaxcalc_distribution_cross_entropy_transposed": Row(own.scaling("distribution_cross_entropy")),
    "jaxcalc_index_cross_entropy_product": Row(own.row_sum("index_cross_entropy")),
    "jaxcalc_index_cross_entropy_transposed": Row(own.scaling("index_cross_entropy")),
    "jaxcalc_log_softmax_product": Row(own.softmax_map("log_softmax")),
    "jaxcalc_log_softmax_transposed": Row(own.softmax_map("log_softmax_transposed")),
    "jaxcalc_logistic_product": Row(own.scaling("logistic")),
    "jaxcalc_logsumexp_product": Row(own.row_sum("logsumexp")),
    "jaxcalc_logsumexp_transposed": Row(own.scaling("logsumexp")),
    "jaxcalc_masked_product": Row(own.masked_product),
    "jaxcalc_refused": Row(own.refused),
    "jaxcalc_softmax_product": Row(own.softmax_map("softmax")),
    "jaxcalc_weighted_sum": Row(own.row_sum("weighted_sum")),
    "jaxcalc_weighted_sum_transposed": Row(own.scaling("weighted_sum")),
}
