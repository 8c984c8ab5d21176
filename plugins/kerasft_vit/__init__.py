"""The ViT plugin; found through its entry point only."""
