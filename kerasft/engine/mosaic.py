"""Images put together of four, with what they show."""

import tensorflow as tf

_LEAST, _MOST = 0.35, 0.65  # where the four meet, as a fraction of the image


def mosaic(
    images: tf.Tensor,
    affine: tf.Tensor,
    targets: tf.RaggedTensor,
    chosen: tf.Tensor,
    seeds: tuple[tf.Tensor, tf.Tensor],
) -> tuple[tf.Tensor, tf.RaggedTensor, tf.RaggedTensor]:
    """Puts each chosen image and three others of its batch, whole and smaller, into the four corners of one.

    The idea is that of Bochkovskiy et al. 2020 ("YOLOv4", section 3.4), who crop the four.

    Args:
        images: of shape ``(batch, height, width, 3)``, float32.
        affine: scale_y, scale_x, offset_y, offset_x from original pixels to these, of shape ``(batch, 4)``.
        targets: places in each image, ragged ``(batch, places, …)``.
        chosen: bool of shape ``(batch,)``.
        seeds: of the choice of the others, and of the point where the four meet.

    Returns:
        Images, the map of each place ``(batch, places, 4)``, and the places.
    """
    shape, count = images.shape, tf.shape(images)[0]
    size = tf.constant([shape[1], shape[2]], tf.float32)
    others = tf.random.stateless_uniform([count, 3], seeds[0], 0, count, tf.int32)
    members = tf.concat([tf.range(count)[:, tf.newaxis], others], axis=1)
    middle = tf.random.stateless_uniform([count, 2], seeds[1], _LEAST, _MOST)
    middle = tf.where(chosen[:, tf.newaxis], middle, 1.0)  # the others fill their image
    nothing = tf.RaggedTensor.from_row_lengths(targets.flat_values[:0], [0])
    known = tf.concat([targets, nothing], axis=0)
    whole, places, maps = images, [], []
    for corner in range(4):
        second = tf.constant([corner // 2, corner % 2], tf.float32)  # down, right
        low, high = second * middle, second + (1 - second) * middle
        side = tf.maximum(high - low, 1e-6)
        index = members[:, corner]
        drawn = tf.image.crop_and_resize(
            tf.gather(images, index),
            tf.concat([-low / side, (1 - low) / side], axis=1),
            tf.range(count),
            shape[1:3],
            extrapolation_value=-1.0,
        )
        whole = tf.where((drawn >= 0) & chosen[:, tf.newaxis, tf.newaxis, tf.newaxis], drawn, whole)
        there = chosen if corner else tf.ones_like(chosen)
        own = tf.gather(known, tf.where(there, index, count))
        scale, offset = tf.split(tf.gather(affine, index), 2, axis=1)
        moved = tf.concat([scale * side, offset * side + low * size], axis=1)
        places.append(own)
        maps.append(own.with_flat_values(tf.repeat(moved, own.row_lengths(), axis=0)))
    return tf.ensure_shape(whole, shape), tf.concat(maps, axis=1), tf.concat(places, axis=1)
