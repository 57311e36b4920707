"""What every layer must do, in one place."""

import keras
import numpy as np


def check_layer(make, tmp_path, *, shape=(2, 5, 7, 6), code_width=0, scale=1):
    """Checks shapes, free sides, config, saving and mixed precision.

    Args:
        make: Makes the layer from keyword arguments such as `dtype`.
        tmp_path: An empty folder.
        shape: Of the input, batch first; its sides, if any, are left free.
        code_width: Length of the second input, or 0 for one input.
        scale: The output's sides over the input's.
    """
    generator = np.random.default_rng(0)
    batch, *sides, features = shape
    inputs = [keras.Input((*[None] * len(sides), features))]
    arrays = [generator.random(shape, dtype=np.float32)]
    if code_width:
        inputs.append(keras.Input((code_width,)))
        arrays.append(generator.random((batch, code_width), dtype=np.float32))

    layer = make()
    outputs = layer(*inputs)
    assert outputs.shape[:-1] == (None, *[None] * len(sides))

    for weight in layer.weights:  # Zeros would hide what is not saved.
        weight.assign(
            weight + generator.uniform(-0.1, 0.1, tuple(weight.shape))
        )
    model = keras.Model(inputs, outputs)
    values = model(arrays)
    assert values.shape[:-1] == (batch, *[side * scale for side in sides])
    assert np.isfinite(values).all()
    assert layer.compute_output_shape(*[a.shape for a in arrays]) == tuple(
        values.shape
    )

    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.layers[-1].get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(arrays), values)

    half = make(dtype="mixed_bfloat16")
    assert half(*arrays).dtype == "bfloat16"
    assert {weight.dtype for weight in half.weights} == {"float32"}
    for copy, weight in zip(half.weights, layer.weights, strict=True):
        copy.assign(weight)
    half_values = np.asarray(keras.ops.cast(half(*arrays), "float32"))
    spread = np.abs(values).max()
    np.testing.assert_allclose(half_values, values, atol=0.03 * spread)
