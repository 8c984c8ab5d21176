"""WNUT-17 with one checkpoint and the same hyper-parameters: kerasft, or Hugging Face's Trainer. A JSON line per run.

    make build/bench-env/.ready
    build/bench-env/bin/python benchmarks/ner.py hf --model MODEL --data wnut17
    build/bench-env/bin/python benchmarks/ner.py kerasft --model MODEL --data wnut17

MODEL is the directory that `kerasft assets ls` keeps for bert/minilm-l6. Both train on the training data for 5 epochs
and are measured on the test data with the weights of the last step. Both are scored by seqeval, in strict mode, on the
words of the data; kerasft also by its own report. seqeval's source no longer builds with current tools, so it is built
with older ones first:

    build/bench-env/bin/pip install 'setuptools_scm<8' 'setuptools<81' wheel
    build/bench-env/bin/pip install --no-build-isolation seqeval==1.2.2
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS, BATCH, RATE, WARMUP, DECAY, LENGTH = 5, 32, 1e-4, 50, 0.01, 128
TRAIN, TEST = "wnut17train.conll", "emerging.test.annotated"

Sentences = list[tuple[list[str], list[str]]]


def main() -> None:
    """One run per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("side", choices=["hf", "kerasft"])
    parser.add_argument("--model", required=True, help="checkpoint directory")
    parser.add_argument("--data", type=Path, required=True, help="directory with the files of WNUT-17")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--task-option", type=json.loads, default={}, help="JSON object, for kerasft")
    args = parser.parse_args()
    test = read(args.data / TEST)
    for seed in args.seeds:
        if args.side == "hf":
            tags, seconds, own = hugging_face(args.model, args.data, seed)
        else:
            tags, seconds, own = kerasft_run(args.model, args.data, seed, args.task_option)
        examples = EPOCHS * len(read(args.data / TRAIN)) / seconds
        figures = {"side": args.side, "seed": seed, **score([tags for _, tags in test], tags), **own}
        print(json.dumps({**figures, "seconds": round(seconds, 1), "examples/s": round(examples, 1)}), flush=True)


def read(path: Path) -> Sentences:
    """Words and tags of each sentence."""
    sentences: Sentences = [([], [])]
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.strip():
            sentences.append(([], []))
            continue
        word, tag = line.split("\t")
        sentences[-1][0].append(word)
        sentences[-1][1].append(tag.strip())
    return [sentence for sentence in sentences if sentence[0]]


def score(truth: list[list[str]], found: list[list[str]]) -> dict[str, float]:
    """Strict figures of seqeval."""
    from seqeval import metrics
    from seqeval.scheme import IOB2

    options = {"mode": "strict", "scheme": IOB2}
    return {
        name: round(float(getattr(metrics, f"{name}_score")(truth, found, **options)), 6)
        for name in ("f1", "precision", "recall")
    }


def hugging_face(model_directory: str, data: Path, seed: int) -> tuple[list[list[str]], float, dict[str, Any]]:
    """Tags of the test data, and the seconds of training."""
    import torch
    import transformers as tr

    torch.set_num_threads(2)
    train, test = read(data / TRAIN), read(data / TEST)
    names = sorted({tag for _, tags in train for tag in tags})
    position = {name: i for i, name in enumerate(names)}
    tokenizer = tr.AutoTokenizer.from_pretrained(model_directory)

    def encode(sentences: Sentences) -> list[dict[str, Any]]:
        rows = tokenizer(
            [words for words, _ in sentences], is_split_into_words=True, truncation=True, max_length=LENGTH
        )
        encoded = []
        for i, (_, tags) in enumerate(sentences):
            words = rows.word_ids(i)
            firsts = [w if w is not None and (k == 0 or words[k - 1] != w) else None for k, w in enumerate(words)]
            labels = [-100 if w is None else position.get(tags[w], 0) for w in firsts]
            encoded.append({**{name: values[i] for name, values in rows.items()}, "labels": labels})
        return encoded

    tr.set_seed(seed)
    model = tr.AutoModelForTokenClassification.from_pretrained(
        model_directory, num_labels=len(names), dtype=torch.float32
    )
    with tempfile.TemporaryDirectory() as scratch:
        arguments = tr.TrainingArguments(
            output_dir=scratch,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH,
            per_device_eval_batch_size=64,
            optim="adamw_torch",
            learning_rate=RATE,
            lr_scheduler_type="linear",
            warmup_steps=WARMUP,
            weight_decay=DECAY,
            max_grad_norm=1.0,
            seed=seed,
            use_cpu=True,
            logging_steps=1000,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        collator = tr.DataCollatorForTokenClassification(tokenizer)
        trainer = tr.Trainer(model=model, args=arguments, train_dataset=encode(train), data_collator=collator)
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        answers = trainer.predict(encode(test))
    best = np.argmax(answers.predictions, axis=-1)
    tags = [
        [names[b] for b, t in zip(row, labels, strict=True) if t != -100]
        for row, labels in zip(best, answers.label_ids, strict=True)
    ]
    tags = [found + ["O"] * (len(words) - len(found)) for found, (words, _) in zip(tags, test, strict=True)]
    return tags, seconds, {"torch": torch.__version__, "transformers": tr.__version__}


def kerasft_run(
    model: str, data: Path, seed: int, options: dict[str, Any]
) -> tuple[list[list[str]], float, dict[str, Any]]:
    """The same of kerasft, whose spans become tags of the words that they begin with."""
    import kerasft

    train, test = read(data / TRAIN), read(data / TEST)
    updates = EPOCHS * -(-len(train) // BATCH)
    with tempfile.TemporaryDirectory() as scratch:
        run = kerasft.finetune(
            str(Path(model).resolve()),
            "ner",
            str(data / TRAIN),
            validation=None,
            test=str(data / TEST),
            out=f"{scratch}/run",
            batch_size=BATCH,
            seed=seed,
            phases=[kerasft.Phase("all", EPOCHS, RATE, layer_decay=1.0, warmup=WARMUP / updates)],
            weight_decay=DECAY,
            clip_norm=1.0,
            backbone_options={"length": LENGTH},
            task_options=options,
        )
        seconds = json.loads((run.directory / "report.json").read_text())["training_seconds"]
        texts = [" ".join(words) for words, _ in test]
        answers = run.predict(texts)
        metrics = {f"report {name}": round(value, 6) for name, value in run.report.metrics.items()}
    tags = []
    for answer, (words, _) in zip(answers, test, strict=True):
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])[:-1]
        found = ["O"] * len(words)
        for entity in answer["entities"]:
            inside = [i for i, s in enumerate(starts) if s < entity["end"] and s + len(words[i]) > entity["start"]]
            for i in inside:
                found[i] = ("B-" if i == inside[0] else "I-") + entity["label"]
        tags.append(found)
    return tags, seconds, {**metrics, "kerasft": kerasft.__version__}


if __name__ == "__main__":
    main()
