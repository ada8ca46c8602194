"""`check_custom`: a function's own rule beside autodiff of its plain body."""

import jax
import jax.numpy as jnp
import pytest

import jaxcalc as jc

x = jnp.asarray([0.5, -1.0, 2.0])


def forward(rule):
    f = jax.custom_jvp(lambda x: jnp.sin(x) * x)
    f.defjvp(
        lambda primals, tangents: (jnp.sin(primals[0]) * primals[0], rule(*primals, *tangents))
    )
    return f


def backward(rule):
    f = jax.custom_vjp(lambda x, n: jnp.sin(x) * n)
    f.defvjp(lambda x, n: (jnp.sin(x) * n, (x, n)), lambda kept, g: (rule(*kept, g), None))
    return f


RIGHT = {
    "jvp": (forward(lambda x, t: (jnp.sin(x) + x * jnp.cos(x)) * t), (x,)),
    "vjp": (backward(lambda x, n, g: jnp.cos(x) * n * g), (x, 3)),
    "ours": (jax.custom_jvp(jnp.tanh), (x,)),
}
RIGHT["ours"][0].defjvp(lambda p, t: (jnp.tanh(*p), (1 - jnp.tanh(*p) ** 2) * t[0]))
# fmt: off
WRONG = {  # the laws that fail
    "factor": (
        forward(lambda x, t: 2 * (jnp.sin(x) + x * jnp.cos(x)) * t), (x,),
        {"J v", "Jᵀ w", "second order"}),
    "a missing term": (
        forward(lambda x, t: x * jnp.cos(x) * t), (x,), {"J v", "Jᵀ w", "second order"}),
    "second order alone": (
        forward(lambda x, t: jax.lax.stop_gradient(jnp.sin(x) + x * jnp.cos(x)) * t), (x,),
        {"second order"}),
    "backward": (backward(lambda x, n, g: jnp.sin(x) * n * g), (x, 3), {"Jᵀ w", "second order"}),
}
# fmt: on


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_right_rules(name):
    f, args = RIGHT[name]
    report = jc.check_custom(f, *args)
    assert report, str(report)
    assert str(report).startswith("right: the rule of ")
    assert ("can't apply forward-mode" in str(report)) == (name == "vjp")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_name_the_laws_that_fail(name):
    f, args, laws = WRONG[name]
    report = jc.check_custom(f, *args)
    assert not report
    assert {finding.name for finding in report.diagnoses} == laws


def test_values_that_are_not_those_of_the_body():
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda p, t: (jnp.sin(p[0]), jnp.cos(p[0]) * t[0]))
    assert jc.check_custom(f, x)


def test_refusals():
    with pytest.raises(
        TypeError, match=r"`f` must be a `jax\.custom_jvp` or `jax\.custom_vjp` function"
    ):
        jc.check_custom(jnp.sin, x)
    with pytest.raises(TypeError, match="`args` must hold a real floating array"):
        jc.check_custom(RIGHT["jvp"][0], 3)
    with pytest.raises(TypeError, match="`rtol` must be a Python number, but got str"):
        jc.check_custom(*RIGHT["jvp"][:1], x, rtol="1e-8")
