"""A stand-in for TensorFlow Serving, on its own definitions of the service.

As a process it serves exported models: `python serving_stand_in.py PORT
NAME=FOLDER...`; with PORT 0 it takes a free one. It prints the port
when it is ready and ends with its input. A line of its input, of JSON, is an
order: {"is_open": false} closes the port, true opens it again, {"delay_s": S}
makes every tile take that long. After each order it prints a line: the tiles
answered since the last one, and the most that were in hand at once.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import select
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).parent.parent
WORKERS = 16
LARGEST_REQUEST = 200_000  # Bytes: tiles of some 220 px.


class StandIn:
    """The process, as tests see it.

    Args:
        folders: Model's folder by name.
    """

    def __init__(self, folders):
        self._folders = folders
        self._process = None
        self.port = 0

    def start(self):
        """Starts it, on the port that it had before."""
        models = [f"{name}={path}" for name, path in self._folders.items()]
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.port), *models],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = json.loads(self._process.stdout.readline())["port"]

    def order(self, **what):
        """Gives an order; returns what it counted since the last one."""
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], 60)[0]:
            raise TimeoutError(f"the stand-in does not heed {what}")
        return json.loads(self._process.stdout.readline())

    def end(self):
        """Ends the process, as a signal would."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def served(**folders):
    """Yields a running `StandIn`."""
    server = StandIn(folders)
    server.start()
    try:
        yield server
    finally:
        server.end()


class Counts:
    """How many tiles are in hand, and were at most."""

    def __init__(self):
        self._lock = threading.Lock()
        self._now = self._most = self._answered = 0

    @contextlib.contextmanager
    def counted(self):
        """Counts one tile."""
        with self._lock:
            self._now += 1
            self._most = max(self._most, self._now)
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1
                self._answered += 1

    def taken(self):
        """What was counted; it starts again."""
        with self._lock:
            found = {"answered": self._answered, "most": self._most}
            self._most = self._answered = 0
        return found


def service(models, counts, settings):
    """The servicer of `{name: (version, signatures)}`."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    def find(spec, context):
        version, signatures = models.get(spec.name, (0, {}))
        wanted = spec.version.value if spec.HasField("version") else version
        if not signatures or wanted != version:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: {spec.name}({wanted})",
            )
        return version, signatures

    def tensors(specs):
        found = get_model_metadata_pb2.SignatureDefMap()
        added = found.signature_def["_"].inputs
        for name, spec in specs.items():
            added[name].dtype = spec.dtype.as_datatype_enum
            added[name].tensor_shape.CopyFrom(spec.shape.as_proto())
        return added

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def GetModelMetadata(self, request, context):
            version, signatures = find(request.model_spec, context)
            told = get_model_metadata_pb2.SignatureDefMap()
            for name, function in signatures.items():
                signature = told.signature_def[name]
                inputs = function.structured_input_signature[1]
                outputs = function.structured_outputs
                for key, tensor in tensors(inputs).items():
                    signature.inputs[key].CopyFrom(tensor)
                for key, tensor in tensors(outputs).items():
                    signature.outputs[key].CopyFrom(tensor)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            answer.model_spec.name = request.model_spec.name
            answer.model_spec.version.value = version
            answer.metadata["signature_def"].Pack(told)
            return answer

        def Predict(self, request, context):
            with counts.counted():
                _, signatures = find(request.model_spec, context)
                time.sleep(settings["delay_s"])
                inputs = {
                    name: tf.constant(tf.make_ndarray(tensor))
                    for name, tensor in request.inputs.items()
                }
                try:
                    function = signatures[request.model_spec.signature_name]
                    sr = function(**inputs)["sr"]
                except (TypeError, LookupError, tf.errors.OpError) as error:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                answer = predict_pb2.PredictResponse(
                    model_spec=request.model_spec
                )
                tensor = answer.outputs["sr"]
                tensor.dtype = tf.float32.as_datatype_enum
                tensor.tensor_shape.CopyFrom(sr.shape.as_proto())
                # Not as one string of bytes: so does TensorFlow Serving.
                tensor.float_val.extend(sr.numpy().ravel())
                return answer

    return Service()


def open_port(servicer, port):
    """A running server, and its port."""
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(WORKERS),
        options=[
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        servicer, server
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def load(folder):
    """Version and signatures of an exported model, kept alive."""
    import tensorflow as tf

    from marsgan_tf.deployment import description as descriptions

    path = descriptions.find(folder)
    loaded = tf.saved_model.load(path)
    KEPT.append(loaded)
    return int(pathlib.Path(path).name), dict(loaded.signatures)


KEPT = []


def serve(port, *named):
    """Serves until the input ends."""
    models = {
        name: load(folder)
        for name, _, folder in (text.partition("=") for text in named)
    }
    counts, settings = Counts(), {"delay_s": 0.0}
    servicer = service(models, counts, settings)
    server, port = open_port(servicer, int(port))
    say(port=port)
    closed = []  # Kept: the end of one may wait for its calls.
    for line in sys.stdin:
        what = json.loads(line)
        settings["delay_s"] = what.get("delay_s", settings["delay_s"])
        if what.get("is_open") is False:
            server.stop(0).wait(2)
            closed.append(server)
        elif what.get("is_open"):
            server, _ = open_port(servicer, port)
        say(**counts.taken())


def say(**what):
    """A line for the test."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(*sys.argv[1:])
