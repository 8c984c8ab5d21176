"""A third party's backbone without random draws, for comparing runs on one device with runs on several."""

SOURCE = '''
import kerasft


@kerasft.hookimpl
def kerasft_backbones():
    yield kerasft.BackboneSpec(
        name="placed",
        modality="text",
        provides=("tokens",),
        factory="acme_placed:create",
        presets=(kerasft.PresetSpec(name="tiny", summary="random weights, 8 wide"),),
    )


def create(directory, *, preset, weights=True, strings=False, rate=0.0):
    """Words, as hashed ids or as they are, and a bool mask."""
    import keras
    import tensorflow as tf

    def preprocess(texts):
        words = tf.strings.split(tf.strings.join(["begin ", texts]))
        if not strings:
            words = tf.cast(tf.strings.to_hash_bucket_fast(words, 50), tf.int32)
        mask = tf.ones_like(words, tf.bool)
        return kerasft.Encoded({"words": words.to_tensor(), "padding_mask": mask.to_tensor()}, {})

    words = keras.Input((None,), dtype="string" if strings else "int32", name="words")
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    ids = keras.layers.Hashing(50, name="hash")(words) if strings else words
    embed = keras.layers.Embedding(50, 8, name="embed")
    mix = keras.layers.Conv1D(8, 3, padding="same", activation="tanh", name="mix")
    norm = keras.layers.LayerNormalization(name="norm")
    drop = keras.layers.Dropout(rate, name="drop")
    # Padding must not be seen: each replica pads to the longest text of its own.
    embedded = keras.ops.where(mask[..., None], embed(ids), 0.0)
    model = keras.Model({"words": words, "padding_mask": mask}, {"tokens": norm(drop(mix(embedded)))})
    groups = kerasft.Group("embed", (embed,)), kerasft.Group("mix", (mix, drop, norm))
    return kerasft.Backbone(model=model, groups=groups, preprocess=preprocess, files={})
'''
