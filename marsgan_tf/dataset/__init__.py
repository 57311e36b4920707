"""Training pairs on disk: records, shards, manifest; no TensorFlow."""
