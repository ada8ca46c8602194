"""What XLA makes of the grid for a GPU that is not there: `python -m benchmarks.compiled`.

Kernels and bytes moved are counted in the compiled program; nothing is run, so nothing is timed.
The target is a text description of a card, as `jax.experimental.topologies` takes it. Needs the
wheels of the extra `compile-cuda` and no GPU.
"""
