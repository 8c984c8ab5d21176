"""The task: spans of a text and what they name."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasft import Task
from kerasft.errors import DataError, UnknownNameError, UsageError
from kerasft.task import Evaluation, Mark, Where
from kerasft_ner import decoding, labels, locate, scores, words
from kerasft_ner.locate import Entities, Span
from kerasft_ner.loss import TokenLoss
from kerasft_ner.metric import EntityF1

SUBWORDS = ("first", "all")


class NamedEntities(Task):
    """A linear head with dropout on every token.

    Args:
        labels: kinds of entities; learned from the training data when empty.
        names: the tags in the order of their numbers, where data have numbers for tags.
        subwords: ``"first"`` labels the first token of every word and asks it alone, as BERT's authors did (Devlin et
            al. 2018, section 5.3); ``"all"`` labels all of them, and asks the first.
        dropout: rate before the head while training, a fraction of 1.
        words: in the mean text, which scales the loss; learned from the training data when 0.

    Raises:
        UsageError: an option is out of range.
    """

    target_names = ("entities", "spans", "tags", "ner_tags", "ner", "labels", "label", "annotations")
    monitor = ("val_f1", "max")
    whole = True

    def __init__(
        self,
        *,
        labels: Sequence[str] = (),
        names: Sequence[str] = (),
        subwords: str = "first",
        dropout: float = 0.1,
        words: float = 0.0,
    ):
        if not 0.0 <= dropout < 1.0:
            raise UsageError(f"dropout must be from 0 to below 1. Received: {dropout}")
        if not 0 <= words < math.inf:
            raise UsageError(f"words must be 0 or above. Received: {words}")
        if subwords not in SUBWORDS:
            raise UnknownNameError("way to label subwords", subwords, SUBWORDS)
        for option, value in (("labels", labels), ("names", names)):
            if isinstance(value, str) or len(set(value)) < len(value):
                raise UsageError(f"{option} must be a list without repetitions. Received: {value!r}")
        self.labels = list(labels)
        self.names = list(names)
        self.subwords = subwords
        self.dropout = dropout
        self.words = words

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            "labels": self.labels,
            "names": self.names,
            "subwords": self.subwords,
            "dropout": self.dropout,
            "words": self.words,
        }

    def locate(
        self, inputs: Sequence[Any], targets: Sequence[Any], where: Where
    ) -> tuple[list[Entities], Sequence[str]]:
        """Spans of characters."""
        return locate.spans(inputs, targets, where, self.names)

    def counts(self, targets: Sequence[Sequence[Span]]) -> dict[str, int]:
        """Entities of each label, the most frequent first."""
        return dict(Counter(span.label for spans in targets for span in spans).most_common())

    def adapt(self, targets: Sequence[Entities], where: Where) -> None:
        """Takes labels and the number of words from the training data, unless they were given."""
        found = self.counts(targets)
        if not found:
            raise DataError(f"There is no entity in {len(targets)} training texts: nothing to learn from.")
        self.labels = self.labels or sorted(found)
        self.words = self.words or sum(entities.words for entities in targets) / len(targets)

    def encode(self, targets: Sequence[Sequence[Span]], where: Where) -> np.ndarray:
        """For each text int32 of shape ``(spans, 3)``: first character, last character + 1, label."""
        position = {label: i for i, label in enumerate(self.labels)}
        unknown = [(i, s) for i, spans in enumerate(targets) for s in spans if s.label not in position]
        if unknown:
            raise DataError(
                f"{len(unknown)} entities have labels that the training data lacks (it has: {', '.join(self.labels)}).",
                (f"{where(i)}: {span.label!r} at {span.start}-{span.end}" for i, span in unknown),
            )
        encoded = np.empty(len(targets), object)
        for i, spans in enumerate(targets):
            rows = [(span.start, span.end, position[span.label]) for span in spans]
            encoded[i] = np.array(rows, np.int32).reshape(-1, 3)
        return encoded

    def alignment(self, raw: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Which word each token belongs to."""
        found = words.of_tokens(raw, alignment)
        return {**found, **{name: alignment[name] for name in ("rows", "owned") if name in alignment}}

    def align(self, targets: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """int32 of shape ``(batch, tokens)``, as in `kerasft_ner.labels`."""
        return labels.of_tokens(targets, alignment, all_tokens=self.subwords == "all")

    def head(self, features: Mapping[str, keras.KerasTensor]) -> keras.KerasTensor:
        """Logits of shape ``(batch, tokens, labels)``, float32.

        Raises:
            UsageError: the labels are not known yet.
        """
        if not self.labels:
            raise UsageError("NER needs its labels before a model can be built: labels=['person', 'place'].")
        x = keras.layers.Dropout(self.dropout, name="head_dropout")(features["tokens"])
        return keras.layers.Dense(labels.width(len(self.labels)), dtype="float32", name="logits")(x)

    def loss(self) -> keras.losses.Loss:
        """Cross-entropy of the tokens that are looked at: a sum over each text, if nobody has said its `words`."""
        return TokenLoss(self.words or 1.0)

    def metrics(self) -> list[keras.metrics.Metric]:
        """F1 of entities."""
        return [EntityF1(labels.width(len(self.labels)))]

    def decode(self, logits: tf.Tensor, alignment: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """``start``, ``end`` (characters), ``label`` and ``score`` of shape ``(inputs, most)``, and ``count``."""
        return decoding.spans(logits, alignment, self.labels)

    def evaluate(self, targets: np.ndarray, answers: Mapping[str, np.ndarray]) -> Evaluation:
        """Strict precision, recall and F1, overall and per label, with bootstrap intervals."""
        return scores.evaluate(targets, answers, self.labels)

    def present(self, answer: Mapping[str, Any], raw: Any) -> dict[str, Any]:
        """``{"entities": [{"start", "end", "label", "score", "text"}]}``."""
        rows = zip(*(answer[name][: answer["count"]] for name in ("start", "end", "label", "score")), strict=True)
        return {
            "entities": [
                {"start": start, "end": end, "label": label, "score": score, "text": raw[start:end]}
                for start, end, label, score in rows
            ]
        }

    def marks(self, answer: Mapping[str, Any]) -> list[Mark]:
        """The entities."""
        return [Mark(entity["start"], entity["end"], entity["label"]) for entity in answer["entities"]]


def create(**options: Any) -> NamedEntities:
    """The task; the factory of this plugin."""
    return NamedEntities(**options)
