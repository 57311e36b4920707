"""Keras layers of MARSGAN and ESRGAN, on `keras.ops` alone."""
