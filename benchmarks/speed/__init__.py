"""How fast: jaxcalc at both accuracies against `jax.nn` and PyTorch, on JAX's device.

What is measured
    `value`; `vjp`, the backward pass alone, from what the forward pass kept; `value+vjp`, both in
    one program; `jvp`, value and tangent in one program; `hvp`, the Hessian of ⟨g, f(x)⟩ times a
    vector, forward over reverse in one program; `jacobian`, dense, of every row. All under
    `jax.jit`, on random data, for five functions (`cell`), on the cells that `grid` chooses.

    A second group, without PyTorch and with tables of its own: masks, weights and losses
    beside what is written in plain JAX (`uses`), classes along the first or several axes, and the
    functions made from a declaration, which have one accuracy only.

How
    1. Everyone computes the cell, and every result is compared with the plain formula in float64
       (`data`, `benchmarks.plain`). If one on JAX is wrong the cell fails; if a peer is, it is left
       out with a note.
    2. Everyone is warmed up, and a sample is made of as many calls as fill a few milliseconds.
    3. In every round everyone gives one sample, in an order shuffled anew (`benchmarks.timing`).
       PyTorch runs in its own process and rests while JAX is measured, and the other way round:
       in one process their threads spoil each other's times (`benchmarks.torch_side`).
    4. A ratio is the median over the rounds of time over the baseline's time in the same round,
       so that drift cancels, with a 95 % interval from a bootstrap over blocks of rounds
       (`benchmarks.statistics`). The baseline, `jax.nn`, takes part twice; the ratio of the two
       is the noise, and a verdict needs an interval clear of 1 and of the noise.
    5. GB/s follow from the least traffic that the computation needs (`benchmarks.traffic`), and
       stand beside a pass over as many bytes timed in the same run: `-x`, which reads and writes
       every element once.
    6. The error of each result is the relative error that 999 of 1000 entries stay below, in unit
       roundoffs, on the very data that was timed. The subject `accuracy` looks for the worst.
    7. Small inputs: the time of eager calls, and of compilation (`overhead`).
    8. Training steps of a perceptron and of a small language model, whole (`steps`).

Results are written to whatever pages the allocator gives: for large arrays often fresh ones, whose
faults cost as much as the computation. Settings in the environment that change this (`MALLOC_…`,
`GLIBC_TUNABLES`), or the threads, are recorded with the machine, as are all versions and the load.

What it cannot show: other machines, other shapes, programs in which XLA fuses these functions
with their surroundings.

    cell, grid, data, uses  what is measured, on which arrays
    jax_side, running, rows the contestants; one cell from start to rows
    overhead, steps         small inputs; training steps
    subject                 the run
    summary, tables         geometric means; what is shown
"""

from benchmarks.speed.subject import run as run
from benchmarks.speed.tables import parts as parts
