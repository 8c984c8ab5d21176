"""Commands and files as they stand in the project's own pages."""

import io
import os
import re
import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def files(page: str) -> dict[str, str]:
    """Fenced blocks under headings that are file names: the files a page tells the reader to write."""
    found, heading = {}, ""
    for match in re.finditer(r"^## ([^\n]+)$|^```\w+\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL):
        if match[1]:
            heading = match[1]
        elif re.fullmatch(r"`[\w./-]+`", heading):
            found[heading.strip("`")] = match[2]
    return found


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Indented kerasft commands, with their continuation lines joined."""
    joined = read(page).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in re.findall(r"^ {4}(\S.*)$", joined, re.MULTILINE)]
    return [line.partition("  #")[0] for line in lines if "kerasft " in line]


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def run(command: str, monkeypatch, capsys) -> str:
    """Runs a documented shell line in this process (TensorFlow starts once) and returns what it printed."""
    from kerasft.cli import main

    if "|" in command:
        left, _, command = command.partition("|")
        name = shlex.split(left)[1]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(name).read_bytes()), encoding="utf-8"))
    words = shlex.split(command)
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    assert words.pop(0) == "kerasft"
    try:
        main.main(words, standalone_mode=False)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    shown = capsys.readouterr()
    assert code == 0, f"{command}\n{shown.err}"
    os.environ.pop("KERASFT_OFFLINE", None)
    return shown.out


def write_reviews(folder: Path) -> None:
    """The files that README.md and docs/howto.md speak of."""
    good, bad = "a good clean room with a fine view", "a bad noisy room with no view"
    rows = [(f"{text}, number {i}", label) for i in range(20) for text, label in ((good, "good"), (bad, "bad"))]
    _csv(folder / "reviews.csv", "text,label", [f'"{text}",{label}' for text, label in rows])
    _csv(folder / "more-reviews.csv", "text,label", ['"a good room",good', '"a bad room",bad'])
    _csv(folder / "test.csv", "text,label", ['"good and clean",good', '"noisy and bad",bad'])
    _csv(folder / "tickets.csv", "id,message,team", [f'{i},"{text}",{label}' for i, (text, label) in enumerate(rows)])
    _csv(folder / "stars.csv", "text,rating", [f'"{text}",{5 if label == "good" else 1.5}' for text, label in rows])
    labels = {"good": '["good", "quiet"]', "bad": '["bad"]'}
    lines = [f'{{"text": "{text}", "labels": {labels[label]}}}' for text, label in rows]
    (folder / "topics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    names, places = ("Ada", "Bea", "Cy"), ("Kew", "Rye", "Ely")
    found = [(names[i % 3], places[i // 3 % 3]) for i in range(36)]
    sentences = [f"{name}\tB-person\nmoved\tO\nto\tO\n{place}\tB-place\n.\tO\n" for name, place in found]
    (folder / "names.conll").write_text("\n".join(sentences), encoding="utf-8")
    entities = '[{"start": 0, "end": 3, "label": "person"}]'
    (folder / "names.jsonl").write_text(f'{{"text": "Eve left.", "entities": {entities}}}\n', encoding="utf-8")
    boxes = [f"photos/dark/{i}.png,5,5,25,20,box" for i in range(1, 16, 2)]
    _csv(folder / "boxes.csv", "image,x_min,y_min,x_max,y_max,label", boxes)
    (folder / "lines.txt").write_text("a good room\nno view\n", encoding="utf-8")


def write_photos(folder: Path) -> None:
    """The folder of images that docs/howto.md speaks of: bright and dark noise, ten of each."""
    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(0)
    for i in range(20):
        label = ("bright", "dark")[i % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        pixels = dice.integers(0, 120, (30, 40, 3), np.uint8) + np.uint8(120 * (i % 2 == 0))
        Image.fromarray(pixels).save(folder / label / f"{i}.png")


def _csv(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
