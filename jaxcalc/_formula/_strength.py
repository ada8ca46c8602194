"""How strongly the operations of a formula, and of Python, bind: from comparisons to atoms."""

COMPARISON, SUM, OUTER, PRODUCT, POSTFIX, ATOM = range(6)
