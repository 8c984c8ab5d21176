"""Random checkpoints of the reference libraries, and what these compute: run by parity.py, in a process of its own.

    python reference.py DIRECTORY

Writes ``<name>/`` with a checkpoint, ``<name>.npz`` with inputs and features, and prints the versions as JSON.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from timm.models import save_for_hf

SIZE, LARGER, BATCH = 64, 96, 2
_TIMM_SIZE = 224


def main(root: Path) -> None:
    """Everything."""
    torch.manual_seed(0)
    for cases in (bert(root), vit(root), resnet(root), of_timm(root)):
        for name, arrays in cases:
            np.savez(root / f"{name}.npz", **arrays)
    print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "timm": timm.__version__}))


def bert(root: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Of transformers."""
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=64,
    )  # fmt: skip
    model = _shaken(transformers.BertModel(config))
    model.save_pretrained(root / "bert", safe_serialization=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(95))]
    (root / "bert" / "vocab.txt").write_text("\n".join(words) + "\n")
    (root / "bert" / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    tokens = torch.randint(5, 100, (BATCH, 20))
    mask = torch.ones_like(tokens)
    mask[1, 12:] = 0
    found = model(input_ids=tokens, attention_mask=mask)
    states = found.last_hidden_state * mask[..., None]
    yield "bert", _numpy(tokens=tokens, mask=mask, out_tokens=states, out_pooled=found.pooler_output)


def vit(root: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Of transformers: with and without the prefix of a classifier, and with images of another size."""
    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96, image_size=SIZE, patch_size=16
    )
    whole = _shaken(transformers.ViTForImageClassification(config))
    processor = transformers.ViTImageProcessor(size={"height": SIZE, "width": SIZE})
    for name, model in (("vit_prefix", whole), ("vit_plain", whole.vit)):
        model.save_pretrained(root / name, safe_serialization=True)
        processor.save_pretrained(root / name)
        for size in (SIZE, LARGER):
            images = _images(size)
            states = whole.vit(
                _normalized(images, (0.5,) * 3, (0.5,) * 3), interpolate_pos_encoding=True
            ).last_hidden_state
            side = size // 16
            spatial = states[:, 1:].reshape(BATCH, side, side, -1)
            case = name if size == SIZE else f"{name}_{size}"
            yield case, {"images": images, **_numpy(out_pooled=states[:, 0], out_spatial=spatial)}


def resnet(root: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Of transformers."""
    for kind, factor in (("basic", 1), ("bottleneck", 4)):
        config = transformers.ResNetConfig(
            depths=[2, 1, 1, 2], hidden_sizes=[n * factor for n in (64, 128, 256, 512)], layer_type=kind
        )
        model = _shaken(transformers.ResNetModel(config))
        name = f"resnet_{kind}"
        model.save_pretrained(root / name, safe_serialization=True)
        processor = transformers.ConvNextImageProcessor(size={"shortest_edge": SIZE})
        processor.save_pretrained(root / name)
        images = _images(SIZE)
        found = model(_normalized(images, processor.image_mean, processor.image_std), output_hidden_states=True)
        maps = {f"out_P{i + 2}": found.hidden_states[i + 1].permute(0, 2, 3, 1) for i in (1, 2, 3)}
        yield name, {"images": images, **_numpy(out_pooled=found.pooler_output[:, :, 0, 0], **maps)}


def of_timm(root: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """The families that timm has."""
    for name in ("resnet18", "resnet50", "resnetv2_50", "vgg11", "vgg16", "vit_tiny_patch16_224"):
        model = _shaken(timm.create_model(name, pretrained=False))
        save_for_hf(model, str(root / f"timm_{name}"), safe_serialization=True)
        config = model.pretrained_cfg
        images = _images(_TIMM_SIZE)
        found = model.forward_features(_normalized(images, config["mean"], config["std"]))
        if name.startswith("vit"):
            features = {"out_pooled": found[:, 0]}
        else:
            features = {"out_P5" if name.startswith("vgg") else "out_spatial": found.permute(0, 2, 3, 1)}
        yield f"timm_{name}", {"images": images, **_numpy(**features)}


def _shaken(model: torch.nn.Module) -> torch.nn.Module:
    """For inference, with norms that are not those of a fresh model: else a wrong one would not be noticed."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def _images(size: int) -> np.ndarray:
    return np.random.default_rng(size).integers(0, 256, (BATCH, size, size, 3), np.uint8)


def _normalized(images: np.ndarray, mean: Sequence[float], deviation: Sequence[float]) -> torch.Tensor:
    values = (images / 255 - np.array(mean)) / np.array(deviation)
    return torch.tensor(values, dtype=torch.float32).permute(0, 3, 1, 2)


def _numpy(**tensors: torch.Tensor) -> dict[str, np.ndarray]:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


if __name__ == "__main__":
    with torch.no_grad():
        main(Path(sys.argv[1]))
