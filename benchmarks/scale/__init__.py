"""How programs scale: what devices say to each other when classes are split, and memory.

What is measured
    Compiled programs, in which everything is counted and of which nothing is run: the value, value
    and gradient with a given cotangent (`value+vjp`), and the gradient with its derivative along a
    tangent (`vjp+hvp`).

    communication   the class axis over `DEVICES` virtual CPU devices, under plain `jit` with a
                    split argument, and inside `shard_map` with `axis_name=`: rounds, numbers and
                    bytes a row (`communication`), and whether anything as large as a device's part
                    of x is handed over
    memory          temporaries of value+vjp on one device, in arrays like x

    hlo, communication   the text of a program, and what is counted in it
    programs             what is compiled
    splitting            the ways of splitting; their rows
    memory               its rows
    aims, tables         what is aimed at; the tables
    subject, __main__    the rows come from a process of its own, which has several devices
"""

from benchmarks.scale.subject import run as run
from benchmarks.scale.tables import show as show
