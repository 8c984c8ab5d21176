"""BERT for kerasft. Found through the ``kerasft.v1`` entry point, like any other plugin."""
