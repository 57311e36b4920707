"""Losses, input pipeline, steps, loop and checkpoints."""
