"""Rasters in and out, radiometry and degradation; no TensorFlow."""
