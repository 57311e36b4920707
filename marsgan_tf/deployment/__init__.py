"""From a trained generator to what predicts: folding, SavedModel, ONNX."""
