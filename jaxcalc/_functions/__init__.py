"""The logistic function, softmax and their losses, with the notes' closed-form derivatives.

From the ground up:

    primitives                    values and Jacobian products as primitives of their own
    fusion                        the form of a row's map that XLA:GPU compiles to one kernel
    rows                          shifted exponentials of rows
    row_primitives                primitives of rows, split over devices or not
    masks                         what is left out
    labels                        class indices and distributions
    native                        rows on CPUs, in C++
    kernels                       rows on NVIDIA Hopper GPUs, in one kernel
    holomorphic                   the same of complex numbers, by the plain formulas
    softmax_maps                  the linear maps of the softmax family
    logistic                      sigmoid, log_sigmoid, softplus
    soft_cap                      c tanh(x/c)
    exponents                     exp(−h) with all of its digits
    gates                         x g(x), g rational in exp q(x)
    gaussian, cubic               x Φ(x); the exponent of its approximation
    elementwise                   functions of each entry, from declarations
    activations                   silu, mish, softsign, gelu
    binary_cross_entropy          sigmoid_binary_cross_entropy, sigmoid_focal_loss
    softmax                       softmax, log_softmax
    rowwise                       piecewise linear functions of rows, from declarations
    sparsemax                     sparsemax
    weighted_logsumexp            log-sum-exp with weights of either sign
    logsumexp                     logsumexp
    index_cross_entropy           cross-entropy of class indices
    distribution_cross_entropy    cross-entropy of distributions
    divergences                   kl_divergence, entropy
    softmax_cross_entropy         softmax_cross_entropy, with its other terms
    linear_softmax_cross_entropy  the same of a linear layer, a chunk of rows at a time

Nothing is re-exported here, so that `jaxcalc._functions.softmax` stays the module.
"""
