"""How accurate and how fast jaxcalc is beside its peers: `python -m benchmarks`."""
