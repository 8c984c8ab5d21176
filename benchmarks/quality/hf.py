"""The reference: Hugging Face Trainer on the files of split.py. Prints one JSON line per run.

Run in the environment of requirements.txt; MODEL is the directory that `kerasft assets ls` keeps for the checkpoint.

    python benchmarks/quality/hf.py --model MODEL --data build/quality/bbc_news --epochs 1 --seeds 0 1 2
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

BATCH, THREADS = 16, 2


def main() -> None:
    """One run per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="checkpoint directory")
    parser.add_argument("--data", type=Path, required=True, help="directory with train.csv and test.csv")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--length", type=int, default=128, help="most tokens of a text")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    for seed in args.seeds:
        print(json.dumps(run(args.model, args.data, args.epochs, args.length, seed)), flush=True)


def run(model_directory: str, directory: Path, epochs: int, length: int, seed: int) -> dict[str, object]:
    """Trains with one seed (of head, order and dropout) and evaluates the last weights on the test data."""
    train, test = (_read(directory / f"{part}.csv") for part in ("train", "test"))
    labels = sorted({label for _, label in train})
    tokenizer = AutoTokenizer.from_pretrained(model_directory)
    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        model_directory, num_labels=len(labels), dtype=torch.float32
    )
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                num_train_epochs=epochs,
                per_device_train_batch_size=BATCH,
                per_device_eval_batch_size=64,
                optim="adamw_torch",
                learning_rate=1e-4,
                lr_scheduler_type="linear",
                warmup_steps=0.1,  # a fraction of all steps
                weight_decay=0.01,
                adam_beta1=0.9,
                adam_beta2=0.999,
                max_grad_norm=1.0,
                seed=seed,
                use_cpu=True,
                logging_steps=50,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
            ),
            train_dataset=_encode(train, labels, tokenizer, length),
            data_collator=DataCollatorWithPadding(tokenizer),
        )
        started = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - started
        answers = trainer.predict(_encode(test, labels, tokenizer, length))
    right = np.argmax(answers.predictions, axis=-1) == answers.label_ids
    return {
        "side": "hugging face",
        "data": directory.name,
        "epochs": epochs,
        "length": length,
        "seed": seed,
        "accuracy": round(float(right.mean()), 6),
        "test": len(right),
        "seconds": round(seconds, 1),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _read(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label"]) for row in csv.DictReader(file)]


def _encode(rows: list[tuple[str, str]], labels: list[str], tokenizer, length: int) -> list[dict[str, object]]:
    encoded = tokenizer([text for text, _ in rows], truncation=True, max_length=length)
    position = {label: i for i, label in enumerate(labels)}
    targets = [position[label] for _, label in rows]
    return [{**{k: v[i] for k, v in encoded.items()}, "labels": target} for i, target in enumerate(targets)]


if __name__ == "__main__":
    main()
