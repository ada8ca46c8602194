"""The two layouts of a derivative, and Jacobians and Hessians of any function in either.

layout     Layout, the shape table, a worked 2×3 example
arguments  what is differentiated, and checked
modes      forward or reverse
jacobian   jacobian and hessian, as arrays
"""
