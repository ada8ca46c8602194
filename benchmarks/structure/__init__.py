"""The parts of the subject `derive`.

names      what the contestants of our own are called
trial      a contestant is made ready within a time limit, and its result checked
contest    the contestants of one case timed in turns; aims, and whether they were met
cases      functions with their Jacobians in NumPy
products   products with the Jacobian: `derive`, one `jax.jvp`, the peers
dense      dense forms and blocks: `derive`, autodiff, the peers
growing    functions of vectors of any size, and what their derivatives do, in NumPy
growth     products, diagonal, trace, log-determinant and solve from 10³ to 10⁶ entries
overhead   the time to trace
tables     the tables on the terminal
picture    the picture
"""
