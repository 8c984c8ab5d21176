"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft

# KerasHub's own presets: family on Kaggle, name, version, number of weights, summary.
_KERAS_HUB = (
    ("resnetv1", "resnet_18_imagenet", 3, 11_186_112, "18 layers, ImageNet"),
    ("resnetv1", "resnet_50_imagenet", 3, 23_561_152, "50 layers, ImageNet"),
    ("resnetv1", "resnet_101_imagenet", 3, 42_605_504, "101 layers, ImageNet"),
    ("resnetv1", "resnet_152_imagenet", 3, 58_295_232, "152 layers, ImageNet"),
    ("resnetv2", "resnet_v2_50_imagenet", 3, 23_561_152, "50 layers, pre-activation, ImageNet"),
    ("resnetv2", "resnet_v2_101_imagenet", 3, 42_626_560, "101 layers, pre-activation, ImageNet"),
)


@kerasft.hookimpl
def kerasft_backbones() -> Iterable[kerasft.BackboneSpec]:
    """ResNet of both versions, 18 to 152 layers."""
    yield kerasft.BackboneSpec(
        name="resnet",
        modality="image",
        provides=("pooled", "spatial", "pyramid"),
        factory="kerasft_resnet.backbone:create",
        presets=(
            kerasft.PresetSpec(name="tiny", summary="random weights for tests: 4 blocks, 32 pixels"),
            *(
                kerasft.PresetSpec(
                    name=name,
                    sources=(f"kaggle://keras/{family}/keras/{name}/{version}",),
                    summary=summary,
                    parameters=parameters,
                )
                for family, name, version, parameters, summary in _KERAS_HUB
            ),
        ),
        checkpoints=("resnet", "resnet[0-9]*", "resnetv2_*", "keras_hub>ResNetBackbone"),
        phases=(
            kerasft.Phase("head", epochs=5, learning_rate=1e-3),
            kerasft.Phase("all", epochs=5, learning_rate=1e-4, layer_decay=0.9),
        ),
        summary="ResNet (He et al. 2015 and 2016): residual convolutions, with batch normalization",
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """One."""
    yield kerasft.RecipeSpec(
        name="images_resnet",
        module="kerasft_recipes.images_resnet",
        summary="fine-tune a ResNet on a folder of images, with augmentation, and export it",
    )
