"""What was tried: forms of softmax and of its Jacobian product, with their errors and times.

Each form is a few lines of `jax.numpy`; those that jaxcalc uses are among them, marked. Time is
over that of the plain form on the same arrays; errors are the worst over the accuracy subject's
rows and tangents: of values in ULP, of products in units of u Σᵢ s_k sᵢ |t_k − tᵢ|.
"""

from benchmarks.forms.results import write_results
from benchmarks.forms.subject import run, show

__all__ = ["run", "show", "write_results"]
