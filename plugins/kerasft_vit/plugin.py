"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft

# KerasHub's own presets: name, version on Kaggle, number of weights, summary.
_KERAS_HUB = (
    ("vit_base_patch16_224_imagenet", 4, 85_798_656, "12 layers, patches of 16, 224 pixels, ImageNet"),
    ("vit_base_patch16_384_imagenet", 4, 86_090_496, "12 layers, patches of 16, 384 pixels, ImageNet"),
    ("vit_large_patch16_224_imagenet", 4, 303_301_632, "24 layers, patches of 16, 224 pixels, ImageNet"),
    ("vit_large_patch16_384_imagenet", 4, 303_690_752, "24 layers, patches of 16, 384 pixels, ImageNet"),
    ("vit_base_patch32_384_imagenet", 3, 87_528_192, "12 layers, patches of 32, 384 pixels, ImageNet"),
)


@kerasft.hookimpl
def kerasft_backbones() -> Iterable[kerasft.BackboneSpec]:
    """Vision transformers, tiny to large."""
    yield kerasft.BackboneSpec(
        name="vit",
        modality="image",
        provides=("pooled", "spatial", "pyramid"),
        factory="kerasft_vit.backbone:create",
        presets=(
            kerasft.PresetSpec(name="tiny", summary="random weights for tests: 2 layers, 32 pixels"),
            *(
                kerasft.PresetSpec(
                    name=name,
                    sources=(f"kaggle://keras/vit/keras/{name}/{version}",),
                    summary=summary,
                    parameters=parameters,
                )
                for name, version, parameters, summary in _KERAS_HUB
            ),
        ),
        checkpoints=("vit", "vit_*", "keras_hub>ViTBackbone"),
        phases=(
            kerasft.Phase("head", epochs=5, learning_rate=1e-3),
            kerasft.Phase("all", epochs=5, learning_rate=5e-5, layer_decay=0.75),
        ),
        phases_source="Layer decay: BEiT's fine-tuning (Bao et al. 2021, appendix H), 0.65 to 0.85 by size.",
        summary="Vision transformers (Dosovitskiy et al. 2020): patches of an image as tokens",
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """One."""
    yield kerasft.RecipeSpec(
        name="images_vit",
        module="kerasft_recipes.images_vit",
        summary="fine-tune a vision transformer on mixed images, at any size",
    )
