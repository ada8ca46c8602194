"""The subcommands of `python -m jaxcalc`.

- `options`: a command, its arguments and the files it may write
- `verify`: every formula of the notes against automatic differentiation; the tables are
  `rule_formulas` and `function_formulas`, of what `formula` is, compared as in `comparison`
- `derive`: the derivative of an expression, which `reader` reads by the `vocabulary` and its
  `literals`, what is no Python by `notation`, and which `expression` computes, with transposed
  vectors as `rows`; shapes follow the `shape_rules`, and those not given are a `guess` of ranks and
  `sizes`; the comparison with autodiff is `derivation`
- `check`: an expression that is claimed to be the derivative of another
- `train`: a model of handwritten `digits`; its mathematics is `regression`, its methods `fitting`,
  its picture `picture`; with `--devices` its classes are split as in `splitting`, whose
  `communication` is counted; `--task language` is `language`: its text `corpus`, its mathematics
  `language_model`, its picture `learning_curves`
"""
