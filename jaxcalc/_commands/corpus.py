"""The text of `train --task language`: what Python itself ships with; and its vocabulary.

A document is a topic of the language reference (`pydoc_data.topics`) or the docstrings of a module.
Its bytes are cut into words, and a word is one piece of the vocabulary or several. Every byte is a
piece, so that any text can be spelled.
"""

import platform
import re
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "pydoc_data", "lib2to3"}
HELD_OUT = 10  # one document in so many
DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
WORD = re.compile(rb" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\n+ *| +(?= )|\s")
BYTES = tuple(bytes([byte]) for byte in range(256))


class Corpus(NamedTuple):
    """The text as numbers of pieces."""

    vocabulary: "Vocabulary"  # of the text to fit
    train: NDArray[np.int32]
    held_out: NDArray[np.int32]


class Vocabulary:
    """All bytes, and the most frequent words."""

    def __init__(self, documents: Iterable[bytes], size: int) -> None:
        counts = Counter(word for text in documents for word in WORD.findall(text) if word[1:])
        frequent = (word for word, _ in counts.most_common(size - len(BYTES)))
        self.pieces = (*BYTES, *frequent)
        self._number = {piece: number for number, piece in enumerate(self.pieces)}
        self._spell = cache(self._spelled)

    def encode(self, text: bytes) -> NDArray[np.int32]:
        """The numbers of the pieces of the text."""
        numbers = [number for word in WORD.findall(text) for number in self._spell(word)]
        return np.asarray(numbers, np.int32)

    def decode(self, numbers: Iterable[int]) -> bytes:
        """The text of the pieces."""
        return b"".join(self.pieces[number] for number in numbers)

    def _spelled(self, word: bytes) -> tuple[int, ...]:
        """The longest piece that the word begins with, then of the rest, and so on."""
        if not word:
            return ()
        end = next(end for end in range(len(word), 0, -1) if word[:end] in self._number)
        return (self._number[word[:end]], *self._spelled(word[end:]))


def load(size: int, seed: int) -> Corpus:
    """The text, of which every tenth document is held out, and a vocabulary of that size."""
    texts = list(documents())
    order = np.random.default_rng(seed).permutation(len(texts))
    held_out, train = (
        [texts[i] for i in part] for part in np.split(order, [len(texts) // HELD_OUT])
    )
    vocabulary = Vocabulary(train, size)
    if len(vocabulary.pieces) < size:
        raise FileNotFoundError(
            f"the text has fewer than {size} words: this Python came without its source files"
        )
    return Corpus(
        vocabulary,
        vocabulary.encode(_joined(train)),
        vocabulary.encode(_joined(held_out)),
    )


def frequencies(corpus: Corpus) -> NDArray[np.float64]:
    """Of the pieces in the text to fit, none of them 0."""
    counts = np.bincount(corpus.train, minlength=len(corpus.vocabulary.pieces)) + 1
    return counts / counts.sum()


def documents() -> Iterator[bytes]:
    """The topics of the language reference, and the docstrings of each module, none twice."""
    from pydoc_data.topics import topics  # half a megabyte

    yield from (text.strip().encode() for text in topics.values())
    seen: set[str] = set()
    for path in source_files():
        strings = map(cleandoc, DOCSTRING.findall(path.read_text("utf-8", errors="replace")))
        new = [text for text in dict.fromkeys(strings) if text not in seen]
        seen.update(new)
        if new:
            yield "\n\n".join(new).encode()


def source_files() -> Sequence[Path]:
    """The modules of the standard library, without its tests."""
    library = Path(sysconfig.get_path("stdlib"))
    files = library.rglob("*.py")
    return sorted(f for f in files if not LEFT_OUT.intersection(f.relative_to(library).parts))


def citation() -> str:
    """Where the text comes from."""
    return (
        f"The text: what Python {platform.python_version()} itself ships with, the topics of its "
        "language reference\n(`pydoc_data.topics`) and the docstrings of its standard library; "
        "nothing is downloaded."
    )


def _joined(texts: Iterable[bytes]) -> bytes:
    return b"\n\n".join(texts)
