"""The contestants of our own."""

OWN = "derive"
OWN_JC = "derive, jc"  # of the same function from jaxcalc
GIVEN = "derive, J given"  # found once, passed to a compiled function
MUST_BE_RIGHT = frozenset({OWN, OWN_JC, GIVEN, "jacfwd", "jacrev", "jvp"})
