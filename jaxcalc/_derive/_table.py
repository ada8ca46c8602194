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
from jaxcalc._formula import PLAIN
from jaxcalc._functions.activations import ELEMENTWISE


class Meaning(NamedTuple):
    """What a primitive does to a real value, and to a complex one."""

    real: Rule
    complex: complex_.ComplexRule = complex_.unknown


def _alike(rule: Rule) -> Meaning:
    """The same to the real and to the imaginary part."""
    return Meaning(rule, complex_.each(rule))


NO_ROW = Meaning(opaque)
TABLE: dict[str, Meaning] = {
    # arithmetic
    "add": _alike(rules.total),
    "add_any": _alike(rules.total),
    "convert_element_type": Meaning(rules.converted, complex_.converted),
    "copy": _alike(rules.same),
    "copy_p": Meaning(rules.same),
    "device_put": Meaning(rules.same),
    "div": Meaning(rules.quotient, complex_.divided),
    "dot_general": Meaning(rules.contracted, complex_.bilinear(rules.contracted)),
    "mul": Meaning(rules.product, complex_.multiplied),
    "neg": Meaning(rules.negative, complex_.negated),
    "optimization_barrier": Meaning(rules.same),
    "reduce_sum": _alike(rules.summed),
    "select_n": _alike(rules.choice),
    "sharding_constraint": Meaning(rules.same),
    "sub": _alike(rules.difference),
    # complex numbers
    "complex": Meaning(opaque, complex_.together),
    "conj": Meaning(opaque, complex_.conjugate),
    "fft": Meaning(opaque, complex_.transformed),
    "imag": Meaning(opaque, complex_.imaginary),
    "real": Meaning(opaque, complex_.real),
    # axes
    "broadcast_in_dim": _alike(rules.broadcast),
    "reshape": _alike(indexing.reshape),
    "squeeze": _alike(rules.squeezed),
    "transpose": Meaning(rules.transposed, complex_.reordered),
    # indexing
    "concatenate": _alike(indexing.concatenate),
    "dynamic_slice": Meaning(indexing.dynamic_slice),
    "dynamic_update_slice": Meaning(indexing.dynamic_update_slice),
    "gather": Meaning(indexing.selected),
    "pad": Meaning(indexing.pad, complex_.padded),
    "rev": _alike(indexing.rev),
    "scatter": Meaning(indexing.selected),
    "scatter-add": Meaning(indexing.scattered),
    "scatter-mul": Meaning(scatters.multiplied),
    "scatter-sub": Meaning(scatters.subtracted),
    "slice": _alike(indexing.slice_),
    "split": _alike(indexing.split),
    "stack": Meaning(indexing.stack),
    "tile": Meaning(indexing.selected),
    "unstack": Meaning(indexing.unstack),
    # along an axis
    "conv_general_dilated": Meaning(convolved),
    "cumsum": Meaning(cumulated),
    "custom_linear_solve": Meaning(solutions.solved),
    "triangular_solve": Meaning(solutions.substituted),
    # elementwise
    "Ldexp": Meaning(by_ones),
    "polynomial": Meaning(by_ones),
    # programs
    "cond": Meaning(loops.or_opaque(loops.branched)),
    "scan": Meaning(loops.or_opaque(loops.scanned)),
    "while": Meaning(loops.or_opaque(loops.repeated)),
    # the package's own
    "jaxcalc_binary_cross_entropy_product": Meaning(own.scaling("binary_cross_entropy")),
    "jaxcalc_distribution_cross_entropy_product": Meaning(
        own.row_sum("distribution_cross_entropy")
    ),
    "jaxcalc_distribution_cross_entropy_transposed": Meaning(
        own.scaling("distribution_cross_entropy")
    ),
    "jaxcalc_exponentials_product": Meaning(own.row_sum("exponentials")),
    "jaxcalc_exponentials_transposed": Meaning(own.scaling("exponentials")),
    "jaxcalc_index_cross_entropy_product": Meaning(own.row_sum("index_cross_entropy")),
    "jaxcalc_index_cross_entropy_transposed": Meaning(own.scaling("index_cross_entropy")),
    "jaxcalc_log_softmax_product": Meaning(own.softmax_map("log_softmax")),
    "jaxcalc_log_softmax_transposed": Meaning(own.softmax_map("log_softmax_transposed")),
    "jaxcalc_logistic_product": Meaning(own.scaling("logistic")),
    "jaxcalc_logsumexp_product": Meaning(own.row_sum("logsumexp")),
    "jaxcalc_logsumexp_transposed": Meaning(own.scaling("logsumexp")),
    "jaxcalc_masked_product": Meaning(own.masked_product),
    "jaxcalc_refused": Meaning(own.refused),
    "jaxcalc_softmax_product": Meaning(own.softmax_map("softmax")),
    "jaxcalc_weighted_sum": Meaning(own.row_sum("weighted_sum")),
    "jaxcalc_weighted_sum_transposed": Meaning(own.scaling("weighted_sum")),
    **{f"jaxcalc_{f.product.name}": Meaning(own.scaling(f.name)) for f in ELEMENTWISE},
    **dict.fromkeys(PLAIN, Meaning(own.plainly)),
}
