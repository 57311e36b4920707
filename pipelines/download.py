"""Fetches files over HTTP: resumed where they were cut, whole or not at all.

References: RFC 9110, sections 10.2.3 (Retry-After), 13.1.5 (If-Range) and
14 (ranges).
"""

import contextlib
import dataclasses
import datetime
import email.utils
import http.client
import json
import os
import random
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from absl import logging

from marsgan_tf import errors

_USER_AGENT = "marsgan-tf (dataset builder)"
_CHUNK_BYTES = 1 << 18
_FIRST_WAIT_S, _MOST_WAIT_S = 2.0, 120.0
# A server that asks for more is closed, as far as one run is concerned.
_MOST_ASKED_WAIT_S = 3600.0
_MOST_DIGITS = 18  # Of a length.
_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))


class Stopped(Exception):
    """The run ends; what has come lies beside the file's place."""


@dataclasses.dataclass(frozen=True)
class Manners:
    """How a server is treated.

    Attributes:
        timeout_s: Without a byte, after which a connection is given up.
        attempts: In a row that bring nothing, before a file is given up.
        wait: Waits so many seconds; true if the run shall end.
    """

    timeout_s: float
    attempts: int
    wait: Callable[[float], bool]


class _Failure(Exception):
    """An attempt that another may mend.

    Attributes:
        asked_s: Seconds that the server wants to be left alone; None if it
            says nothing.
    """

    def __init__(self, reason: str, asked_s: float | None = None) -> None:
        super().__init__(reason)
        self.asked_s = asked_s


def fetch(
    url: str,
    path: str,
    *,
    most_bytes: int,
    check: Callable[[str], None],
    manners: Manners,
) -> bool:
    """Brings a file to `path`, unless it is there.

    What has come stays in `.NAME.part` when the run is cut off, and is gone
    on with if the server still has the same file; else it starts over.

    Args:
        url: Where it is.
        path: Its name here; the folder exists.
        most_bytes: Not fetched if it has more.
        check: Raises a MarsganError if the file, at the name that it is
            called with, is not what it should be.
        manners: How the server is treated.

    Returns:
        Whether it was fetched, not found here.

    Raises:
        DownloadError: If it cannot be had, or `check` fails.
        Stopped: If the run ends.
    """
    if os.path.isfile(path):
        return False
    part = _Part(path)
    failures = reached = 0
    while not part.is_complete:
        try:
            _transfer(url, part, most_bytes, manners)
        except _Failure as failure:
            # What comes again after a change on the server is no progress,
            # or a file that changes for ever would be fetched for ever.
            failures = 0 if part.bytes > reached else failures + 1
            reached = max(reached, part.bytes)
            if failures >= manners.attempts:
                raise errors.DownloadError(
                    f"{url}: {failure}, {failures} times: try again later, "
                    "what has come is kept"
                ) from None
            _wait(url, failure, failures, manners)
    try:
        check(part.path)
    except errors.MarsganError as error:
        part.discard()
        raise errors.DownloadError(f"{url}: {error}") from None
    part.finish()
    return True


class _Part:
    """What has come of a file, and of which version of it.

    Attributes:
        path: Of what has come.
        tag: The server's name of this version; "" if it gave none that can
            be relied on.
        total: Bytes of the whole; None before the first answer.
    """

    def __init__(self, final: str) -> None:
        folder, name = os.path.split(final)
        self._final = final
        self.path = os.path.join(folder, f".{name}.part")
        self._note = f"{self.path}.json"
        self.tag, self.total = "", None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with open(self._note, encoding="utf-8") as file:
                note = json.load(file)
            self.tag, self.total = str(note["tag"]), int(note["total"])

    @property
    def bytes(self) -> int:
        """How many have come."""
        try:
            return os.path.getsize(self.path)
        except FileNotFoundError:
            return 0

    @property
    def is_complete(self) -> bool:
        """Whether all have come."""
        return bool(self.tag) and self.bytes == self.total

    def begin(self, tag: str, total: int) -> None:
        """Forgets what has come, for a version that starts."""
        # The note last: without it, what has come counts for nothing.
        self.discard()
        with open(self.path, "wb"):
            pass
        self.tag, self.total = tag, total
        with open(self._note, "w", encoding="utf-8") as file:
            json.dump({"tag": tag, "total": total}, file)

    def finish(self) -> None:
        """Gives the file its name."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
        os.replace(self.path, self._final)
        self._forget(self._note)

    def discard(self) -> None:
        """Removes what has come."""
        self._forget(self._note)
        self._forget(self.path)
        self.tag, self.total = "", None

    @staticmethod
    def _forget(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def _transfer(url: str, part: _Part, most_bytes: int, manners: Manners) -> None:
    """Asks for what is missing, and adds what comes.

    Raises:
        _Failure: If not all has come.
        DownloadError: If asking again cannot help.
        Stopped: If the run ends.
    """
    headers = {"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"}
    start = part.bytes if part.tag else 0
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": part.tag}
    request = urllib.request.Request(url, headers=headers)
    with _answer(url, request, part, manners) as answer:
        if answer.status == 206:
            _check_continues(answer, part, start)
        else:
            total = _length(url, answer)
            if total > most_bytes:
                raise errors.DownloadError(
                    f"{url}: has {total} bytes, more than the {most_bytes} "
                    "that it may: check --base_url"
                )
            part.begin(_tag(answer), total)
        _append(answer, part, manners)


@contextlib.contextmanager
def _answer(
    url: str, request: urllib.request.Request, part: _Part, manners: Manners
) -> Iterator[Any]:
    """Opens an address; turns what fails into what to do about it."""
    try:
        answer = _opener().open(request, timeout=manners.timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # The file has become shorter than the part.
            part.discard()
        elif error.code not in _TRANSIENT:
            raise errors.DownloadError(
                f"{url}: {error.code} {error.reason}: check the observation "
                "ID and --base_url"
            ) from None
        asked_s = _asked_wait(error.headers.get("Retry-After"))
        raise _Failure(f"{error.code} {error.reason}", asked_s) from None
    except urllib.error.URLError as error:
        raise _Failure(str(error.reason)) from None
    except ValueError as error:  # A redirect to what is no address.
        raise errors.DownloadError(
            f"{url}: leads to no address ({_name(error)}): check --base_url"
        ) from None
    except (http.client.HTTPException, OSError) as error:
        raise _Failure(_name(error)) from None
    with answer:
        yield answer


def _append(answer: Any, part: _Part, manners: Manners) -> None:
    with open(part.path, "ab") as file:
        while chunk := _read(answer):
            file.write(chunk)
            file.flush()  # What has come is kept, however this ends.
            if file.tell() > (part.total or 0):
                part.discard()
                raise _Failure("more came than was promised")
            if manners.wait(0):
                raise Stopped
    if part.bytes != part.total:
        raise _Failure(f"cut off at {part.bytes} of {part.total} bytes")
    if not part.tag:
        # Complete, though another run could not have gone on with it.
        part.tag = "complete"


def _read(answer: Any) -> bytes:
    """What comes next; nothing at the end, also at one that is too early."""
    try:
        return answer.read1(_CHUNK_BYTES)
    except (http.client.HTTPException, OSError) as error:
        raise _Failure(f"cut off ({_name(error)})") from None


def _check_continues(answer: Any, part: _Part, start: int) -> None:
    """Whether a part of the file is the one that was asked for.

    Raises:
        _Failure: If not; what has come is removed.
    """
    told = answer.headers.get("Content-Range", "")
    expected = f"bytes {start}-{(part.total or 0) - 1}/{part.total}"
    if told != expected or _tag(answer) not in ("", part.tag):
        part.discard()
        raise _Failure(f"another file's part came ({told[:60]})")


def _length(url: str, answer: Any) -> int:
    told = answer.headers.get("Content-Length", "")
    if not told.isdecimal() or len(told) > _MOST_DIGITS:
        raise errors.DownloadError(
            f"{url}: the server tells no length, so that a cut could not be "
            "seen: give another --base_url"
        )
    return int(told)


def _tag(answer: Any) -> str:
    """What tells this version of a file from others; "" if nothing does.

    Not a weak ETag, which may stay the same when bytes change.
    """
    tag = answer.headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return answer.headers.get("Last-Modified", "")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to other hosts, as archives move, but to no plainer protocol."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request that follows, or None where there shall be none."""
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise errors.DownloadError(
                f"{req.full_url}: leads to {newurl[:80]}, where anybody could "
                "change what comes: give the --base_url that you trust"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
    ) -> Any:
        """The answer from where it leads to."""
        # urllib reads the body of this one, which may have no end, and leaves
        # it open where it leads to no address.
        fp.close()
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_302
    http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """As urllib's own, but a redirect leads to no file and no FTP server."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        _Redirects,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _wait(url: str, failure: _Failure, failures: int, manners: Manners) -> None:
    """Waits before the next attempt: longer each time, never in step."""
    longest = min(_FIRST_WAIT_S * 2**failures, _MOST_WAIT_S)
    seconds = random.uniform(longest / 2, longest)
    if failure.asked_s is not None:
        if failure.asked_s > _MOST_ASKED_WAIT_S:
            raise errors.DownloadError(
                f"{url}: {failure}; the server asks to be left alone for "
                f"{failure.asked_s:.0f} s: try again then"
            )
        seconds += failure.asked_s
    logging.info("%s: %s; again in %.0f s", url, failure, seconds)
    if manners.wait(seconds):
        raise Stopped


def _asked_wait(told: str | None) -> float | None:
    """Seconds that a Retry-After header asks for; it may tell a time."""
    if told is None:
        return None
    if told.strip().isdecimal():
        return float(told)
    try:
        until = email.utils.parsedate_to_datetime(told)
        now = datetime.datetime.now(datetime.UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
