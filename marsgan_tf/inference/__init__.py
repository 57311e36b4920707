"""Prediction: tiles of a raster through an engine."""
