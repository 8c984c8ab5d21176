"""Classification and regression from a pooled feature. Found through the ``kerasft.v1`` entry point."""
