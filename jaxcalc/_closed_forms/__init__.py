"""The notes' Jacobians as operators: K numbers for a K×K matrix.

derivative         an operator that knows its formula
softmax_operators  the softmax family's Jacobians as operators that keep their digits
jacobians          the closed forms by name, for vectors
"""
