"""PyTorch in a process of its own, whose samples alternate with those of JAX.

In one process its threads and JAX's spoil each other's times. The parent (`process`) sends the
worker (`worker`) the bits of a cell's arguments; it computes the cell in every way it can, sends
back the rows that are checked, and times whom it is told to, while JAX is idle.
No file here imports JAX, so that the worker is free of it.
"""
