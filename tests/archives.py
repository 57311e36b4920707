"""A small archive of HiRISE products, and a server that can be told to fail."""

import contextlib
import hashlib
import http.server
import pathlib
import re
import threading

import numpy as np
import rasters

from pipelines import hirise

# Name and width of an index's columns; a width below 0 is of a number. The
# first eleven are as in the archive's own index.
INDEX_COLUMNS = {
    "VOLUME_ID": 10,
    "FILE_NAME_SPECIFICATION": 67,
    "INSTRUMENT_HOST_ID": 3,
    "INSTRUMENT_ID": 6,
    "OBSERVATION_ID": 15,
    "PRODUCT_ID": 21,
    "PRODUCT_VERSION_ID": 3,
    "TARGET_NAME": 32,
    "ORBIT_NUMBER": -6,
    "MISSION_PHASE_NAME": 30,
    "RATIONALE_DESC": 75,
    "EMISSION_ANGLE": -7,
    "INCIDENCE_ANGLE": -7,
    "SOLAR_LONGITUDE": -10,
    "MINIMUM_LATITUDE": -10,
    "MAXIMUM_LATITUDE": -10,
    "MAP_SCALE": -5,
}


def write_product(folder, identity, seed, shape=(96, 80)):
    """Writes an image and its label as the archive has them; the image."""
    path = pathlib.Path(hirise.product_path(identity, str(folder)))
    path.parent.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    pixels = rng.integers(3, 1022, shape).astype(np.uint16)
    rasters.write_jp2(path, pixels, 32)
    label = path.with_suffix(".LBL")
    rasters.write_hirise_label(label, path, height=shape[0], width=shape[1])
    size = f'"JP2"\n  REQUIRED_STORAGE_BYTES = {pixels.nbytes} <BYTES>'
    label.write_text(label.read_text().replace('"JP2"', size))
    for extra in path.parent.glob("*.aux.xml"):
        extra.unlink()
    return path


def index_label(rows):
    """The label of an index, and its columns' START_BYTE."""
    text, starts, byte = "", {}, 1
    for name, width in INDEX_COLUMNS.items():
        quote = int(width > 0)
        starts[name] = byte + quote
        kind = "CHARACTER" if quote else "ASCII_REAL"
        text += (
            f"  OBJECT = COLUMN\n    NAME = {name}\n    DATA_TYPE = {kind}\n"
            f"    START_BYTE = {starts[name]}\n    BYTES = {abs(width)}\n"
            "  END_OBJECT\n"
        )
        byte += abs(width) + 2 * quote + 1
    return (
        "PDS_VERSION_ID = PDS3\nRECORD_TYPE = FIXED_LENGTH\n"
        f'^RDR_INDEX_TABLE = "RDRCUMINDEX.TAB"\nOBJECT = RDR_INDEX_TABLE\n'
        f"  INTERCHANGE_FORMAT = ASCII\n  ROWS = {rows}\n"
        f"  ROW_BYTES = {byte + 1}\n  COLUMNS = {len(INDEX_COLUMNS)}\n{text}"
        "END_OBJECT\nEND\n"
    ), starts


def index_row(identity, product="RED", **values):
    """A row; columns that are not given are empty or 0."""
    values = {
        "VOLUME_ID": "MROHR_0001",
        "OBSERVATION_ID": identity,
        "PRODUCT_ID": f"{identity}_{product}",
        "RATIONALE_DESC": "Dunes, frost, and a crater",
        **values,
    }
    fields = [
        f'"{values.get(name, ""):<{width}}"'
        if width > 0
        else f"{values.get(name, 0):>{-width}}"
        for name, width in INDEX_COLUMNS.items()
    ]
    return ",".join(fields) + "\r\n"


def write_index(folder, rows):
    """Writes an index; returns its label."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RDRCUMINDEX.TAB").write_bytes("".join(rows).encode())
    label = folder / "RDRCUMINDEX.LBL"
    label.write_text(index_label(len(rows))[0])
    return label


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; `script[path]` tells what its next answers are.

    Attributes:
        script: Of the end of a path, what to do first, one after the other:
            a status with its headers; ("cut", bytes); ("length", bytes more);
            ("redirect", path); "replace"; "no length"; "dribble".
        requests: `(path, Range header, bytes sent)`, in order.
        weak: Whether ETags are weak.
        date: Of Last-Modified; "" for none.
    """

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = pathlib.Path(folder)
        self.script = {}
        self.requests = []
        self.agents = set()
        self.weak = False
        self.date = ""
        self.dribbling = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/PDS"

    def sent(self, ending):
        return [(r, n) for p, r, n in self.requests if p.endswith(ending)]

    def handle_error(self, request, client_address):
        """A client that leaves is no failure of the server's."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self.server.agents.add(self.headers["User-Agent"])
        path = self.path.removeprefix("/PDS").removeprefix("/moved")
        file = self.server.folder / path.lstrip("/")
        action = None
        for ending, actions in self.server.script.items():
            if path.endswith(ending) and actions:
                action = actions.pop(0)
                break
        if isinstance(action, tuple) and isinstance(action[0], int):
            self._refuse(*action)
        elif not file.is_file():
            self._refuse(404, {})
        elif action == "moved":
            self._refuse(302, {"Location": f"/PDS/moved{path}"})
        else:
            if action == "replace":
                file.write_bytes(self.server.replacement)
            self._send(file.read_bytes(), action)

    def _refuse(self, status, headers):
        self.server.requests.append((self.path, self.headers["Range"], 0))
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, data, action):
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        tag = f"W/{tag}" if self.server.weak else tag
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        valid = {self.server.date, "" if self.server.weak else tag}
        if wanted and self.headers["If-Range"] in valid:
            start = int(wanted.group(1))
            self.send_response(206)
            self.send_header(
                "Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"
            )
        else:
            self.send_response(200)
        body = data[start:]
        kind, count = action if isinstance(action, tuple) else (action, 0)
        if kind != "no length":
            told = len(body) + (count if kind == "length" else 0)
            self.send_header("Content-Length", str(told))
        self.send_header("ETag", tag)
        if self.server.date:
            self.send_header("Last-Modified", self.server.date)
        self.end_headers()
        if kind == "cut":
            body = body[:count]
        if kind == "dribble":
            body = self._dribble(body)
        # Told before it is sent, so that no client sees the end before it.
        self.server.requests.append(
            (self.path, self.headers["Range"], len(body))
        )
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def _dribble(self, body):
        """Half at once, then a byte at a time until the client leaves."""
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.server.dribbling.set()
        for place in range(half, len(body)):
            self.wfile.write(body[place : place + 1])
            threading.Event().wait(0.02)
        return b""


@contextlib.contextmanager
def served(folder):
    """Yields a server of `folder` on a port of its own."""
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
