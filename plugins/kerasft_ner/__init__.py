"""Named entity recognition: spans of a text and what they name."""
