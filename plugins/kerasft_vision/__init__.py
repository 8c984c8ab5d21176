"""What image backbones share: how a checkpoint wants its images, and how a KerasHub model becomes a backbone."""
