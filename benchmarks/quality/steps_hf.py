"""The updates of steps.py in PyTorch and transformers: how far are losses and weights apart?

Run in the environment of requirements.txt, on what steps.py wrote.

    python benchmarks/quality/steps_hf.py build/quality/steps
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BATCH, LENGTH, RATE = 16, 64, 1e-4


def main(directory: Path) -> None:
    """Once with the epsilon of torch's AdamW, once with that of Keras's; prints one JSON line for each."""
    torch.set_num_threads(2)
    ours = np.load(directory / "ours.npz")
    for epsilon in ("torch", "keras"):
        losses, kernel, tokens = train(directory, ours["head"], ours["order"], epsilon)
        print(
            json.dumps(
                {
                    "epsilon of": epsilon,
                    "updates": len(losses),
                    "loss_first": float(losses[0]),
                    "loss_last": float(losses[-1]),
                    "largest_difference": {
                        "loss": float(np.abs(losses - ours["losses"]).max()),
                        "head": float(np.abs(kernel - ours["kernel"]).max()),
                        "token_embedding": float(np.abs(tokens - ours["tokens"]).max()),
                    },
                    "head_moved": float(np.abs(kernel - ours["head"]).max()),
                }
            )
        )


def train(directory: Path, head: np.ndarray, order: np.ndarray, epsilon: str) -> tuple[np.ndarray, ...]:
    """Losses, and the kernel of the head and the token embedding after the last update."""
    with (directory / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = sorted({row["label"] for row in rows})
    tokenizer = AutoTokenizer.from_pretrained(directory / "model")
    model = AutoModelForSequenceClassification.from_pretrained(
        directory / "model", num_labels=len(labels), dtype=torch.float32
    ).train()
    model.classifier.weight.data = torch.tensor(head.T.copy())
    model.classifier.bias.data.zero_()
    named = list(model.named_parameters())
    undecayed = [p for name, p in named if name.endswith("bias") or "LayerNorm" in name]
    decayed = [p for name, p in named if not (name.endswith("bias") or "LayerNorm" in name)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": undecayed, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    losses = []
    for step, first in enumerate(range(0, len(order), BATCH)):
        batch = [rows[i] for i in order[first : first + BATCH]]
        texts = [row["text"] for row in batch]
        encoded = tokenizer(texts, truncation=True, max_length=LENGTH, padding=True, return_tensors="pt")
        loss = model(**encoded, labels=torch.tensor([labels.index(row["label"]) for row in batch])).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if epsilon == "keras":  # 1e-7, added before the correction of the second moment's bias
            for group in optimizer.param_groups:
                group["eps"] = 1e-7 / (1 - 0.999 ** (step + 1)) ** 0.5
        optimizer.step()
    tokens = model.get_input_embeddings().weight.detach().numpy()
    return np.array(losses), model.classifier.weight.detach().numpy().T, tokens


if __name__ == "__main__":
    main(Path(sys.argv[1]))
