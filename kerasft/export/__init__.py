"""A trained model for places where kerasft is not installed."""
