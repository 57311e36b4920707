"""Prediction by a TensorFlow Serving: tiles go over the network and back.

The messages are the official ones, of `PredictionService`. Each worker of the
pipeline has one tile under way, so `concurrency` bounds what the server is
asked for at once.
"""

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from marsgan_tf import errors
from marsgan_tf.deployment.description import Degradation, Description
from marsgan_tf.inference.conditioned import Conditioned
from marsgan_tf.inference.grpc_patience import TOO_LARGE, Patience, words

_CONCURRENCY = 4
_FIRST_CONTACT_S = 20
_SCALE = 4
_LARGEST_MESSAGE = 2**31 - 1  # Bytes; the protocol buffers' own limit.
_OPTIONS = (
    ("grpc.max_send_message_length", _LARGEST_MESSAGE),
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    # TensorFlow's longer errors pass the 8 KiB that gRPC has for them.
    ("grpc.max_metadata_size", 2**20),
    ("grpc.absolute_max_metadata_size", 2**20),
    # By itself it would look for a server that is away every two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Otherwise a new connection shares the pauses of one that failed.
    ("grpc.use_local_subchannel_pool", 1),
)
# What a model assumes that comes without its description.
_ASSUMED = Degradation(blur_sigma=1.6, noise_sigma=0.0)


class GRPCEngine(Conditioned):
    """A served model; any thread may call it.

    Attributes:
        name: "grpc".
        server: HOST:PORT.
        description: Of the model: the one given, or what the server tells.
        precision: "float32", "bfloat16", or "as exported" where it is not
            known.
        concurrency: Tiles that the server has at once.

    Args:
        endpoint: An `Endpoint`. If it names no version, the server's choice
            at the time is kept to.
        given: The model's `Description`, or None if only the server has it.
        precision: "auto" for what the model was exported for, "float32" or
            "bfloat16".
        concurrency: As above; 0 for four.
        patience_s: Seconds for a tile; see `Patience`.
        received: Signals that ask to stop; it fills meanwhile.

    Raises:
        SettingsError: If no server answers.
        ModelError: If the server has no such model, or it is none of ours, or
            not the one described.
    """

    name = "grpc"

    def __init__(
        self, endpoint, given, *, precision, concurrency, patience_s, received
    ):
        channel = grpc.insecure_channel(endpoint.address, options=_OPTIONS)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._endpoint = endpoint
        spec, signatures = _metadata(self._stub, endpoint)
        self._spec = spec
        served = _described(spec, signatures)
        if given is not None:
            _require_same(endpoint, served, given)
        self.description = given or served
        self.server = endpoint.address
        self.concurrency = concurrency or _CONCURRENCY
        exported = "restore" if served.conditioned else "serving_default"
        self._signature = exported if precision == "auto" else precision
        _require_ours(endpoint, signatures, self._signature, served.conditioned)
        self.precision = (
            self.description.precision if precision == "auto" else precision
        )
        self._patience = Patience(str(endpoint), patience_s, received)
        super().__init__(self.description, self.description.degradation)

    def restore(self, lr):
        """Super-resolves `(batch, h, w, 1)` float32.

        Raises:
            PredictionError: If the server does not answer in time, or refuses.
            OutOfMemoryError: If the tile is too large.
        """
        return self._run(self._signature, lr)

    def sample(self, lr, *, row, col, seed):
        """One draw of the noise ensemble, a function of place and seed.

        Args:
            lr: `(batch, h, w, 1)` float32.
            row: Of the first pixel in its scene, which may be negative.
            col: Likewise.
            seed: Integer of 31 bits.

        Raises:
            PredictionError: See `restore`.
            OutOfMemoryError: Likewise.
        """
        if not self.description.has_noise:
            return self.restore(lr)
        origin, seed = np.int32([row, col]), np.int32(seed)
        return self._run("sample", lr, origin=origin, seed=seed)

    def _run(self, signature, lr, **inputs):
        if lr.nbytes * _SCALE**2 > _LARGEST_MESSAGE:
            raise errors.OutOfMemoryError(
                "the answer would pass 2 GiB, the limit of gRPC: set a smaller "
                "--tile"
            )
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        arrays = {"lr": np.float32(lr), **inputs, **self._told_to(len(lr))}
        for name, array in arrays.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        try:
            answer = self._patience.ask(self._stub.Predict, request)
        except grpc.RpcError as error:
            raise _explained(self._endpoint, error) from None
        return tf.make_ndarray(answer.outputs["sr"])

    def _told_to(self, count):
        """What a conditioned model is told, once for each image."""
        return {
            name: np.repeat(array, count, axis=0)
            for name, array in self.told_inputs.items()
        }


def _metadata(stub, endpoint):
    """What the server calls the model, and its signatures by name."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        metadata_field=["signature_def"]
    )
    request.model_spec.name = endpoint.model
    if endpoint.version is not None:
        request.model_spec.version.value = endpoint.version
    try:
        answer = stub.GetModelMetadata(request, timeout=_FIRST_CONTACT_S)
    except grpc.RpcError as error:
        raise _unreachable(endpoint, error) from None
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(found)
    return answer.model_spec, dict(found.signature_def)


def _described(spec, signatures):
    """A description of what a server tells, empty where it tells nothing."""
    told = signatures.get("float32")
    return Description(
        name=spec.name,
        version=spec.version.value,
        architecture={},
        parameters=0,
        scale=_SCALE,
        conditioned=told is not None and "degradation" in told.inputs,
        has_noise="sample" in signatures,
        degradation=_ASSUMED,
        precision="as exported",
        parity={},
        training={},
        weights_sha256="",
        files={},
        written_by={},
    )


def _require_same(endpoint, served, given):
    for name in ("name", "version", "conditioned"):
        one, other = getattr(served, name), getattr(given, name)
        if one != other:
            raise errors.ModelError(
                f"{endpoint}: its {name} is {one}, that of --model is {other}: "
                "name the same model, or leave --model out"
            )


def _require_ours(endpoint, signatures, name, conditioned):
    """Refuses a model that takes or gives anything else than ours do."""
    signature = signatures.get(name)
    inputs = {"lr", "degradation"} if conditioned else {"lr"}
    is_ours = (
        signature is not None
        and set(signature.inputs) == inputs
        and _is_image(signature.inputs["lr"])
        and "sr" in signature.outputs
        and _is_image(signature.outputs["sr"])
    )
    if not is_ours:
        raise errors.ModelError(
            f"{endpoint}: has no signature {name} from lr to sr, as models of "
            "python -m marsgan_tf.export have: serve one of those"
        )


def _is_image(tensor):
    """Whether it is float32 `(batch, h, w, 1)`, of any sides."""
    sides = [side.size for side in tensor.tensor_shape.dim]
    return (
        tensor.dtype == tf.float32.as_datatype_enum
        and len(sides) == 4
        and sides[-1] in (1, -1)
    )


def _unreachable(endpoint, error):
    """The error of a first contact that failed."""
    if error.code() in (
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
    ):
        return errors.ModelError(
            f"{endpoint}: the server has no such model ({words(error)}); give "
            "the name and the version that it serves"
        )
    return errors.SettingsError(
        f"{endpoint}: no TensorFlow Serving answers there ({words(error)}); "
        "start it, or mend the address"
    )


def _explained(endpoint, error):
    """The error of a tile that the server did not restore."""
    told = f"{endpoint}: {words(error)}"
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        is_message = TOO_LARGE in str(error.details())
        advice = "tile" if is_message else "tile, or fewer --threads"
        return errors.OutOfMemoryError(f"{told}: set a smaller --{advice}")
    if "atching" in str(error.details()) or (
        error.code() == grpc.StatusCode.FAILED_PRECONDITION
    ):
        return errors.PredictionError(
            f"{told}: the server joins requests that cannot be joined; use "
            "saved_models/serving/batching.config, or for --samples no batching"
        )
    return errors.PredictionError(
        f"{told}: see to the server, then run the same command with --resume"
    )
