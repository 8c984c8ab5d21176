"""An interruption of a run from within."""

import keras


class Interrupts(keras.callbacks.Callback):
    """Fails after so many steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise RuntimeError("interrupted")
