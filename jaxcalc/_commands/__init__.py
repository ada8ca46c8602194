"""The subcommands of `python -m jaxcalc`.

- `options`: a command, its arguments and the files it may write
- `verify`: every formula of the notes against automatic differentiation; the table is `formulas`
- `train`: a model of handwritten `digits`; its mathematics is `regression`, its methods `fitting`,
  its picture `picture`
"""
