"""The ResNet plugin; found through its entry point only."""
