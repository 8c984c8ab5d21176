"""One measurement of Hugging Face Trainer with dynamic padding, optionally grouped by length. Prints a JSON line.

The warm-up trains the same model on one batch. Nothing is logged, evaluated or saved; all else is the library's
default, which on a CPU means fused AdamW and PyTorch's scaled dot-product attention.
"""

import os

THREADS = 2
# Before torch is imported. Waiting OpenMP threads that spin would take the time of other work.
os.environ |= {"OMP_NUM_THREADS": str(THREADS), "OMP_WAIT_POLICY": "PASSIVE", "TRANSFORMERS_VERBOSITY": "error"}

import tempfile  # noqa: E402
import time  # noqa: E402
from importlib.metadata import version  # noqa: E402
from typing import Any  # noqa: E402

import meter  # noqa: E402
import texts as data  # noqa: E402
import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)

BATCH, WARM = 32, 32


class Collator(DataCollatorWithPadding):
    """Pads to the longest of a batch, and remembers the shapes."""

    def __init__(self, tokenizer: Any):
        super().__init__(tokenizer)
        self.shapes: list[tuple[int, int]] = []

    def __call__(self, features: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch."""
        batch = super().__call__(features)
        self.shapes.append(tuple(batch["input_ids"].shape))
        return batch


def main() -> None:
    """Warms up, measures, prints."""
    torch.set_num_threads(THREADS)
    torch.set_num_interop_threads(1)
    spec, directory, path = meter.arguments(__doc__)
    base = meter.resident_bytes()
    examples = data.load(path, spec["data"], spec["examples"])
    tokenizer = AutoTokenizer.from_pretrained(directory)
    set_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, num_labels=len(set(examples.labels)), dtype=torch.float32
    )
    freeze(model, spec["train"])
    with tempfile.TemporaryDirectory() as scratch:
        args = arguments(spec, scratch)
        started = time.perf_counter()
        few = data.Texts(*(column[:WARM] for column in examples))
        train(few, tokenizer, model, arguments({**spec, "epochs": 1}, scratch), spec)
        warm = round(time.perf_counter() - started, 2)
        with meter.Meter() as measured:
            loss, shapes, tokenizing = train(examples, tokenizer, model, args, spec)
    meter.say(
        {
            "wall_seconds": measured.wall,
            "cpu_seconds": measured.cpu,
            "peak_bytes": measured.peak,
            "base_bytes": base,
            "warmup_seconds": warm,
            "tracing_seconds": 0.0,
            "tokenize_seconds": tokenizing,
            "examples": len(examples.texts),
            "epochs": spec["epochs"],
            "steps": -(-len(examples.texts) // BATCH) * spec["epochs"],
            "useful_tokens": sum(min(length, spec["length"]) for length in examples.tokens),
            "trained_weights": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "precision": spec.get("precision") or "float32",
            "loss": loss,
            "optimizer": str(args.optim),
            "attention": model.config._attn_implementation,
            "versions": {name: version(name) for name in ("torch", "transformers", "accelerate", "tokenizers")},
            # Of all epochs; the mean of one.
            **{name: round(count / spec["epochs"]) for name, count in meter.padded(shapes).items()},
        }
    )


def freeze(model: torch.nn.Module, train: str) -> None:
    """As kerasft: the pooler belongs to the deepest layer."""
    if train == "all":
        return
    for parameter in model.bert.parameters():
        parameter.requires_grad = False
    if train.startswith("top"):
        for part in (*model.bert.encoder.layer[-int(train[3:]) :], model.bert.pooler):
            for parameter in part.parameters():
                parameter.requires_grad = True


def arguments(spec: dict[str, Any], scratch: str) -> TrainingArguments:
    """Of the Trainer: the same hyper-parameters as kerasft's, and nothing beside the training."""
    return TrainingArguments(
        output_dir=scratch,
        num_train_epochs=spec["epochs"],
        per_device_train_batch_size=BATCH,
        learning_rate=spec["rate"],
        lr_scheduler_type="linear",
        warmup_steps=0.1,  # a fraction of all steps
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=spec.get("precision") == "bfloat16",
        train_sampling_strategy="group_by_length" if spec.get("grouped") else "random",
        use_cpu=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        logging_strategy="no",
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def train(
    examples: data.Texts, tokenizer: Any, model: Any, args: TrainingArguments, spec: dict[str, Any]
) -> tuple[float, list[tuple[int, int]], float]:
    """From raw texts: mean loss, the shapes of all batches, and the seconds that the tokenizer took of it."""
    started = time.perf_counter()
    names = sorted(set(examples.labels))
    encoded = tokenizer(examples.texts, truncation=True, max_length=spec["length"])
    rows = [
        {**{name: column[i] for name, column in encoded.items()}, "labels": names.index(label)}
        for i, label in enumerate(examples.labels)
    ]
    tokenizing = time.perf_counter() - started
    collator = Collator(tokenizer)
    done = Trainer(model=model, args=args, train_dataset=rows, data_collator=collator).train()
    return done.training_loss, collator.shapes, round(tokenizing, 4)


if __name__ == "__main__":
    main()
