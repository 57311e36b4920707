"""Prediction by OpenVINO, the fastest engine on CPUs.

It reads the SavedModel itself: TensorFlow is not loaded. The network runs as
three models in a row, so that only its trunk computes in bfloat16 or int8: the
first convolution sees the image and the reconstruction makes it, and both would
be rounded to eight bits.
"""

import functools
import threading

import numpy as np

from marsgan_tf import errors
from marsgan_tf.inference import openvino_core, openvino_int8
from marsgan_tf.inference.openvino_core import ov

# What is left to floating point of "int8", sums of features, keeps all of it.
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
# First convolution of the reconstruction, from the end. ESRGAN's are the one
# that closes the trunk, two that enlarge, and two at high resolution.
_RECONSTRUCTION = {"marsgan": -1, "esrgan": -5}


def supports_bfloat16():
    """Whether the processor computes in bfloat16."""
    return "BF16" in openvino_core.core().get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    )


def read(folder, description, blended):
    """A model, with what is mixed into it.

    Args:
        folder: Of the model's version.
        description: Its `Description`.
        blended: A `Blend`, what is mixed into it, or None.

    Raises:
        ModelError: If OpenVINO cannot use the model.
    """
    if description.precision != "float32":
        raise errors.ModelError(
            f"{folder}: was exported with --precision="
            f"{description.precision}, OpenVINO needs float32 and lowers it "
            "itself; export it again, or use --engine=saved_model"
        )
    model = _read(folder)
    if blended is not None:
        _mix_in(blended, model, _read(blended.folder))
    return model


class OpenVINOEngine:
    """A model compiled for this machine's CPU.

    Attributes:
        name: "openvino".
        precision: Of the trunk, "float32", "bfloat16" or "int8".

    Args:
        model: What `read` gives.
        description: Its `Description`.
        precision: Of the trunk.
        degradation: What a conditioned model is told.
        threads: Processor threads to use; 0 for all.
        images: float32 `(n, h, w, 1)`, stretched: what "int8" is to be
            calibrated on before anything is restored.

    Raises:
        ModelError: If it is conditioned and cannot be told.
    """

    name = "openvino"

    def __init__(
        self,
        model,
        description,
        *,
        precision,
        degradation,
        threads,
        images=None,
    ):
        self.precision = precision
        self._model = model
        self._description = description
        self._settings = {
            "precision": precision,
            "degradation": degradation,
            "threads": threads,
            "images": images,
        }
        self._told = model.clone()  # Telling and splitting change it.
        if description.conditioned:
            _tell(self._told, degradation)
        self._local = threading.local()
        self._lock = threading.Lock()
        # Not yet: another degradation may be told before anything is restored.
        self._compiled = None

    @property
    def concurrency(self):
        """Calls of `restore` that may run at once."""
        return self._parts[1].get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")

    def told(self, degradation):
        """The same model, conditioned, told another degradation."""
        return self._changed(degradation=degradation)

    def calibrated(self, images):
        """The same model; "int8" has its scales from what images show.

        Args:
            images: float32 `(n, h, w, 1)`, at least one, stretched.
        """
        return self._changed(images=images)

    def restore(self, lr):
        """Super-resolves `(batch, h, w, 1)` float32; any thread may call it."""
        if not hasattr(self._local, "requests"):
            self._local.requests = [
                part.create_infer_request() for part in self._parts
            ]
        head, trunk, tail = self._local.requests
        features = _infer(head, ov.Tensor(np.ascontiguousarray(lr)))
        maps = _infer(trunk, features)
        both = [maps, features][: len(self._parts[2].inputs)]
        return _infer(tail, *both).data.copy()

    def _changed(self, **settings):
        settings = {**self._settings, **settings}
        return OpenVINOEngine(self._model, self._description, **settings)

    @property
    def _parts(self):
        with self._lock:
            if self._compiled is None:
                self._compiled = self._compile()
            return self._compiled

    def _compile(self):
        split = _split(self._told, self._description.architecture["name"])
        precision, images = self.precision, self._settings["images"]
        compiled = functools.partial(
            _compiled, threads=self._settings["threads"]
        )
        head = compiled(split[0], "float32")
        trunk = split[1]
        if precision == "int8":
            trunk = openvino_int8.quantized(trunk, head(images)[0])
        return head, compiled(trunk, precision), compiled(split[2], "float32")


def _infer(request, *tensors):
    for index, tensor in enumerate(tensors):
        request.set_input_tensor(index, tensor)
    request.infer()
    return request.get_output_tensor()


def _compiled(part, precision, *, threads):
    """For throughput: several tiles at once, each on few threads."""
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "THROUGHPUT",
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        return openvino_core.core().compile_model(part, "CPU", settings)
    except RuntimeError as error:
        raise errors.PredictionError(
            "OpenVINO cannot compile the network "
            f"({' '.join(str(error).split())[-200:]}): free some memory, or "
            "choose --engine=saved_model"
        ) from None


def _split(model, architecture):
    """The model up to its first convolution, the trunk, the reconstruction.

    The last takes what the trunk makes, and that of the first as well where
    the trunk is closed by adding it.
    """
    image, results = model.get_parameters(), model.get_results()
    convolutions = _of_type(model, "Convolution")
    closing = convolutions[_RECONSTRUCTION[architecture]]
    head, first = _cut(_biased(convolutions[0]), image, "head")
    trunk, last = _cut(closing.input_value(0), [first], "trunk")
    inputs = [last, first] if architecture == "esrgan" else [last]
    return head, trunk, ov.Model(results, inputs, "tail")


def _cut(output, inputs, name):
    """The model up to an output, and what takes its place from there on."""
    consumers = output.get_target_inputs()
    before = ov.Model([output], inputs, name)
    parameter = ov.opset13.parameter(
        output.get_partial_shape(), output.get_element_type()
    )
    for consumer in consumers:
        consumer.replace_source_output(parameter.output(0))
    return before, parameter


def _biased(convolution):
    """A convolution's output, with its bias added."""
    (consumer,) = convolution.output(0).get_target_inputs()
    return consumer.get_node().output(0)


def _of_type(model, name):
    return [
        node for node in model.get_ordered_ops() if node.get_type_name() == name
    ]


def _read(folder):
    try:
        return openvino_core.core().read_model(folder)
    except RuntimeError as error:
        raise errors.ModelError(
            f"{folder}: OpenVINO cannot read it ({_first_line(error)}); "
            "export it again, or use --engine=saved_model"
        ) from None


def _mix_in(blended, model, other):
    """Replaces the weights of a model by their mix with another's."""
    pairs = zip(
        _of_type(model, "Constant"), _of_type(other, "Constant"), strict=True
    )
    for mine, others in pairs:
        values = mine.data
        if values.dtype == np.float32:
            mixed = ov.opset13.constant(
                np.float32(blended.mix(values, others.data))
            )
            for consumer in mine.output(0).get_target_inputs():
                consumer.replace_source_output(mixed.output(0))


def _tell(model, degradation):
    """Feeds a constant degradation to the layer that takes it.

    That layer's is the one matrix product with two inputs. Compilation then
    folds everything up to the weights of the dense blocks.
    """
    found = [
        node
        for node in _of_type(model, "MatMul")
        if node.input_value(0).get_partial_shape()[-1] == 2
    ]
    if len(found) != 1:
        raise errors.ModelError(
            "OpenVINO cannot tell this model its degradation: use "
            "--engine=saved_model"
        )
    pair = [[degradation.blur_sigma, degradation.noise_sigma]]
    constant = ov.opset13.constant(np.float32(pair))
    found[0].input(0).replace_source_output(constant.output(0))


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
