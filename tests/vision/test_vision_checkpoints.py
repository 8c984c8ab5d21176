"""Checkpoints of images from disk. That features are right, `make parity` shows beside the reference libraries."""

import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from vision_checkpoints import HF_VIT, keras_hub_directory, vit_arrays, write

from kerasft import pretrained
from kerasft.errors import AssetError, UsageError
from kerasft_vision.inputs import ImageInputs
from kerasft_vit.positions import resized

PROCESSOR = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.25, 0.5, 1], "resample": 3}
IMAGES = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8))


def load(directory, **options):
    return pretrained.locate(str(directory)).create(options)


def pooled(backbone, images=IMAGES):
    return backbone.model({"images": images})["pooled"].numpy()


def test_vit_weights_with_and_without_prefix_are_the_same(tmp_path):
    arrays = vit_arrays()
    plain = write(tmp_path / "plain", HF_VIT, arrays, preprocessor_config=PROCESSOR)
    prefixed = {f"vit.{name}": array for name, array in arrays.items()}
    whole = write(tmp_path / "whole", HF_VIT, prefixed, preprocessor_config=PROCESSOR)
    assert np.array_equal(pooled(load(plain)), pooled(load(whole)))


def test_weights_that_do_not_fit_are_all_named_with_their_shapes(tmp_path):
    arrays = vit_arrays()
    del arrays["encoder.layer.0.output.dense.bias"]
    arrays["layernorm.weight"] = np.ones(9, np.float32)
    directory = write(tmp_path / "bad", HF_VIT, arrays, preprocessor_config=PROCESSOR)
    with pytest.raises(AssetError) as error:
        load(directory)
    assert str(error.value).splitlines() == [
        f"{directory}: the weights do not fit its config.json:",
        "  encoder.layer.0.output.dense.bias: not in the checkpoint, expected (8,)",
        "  layernorm.weight: (9,) in the checkpoint, expected (8,)",
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**HF_VIT, "hidden_act": "relu"}, "expected hidden_act='gelu'"),
        ({"architecture": "vit_huge_patch14_224", "pretrained_cfg": {}}, "vit_{tiny,small,base,large}_patch"),
        ({"architecture": "vgg16_bn", "model_type": "vgg11"}, "expected a VGG of timm"),
        ({"model_type": "resnet", "layer_type": "basic", "embedding_size": 32, "hidden_sizes": [64, 128, 256, 512],
          "depths": [1, 1, 1, 1]}, "embedding_size=32"),
        ({"architecture": "resnet34d", "model_type": "resnet1"}, "ResNets of timm are"),
    ],
)  # fmt: skip
def test_other_architectures_are_refused(tmp_path, config, message):
    directory = write(tmp_path / "other", config, {"x": np.ones(1, np.float32)}, preprocessor_config=PROCESSOR)
    with pytest.raises(AssetError) as error:
        load(directory)
    assert message in str(error.value)


KERAS_HUB = {
    "resnet": lambda: keras_hub.models.ResNetBackbone(
        [64], [7], [64, 8, 8, 8], [1, 1, 1, 1], [1, 2, 2, 2], "basic_block_vd", image_shape=(32, 32, 3)
    ),
    "vgg": lambda: keras_hub.models.VGGBackbone([1, 1, 1, 1, 1], [2, 2, 4, 4, 4], image_shape=(32, 32, 3)),
    "vit": lambda: keras_hub.models.ViTBackbone((32, 32, 3), 8, 1, 2, 8, 16),
}


@pytest.mark.parametrize("name", KERAS_HUB)
def test_keras_hubs_own_directories(name, tmp_path):
    model = KERAS_HUB[name]()
    converter = {"class_name": "X", "config": {"image_size": [32, 32], "scale": 0.5, "offset": [1, 2, 3]}}
    backbone = load(keras_hub_directory(tmp_path / name, model, image_converter=converter))
    found = backbone.model({"images": IMAGES})
    found = {"resnet": found["spatial"], "vgg": found["pyramid"]["P5"], "vit": found["pooled"]}[name]
    expected = model(tf.cast(IMAGES, tf.float32) * 0.5 + [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found, expected[:, 0] if name == "vit" else expected, atol=1e-4)


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        (PROCESSOR, {"resize": "stretch", "crop": 1.0, "interpolation": "bicubic", "size": (32, 32)}),
        ({"size": 64, "do_normalize": False}, {"resize": "stretch", "size": (64, 64), "offset": (0, 0, 0)}),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.9}, {"resize": "crop", "crop": 0.9, "size": (224, 224)}),
        ({"size": {"shortest_edge": 384}}, {"resize": "stretch", "size": (384, 384)}),
        (
            {"size": {"shortest_edge": 256}, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}},
            {"resize": "crop", "crop": 0.875, "size": (224, 224)},
        ),
    ],
)
def test_what_hugging_face_says_about_images(tmp_path, processor, expected):
    found = read(tmp_path, HF_VIT, preprocessor_config=processor)
    assert {name: getattr(found, name) for name in expected} == expected


def read(tmp_path, config, **files):
    from kerasft_vision import inputs

    return inputs.read(write(tmp_path / "read", config, {}, **files), config, (48, 48))[0]


def test_what_timm_and_keras_hub_say_about_images(tmp_path):
    timm = {
        "input_size": [3, 176, 160],
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5] * 3,
        "crop_pct": 0.95,
        "interpolation": "bicubic",
    }
    found = read(tmp_path, {"architecture": "resnet18", "pretrained_cfg": timm})
    assert (found.size, found.crop, found.interpolation) == ((176, 160), 0.95, "bicubic")
    assert np.allclose(np.array([51.0, 51, 51]) * found.scale + found.offset, (0.2 - np.array([0.1, 0.2, 0.3])) / 0.5)
    converter = {"image_size": [20, 20], "scale": [1, 2, 3], "offset": None, "crop_to_aspect_ratio": False}
    preprocessor = {"config": {"image_converter": {"config": converter}}}
    found = read(tmp_path, {}, preprocessor=preprocessor)
    assert (found.size, found.resize, found.scale, found.offset) == ((20, 20), "stretch", (1, 2, 3), (0, 0, 0))
    with pytest.raises(AssetError, match="interpolation must be bilinear or bicubic"):
        read(tmp_path, {}, preprocessor_config={"resample": 1})


def test_nothing_said_about_images_is_a_note(tmp_path):
    directory = write(tmp_path / "silent", HF_VIT, vit_arrays())
    (note,) = load(directory).notes
    assert note.endswith("does not say how its images are to be normalized: as those of ImageNet are.")


def test_sizes(tmp_path):
    directory = write(tmp_path / "vit", HF_VIT, vit_arrays(), preprocessor_config=PROCESSOR)
    assert load(directory, size=[64, 48]).model.output["spatial"].shape == (None, 8, 6, 8)
    for size in (0, 40, [32], "32", [32, 40]):
        with pytest.raises(UsageError, match="size must be a multiple of 16 pixels"):
            load(directory, size=size)


def test_position_embeddings_of_the_same_grid_stay_and_smooth_ones_stay_smooth():
    y, x = np.mgrid[0:4, 0:6]
    grid = np.stack([y, x], axis=-1).reshape(-1, 2).astype(float)
    embeddings = np.concatenate([[[9.0, 9.0]], grid])
    assert np.allclose(resized(embeddings, (4, 6), (4, 6)), embeddings)
    larger = resized(embeddings, (4, 6), (8, 12))
    assert larger.shape == (97, 2) and np.array_equal(larger[0], [9, 9])
    inner = larger[1:].reshape(8, 12, 2)[3:5, 5:7]
    assert np.allclose(inner[:, :, 0], (np.array([[3], [4]]) + 0.5) / 2 - 0.5, atol=0.06)
    assert np.allclose(inner[:, :, 1], (np.array([[5, 6]]) + 0.5) / 2 - 0.5, atol=0.06)


def test_normalization_is_the_first_layer():
    found = ImageInputs.normalized((4, 4), (0.5, 0.4, 0.3), (0.5, 0.2, 0.1))
    image = np.array([[[255.0, 51.0, 0.0]]])
    assert np.allclose(image * found.scale + found.offset, [[[1.0, -1.0, -3.0]]])
    assert ImageInputs.from_json(found.to_json()) == found
