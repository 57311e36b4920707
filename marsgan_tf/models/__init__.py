"""Generators and the discriminator, built from `layers`."""
