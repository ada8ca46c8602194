"""Pictures of derivatives, and of their errors.

    jacobian    a heat map of a derivative, its formula above; `J.show()` is the same
    accuracy    the error of a function's derivative over x, beside that of `jax.nn`

Both draw with matplotlib, the optional extra `plot`, which is imported when one of them is called.
They return the `Figure`, which a notebook shows and `savefig` writes, and take `ax`, the `Axes` to
draw on instead. They need no window: nothing of `matplotlib.pyplot` is used or changed, and
nothing is shown by itself.

>>> import jax.numpy as jnp, jaxcalc as jc
>>> figure = jc.plot.jacobian(jc.derive(jc.softmax)(jnp.arange(4.0)))
>>> print(figure.axes[0].get_ylabel(), "|", figure.axes[0].get_xlabel())
outputs y | inputs x

The rooms:

    _library     whether matplotlib is there
    _seen        what is shown of a derivative: its matrix, what its axes follow, its formula
    _jacobian    `jacobian`
    _references  derivatives in float64, and errors in units in the last place
    _accuracy    `accuracy`
    _titles      formulas that fit above a picture
    _picture     figures that a notebook shows
    _heat_map    the heat map
    _curves      the errors over x

The last four import matplotlib.
"""

from jaxcalc.plot._accuracy import accuracy as accuracy
from jaxcalc.plot._jacobian import jacobian as jacobian

__all__ = ["accuracy", "jacobian"]
