"""Object detection: boxes in an image and what is in them."""
