"""`train --task language`: a small language model, its softmax joined with its last layer."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jaxcalc._commands import corpus, language_model
from jaxcalc._commands.language_model import Model, Sizes, Training
from jaxcalc._commands.options import write_json

NAME = "language"
MIB = 2**20
PROGRESS = "{:26}step {:4}   loss {:7.4f}   {:6.0f} pieces/s"
HEADER = "{:26}{:>15}{:>15}{:>12}{:>10}{:>9}{:>12}"
ROW = "{:26}{:15.4f}{:15.4f}{:12.2f}{:10.0f}{:9.1f}{:12.0f}"


class Setting(NamedTuple):
    """How large, and how long."""

    sizes: Sizes = Sizes()
    windows: int = 32  # of a step
    steps: int = 120
    rate: float = 1e-2  # of Adam, at its highest
    reports: int = 10


class Way(NamedTuple):
    """What one of the runs computes in, and its loss."""

    name: str
    dtype: Any
    loss: language_model.Loss


@dataclass(frozen=True)
class TrainedModel:
    """One row of the closing table."""

    name: str
    training_loss: float  # the mean since the last report but one
    held_out_loss: float
    held_out_perplexity: float
    pieces_per_second: float
    seconds: float  # compilation apart
    step_bytes: int
    losses: list[float]


SETTING = Setting()
OURS = Way("bfloat16, jaxcalc's loss", jnp.bfloat16, language_model.joined_loss)
PLAIN = Way("bfloat16, plain loss", jnp.bfloat16, language_model.plain_loss)
WIDE = Way("float32, plain loss", jnp.float32, language_model.plain_loss)


def run(options: argparse.Namespace) -> int:
    """Train once, or with `--plot` in three ways; print how it went, and write the files."""
    _refuse(options)
    with jax.enable_x64(False):
        return _train(options, SETTING)


def _refuse(options: argparse.Namespace) -> None:
    if options.devices is not None:
        options.refuse("argument --devices: is for --task digits only")
    if options.x64:
        options.refuse("argument --x64: is for --task digits only; this one computes in bfloat16")


def _train(options: argparse.Namespace, setting: Setting) -> int:
    print(corpus.citation(), flush=True)
    text = corpus.load(setting.sizes.vocabulary, options.seed)
    by_frequency = float(np.exp(-np.mean(np.log(corpus.frequencies(text))[text.held_out])))
    _print_setting(setting, text, by_frequency, options.seed)
    trained = (WIDE, PLAIN, OURS) if options.plot else (OURS,)
    steps = {way: compiled_step(way, setting) for way in dict.fromkeys((*trained, PLAIN))}
    memory = {way.name: step_bytes(step) for way, step in steps.items()}
    _print_memory(memory)
    results = [_fit(way, steps[way], setting, text, options.seed) for way in trained]
    _print_table(results)
    _write_json(options, setting, text, by_frequency, memory, results)
    _draw(options.plot, results)
    return 0 if all(result.held_out_perplexity < by_frequency for result in results) else 1


def _print_setting(setting: Setting, text: corpus.Corpus, by_frequency: float, seed: int) -> None:
    V, L, D, H, depth = setting.sizes
    rows = setting.windows * L
    print(
        f"{len(text.train)} pieces to fit, {len(text.held_out)} held out (seed {seed}); "
        f"vocabulary of {V}: {len(corpus.BYTES)} bytes and the most frequent words;\n"
        f"by their frequencies alone the held-out perplexity is {by_frequency:.0f}\n"
        f"{depth} layers of width {D}, {H} heads, context {L}; {setting.steps} steps of "
        f"{rows} pieces, {rows}×{V} logits each; on {jax.local_devices()[0].device_kind}",
        flush=True,
    )


def compiled_step(way: Way, setting: Setting) -> Any:
    """One step of Adam, in place: of the training, the windows and the rate."""

    def step(t: Training, windows: jax.Array, rate: jax.Array) -> tuple[Training, jax.Array]:
        loss = partial(language_model.mean_loss, dtype=way.dtype, loss=way.loss)
        value, gradient = jax.value_and_grad(loss)(t.model, windows)
        return language_model.adam_step(t, gradient, rate), value

    frequencies = np.ones(setting.sizes.vocabulary)
    training = jax.eval_shape(lambda: _start(setting.sizes, frequencies, seed=0))
    windows = jax.ShapeDtypeStruct((setting.windows, setting.sizes.length + 1), jnp.int32)
    rate = jax.ShapeDtypeStruct((), jnp.float32)
    return jax.jit(step, donate_argnums=0).lower(training, windows, rate).compile()


def step_bytes(step: Any) -> int:
    """What a compiled step holds at most: arguments, results that are not in their place, rest."""
    used = step.memory_analysis()
    return int(
        used.argument_size_in_bytes
        + used.output_size_in_bytes
        - used.alias_size_in_bytes
        + used.temp_size_in_bytes
    )


def _start(sizes: Sizes, frequencies: NDArray[np.floating], seed: int) -> Training:
    return language_model.start(language_model.random_model(sizes, frequencies, seed))


def _print_memory(memory: dict[str, int]) -> None:
    for name, size in memory.items():
        print(f"peak memory of a training step, as compiled: {size / MIB:6.0f} MiB   {name}")
    print(flush=True)


def _fit(way: Way, step: Any, setting: Setting, text: corpus.Corpus, seed: int) -> TrainedModel:
    training = _start(setting.sizes, corpus.frequencies(text), seed)
    losses: list[float] = []
    block = -(-setting.steps // setting.reports)
    begun = time.perf_counter()
    for windows in batches(text.train, setting, seed):
        training, loss = step(training, windows, jnp.float32(rate(len(losses), setting)))
        losses.append(float(loss))
        if len(losses) % block == 0:
            speed = len(losses) * windows[:, 1:].size / (time.perf_counter() - begun)
            recent = float(np.mean(losses[-block:]))
            print(PROGRESS.format(way.name, len(losses), recent, speed), flush=True)
    seconds = time.perf_counter() - begun
    held_out = held_out_loss(training.model, text.held_out, setting)
    return TrainedModel(
        name=way.name,
        training_loss=float(np.mean(losses[-block:])),
        held_out_loss=held_out,
        held_out_perplexity=float(np.exp(held_out)),
        pieces_per_second=len(losses) * setting.windows * setting.sizes.length / seconds,
        seconds=seconds,
        step_bytes=step_bytes(step),
        losses=losses,
    )


def batches(pieces: NDArray[np.int32], setting: Setting, seed: int) -> NDArray[np.int32]:
    """The windows of each step, shuffled; none twice before each was there."""
    windows = cut(pieces, setting.sizes.length)
    count = setting.steps * setting.windows
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(len(windows)) for _ in range(-(-count // len(windows)))]
    order = np.concatenate(rounds)[:count].reshape(setting.steps, setting.windows)
    return windows[order]


def cut(pieces: NDArray[np.int32], length: int) -> NDArray[np.int32]:
    """Windows of `length` pieces and the one that follows, side by side."""
    return np.lib.stride_tricks.sliding_window_view(pieces, length + 1)[::length]


def rate(step: int, setting: Setting) -> float:
    """Up over the first tenth of the steps, then down in a straight line."""
    part = (step + 1) / (setting.steps + 1)
    return setting.rate * min(10 * part, (1 - part) / 0.9)


def held_out_loss(model: Model, pieces: NDArray[np.int32], setting: Setting) -> float:
    """The mean in float32, whatever the model was trained in."""
    windows = cut(pieces, setting.sizes.length)
    groups = len(windows) // setting.windows
    whole = windows[: groups * setting.windows].reshape(groups, setting.windows, -1)
    return float(np.mean([_wide_loss(model, group) for group in whole]))


@jax.jit
def _wide_loss(model: Model, windows: jax.Array) -> jax.Array:
    return language_model.mean_loss(model, windows, jnp.float32, language_model.joined_loss)


def _print_table(results: Sequence[TrainedModel]) -> None:
    print()
    print(
        HEADER.format(
            "",
            "training loss",
            "held-out loss",
            "perplexity",
            "pieces/s",
            "seconds",
            "MiB a step",
        )
    )
    for r in results:
        row = (r.name, r.training_loss, r.held_out_loss, r.held_out_perplexity)
        print(ROW.format(*row, r.pieces_per_second, r.seconds, r.step_bytes / MIB))
    print(
        "\ntraining loss: the mean of the last steps; held-out loss and perplexity: of a piece, "
        "computed in float32;\nseconds: of the steps, without compilation"
        + ("; seed and batches of all runs are the same" if len(results) > 1 else "")
    )


def _write_json(
    options: argparse.Namespace,
    setting: Setting,
    text: corpus.Corpus,
    by_frequency: float,
    memory: dict[str, int],
    results: Sequence[TrainedModel],
) -> None:
    record = {
        "task": NAME,
        "seed": options.seed,
        "device": jax.local_devices()[0].device_kind,
        "text": corpus.citation(),
        "train_pieces": len(text.train),
        "held_out_pieces": len(text.held_out),
        "frequency_perplexity": by_frequency,
        "sizes": setting.sizes._asdict(),
        "windows": setting.windows,
        "steps": setting.steps,
        "step_bytes": memory,
        "runs": [asdict(result) for result in results],
    }
    write_json(options.json, record)


def _draw(path: Path | None, results: Sequence[TrainedModel]) -> None:
    if path is None:
        return
    from jaxcalc._commands import learning_curves  # matplotlib is an optional extra

    learning_curves.draw(
        path,
        {
            f"{r.name}: held-out perplexity {r.held_out_perplexity:.1f}, "
            f"{r.step_bytes / MIB:.0f} MiB a step": r.losses
            for r in results
        },
    )
