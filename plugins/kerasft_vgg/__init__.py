"""The VGG plugin; found through its entry point only."""
