# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests performed by a controller, as if they were performed here: the same steps, results and errors.

With what Python has by itself: a command that only asks a controller starts as quickly as any.
"""

from __future__ import annotations

import http.client
import json
import secrets
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, TYPE_CHECKING, Any

from transproc.cluster.events import Events
from transproc.controller.contexts import Controller
from transproc.controller.kept import Kept, begin
from transproc.controller.patience import LostError, Patience, UnreachedError
from transproc.controller.requests.base import Request
from transproc.controller.requests.start import Run
from transproc.controller.sending import send, send_parcel
from transproc.controller.shown import Steps, result
from transproc.errors import MissingError, TransprocError

if TYPE_CHECKING:
    from transproc.automation.parcel import Parcel

LONGEST_LINE = 1 << 26
"""Bytes of an event: the report of a batch of 10,000 runs has 3 MB."""
PREFIX = "/api/v1"


class Client:
    """A controller."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._answered = False
        self._kept = Kept(controller)

    # --- requests ------------------------------------------------------------------------------------------------

    def perform(self, request: Request, events: Events, parcel: Parcel | None = None) -> Any:
        """As `request.perform`; Ctrl-C calls the task off and waits for its end, a second one ends the waiting.

        `parcel`: what the request's file names, which is sent first, as its upload.
        """
        number, mark = self._taken(request, events, parcel)
        return self._follow(number, mark, events, request.then)

    def _taken(self, request: Request, events: Events, parcel: Parcel | None) -> tuple[int, str]:
        """The task, and from where its events are to be heard. If no answer comes, the key says whether it was taken."""
        key, patience = secrets.token_hex(16), Patience()
        while True:
            try:
                if patience.waits and (known := self.get("/tasks", key=key)["tasks"]):
                    return known[0]["number"], ""
                path, words = self._prepared(request, events, parcel)
                task, headers = self._call("POST", path, words, {"Idempotency-Key": key})
                return task["number"], headers.get("X-Transproc-Events", "")
            except LostError as error:
                first = not patience.waits
                try:
                    patience.lost(error)
                except LostError:
                    if not first:
                        error.message += f"; whether '{request.kind}' was begun is not known"
                        error.hint = "'transproc ps' and 'transproc history' tell when the controller answers"
                    raise
                if first:
                    events.note(f"{error.message}; it is asked again")

    def _prepared(
        self, request: Request, events: Events, parcel: Parcel | None
    ) -> tuple[str, dict[str, Any]]:
        """Path and body."""
        words = request.words()
        if isinstance(request, Run):
            words = send(self, words, events)
        if parcel is not None:
            words["upload"] = send_parcel(self, parcel, events)
        path = request.path.format(name=urllib.parse.quote(str(words.get("name", "")), safe=""))
        if "{name}" in request.path:
            del words["name"]
        return path, words

    def _follow(self, number: int, mark: str, events: Events, then: str) -> Any:
        shown, called_off = Steps(events), False
        while True:
            try:
                for kind, data in self._events(number, mark):
                    if kind == "task" and data["number"] == number and data["ended"]:
                        shown.close()
                        return result(data)
                    shown.show(kind, data)
            except KeyboardInterrupt:
                if called_off:
                    raise
                called_off = True
                events.note(f"interrupted: {then}")
                self.ask(f"/tasks/{number}/cancel")
            mark = self._mark

    def _events(self, number: int, mark: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """What happens in a task; again after the connection was lost."""
        self._mark, patience = mark, Patience()
        while True:
            try:
                yield from self._listen(f"/events?task={number}&since={urllib.parse.quote(self._mark)}")
                patience.answered()
            except OSError as error:
                patience.lost(self.lost(error))

    def _listen(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        with self._answer("GET", path) as answer:
            kind = ""
            while line := answer.readline(LONGEST_LINE).decode():
                key, _, value = line.rstrip("\n").partition(": ")
                if key == "id":
                    self._mark = value
                elif key == "event":
                    kind = value
                elif key == "data":
                    yield kind, json.loads(value)

    # --- looking -------------------------------------------------------------------------------------------------

    def get(self, path: str, **words: Any) -> Any:
        """What the controller answers at a path below /api/v1."""
        query = urllib.parse.urlencode({key: value for key, value in words.items() if value is not None})
        return self._patiently("GET", f"{path}?{query}" if query else path)

    def ask(self, path: str, words: dict[str, Any] | None = None) -> Any:
        """What it answers to a question of many words, or to what changes nothing when it is said twice."""
        return self._patiently("POST", path, words)

    def _patiently(self, method: str, path: str, words: dict[str, Any] | None = None) -> Any:
        """What changes nothing is asked again when no answer comes."""
        patience = Patience()
        while True:
            try:
                return self._call(method, path, words)[0]
            except LostError as error:
                patience.lost(error)

    def post(self, path: str, words: dict[str, Any] | None = None) -> Any:
        """What it answers to something that changes something."""
        return self._call("POST", path, words)[0]

    def change(self, path: str, words: dict[str, Any]) -> Any:
        """What it answers when something is replaced."""
        return self._call("PUT", path, words)[0]

    def delete(self, path: str) -> None:
        """Removes something."""
        with self._told(), self._answer("DELETE", path):
            pass

    def put(self, path: str, body: IO[bytes], size: int | None = None) -> None:
        """Sends bytes; `size`: if it is known."""
        headers = {"Content-Type": "application/octet-stream"}
        if size is not None:
            headers["Content-Length"] = str(size)
        with self._told(), self._answer("PUT", path, body, headers):
            pass

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs."""
        found: list[dict[str, Any]] = []
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            page = self.get("/jobs", after=page["next"])
            found += page["jobs"]
        return found

    def log(self, name: str, stream: str, *, follow: bool = False) -> Iterator[bytes]:
        """What a job has printed; with `follow` until its end, also if the controller is away meanwhile."""
        words: dict[str, Any] = {"stream": stream, "follow": str(follow).lower(), "offset": 0}
        patience = Patience()
        while True:
            path = f"/jobs/{quoted(name)}/log?{urllib.parse.urlencode(words)}"
            try:
                with self._told(), self._answer("GET", path) as answer:
                    while data := answer.read1(1 << 16):
                        patience.answered()
                        words["offset"] += len(data)
                        yield data
                    return
            except LostError as error:
                patience.lost(error)

    def wait(self, name: str, timeout: float | None = None) -> dict[str, Any]:
        """A job's record when it has ended; raises `TransprocError` after so many seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            job: dict[str, Any] = self.get(f"/jobs/{quoted(name)}", ask="true")
            if job["state"] == "exited":
                return job
            if until is not None and time.monotonic() > until:
                raise TransprocError(
                    f"job {name}: has not ended after {timeout:g} s; it is {job['state']} on {job['node']}"
                )
            time.sleep(0.3)

    # --- HTTP ----------------------------------------------------------------------------------------------------

    def _call(
        self,
        method: str,
        path: str,
        words: dict[str, Any] | None = None,
        more: dict[str, str] | None = None,
    ) -> tuple[Any, http.client.HTTPMessage]:
        headers = {"Content-Type": "application/json", **(more or {})}
        body = None if words is None else json.dumps(words).encode()
        with self._told(), self._answer(method, path, body, headers) as answer:
            return json.loads(answer.read()), answer.headers

    @contextmanager
    def _told(self) -> Iterator[None]:
        """That the controller cannot be reached is said as all errors are."""
        try:
            yield
        except OSError as error:
            raise self.lost(error) from error

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        """A good answer; raises OSError if there is none, `TransprocError` for another one."""
        connection, over = self._kept.take(), False
        try:
            answer = self._ask(connection, method, path, body, headers)
            yield answer
            over = answer.isclosed()
        except http.client.HTTPException as error:  # it ended in the middle of its answer
            raise OSError(str(error) or type(error).__name__) from error
        finally:
            if over:
                self._kept.give(connection)
            else:
                connection.close()

    def connection(self) -> http.client.HTTPSConnection:
        """A new one, which connects when it is first used."""
        return self._kept.new()

    def _ask(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """As `_answer`, by a connection that may have been used before."""
        sent = {"Authorization": f"Bearer {self.controller.token}", **(headers or {})}
        try:
            if connection.sock is None:
                begin(connection)
            connection.request(method, PREFIX + path, body, sent)
            answer = connection.getresponse()
        except http.client.HTTPException as error:
            raise OSError(str(error) or type(error).__name__) from error
        self._answered = True
        if answer.status >= 300:
            raise self._refused(answer)
        return answer

    def stream(self, path: str) -> AbstractContextManager[http.client.HTTPResponse]:
        """An answer that comes piece by piece. Raises OSError if there is none."""
        return self._answer("GET", path)

    def keep(self, connection: http.client.HTTPSConnection, path: str, body: bytes, kind: str) -> bytes:
        """Sends something by a connection that stays open; raises OSError if there is no answer, and closes it then."""
        try:
            return self._ask(connection, "PUT", path, body, {"Content-Type": kind}).read()
        except (OSError, TransprocError):
            connection.close()
            raise

    def _refused(self, answer: http.client.HTTPResponse) -> TransprocError:
        text = answer.read(1 << 20)
        try:
            trouble = json.loads(text)["error"]
            kind = MissingError if answer.status == 404 else TransprocError
            error = kind(str(trouble["message"]), hint=trouble["hint"])
            error.exit_status = int(trouble["exit_status"])
        except (ValueError, KeyError, TypeError):
            return TransprocError(f"controller {self.controller.url}: answers {answer.status}")
        if answer.status == 401:
            error.message = f"controller {self.controller.url}: {error.message}"
            error.hint = "'transproc token add' on its host makes one, 'transproc context add' keeps it"
        return error

    def lost(self, error: OSError) -> LostError:
        """What is said when the controller cannot be reached."""
        reason, hint = str(error), None
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            reason = "it shows another certificate than the one that was accepted"
            hint = "if that is as it should be: 'transproc context add' again"
        lost = LostError(f"controller {self.controller.url}: {reason}", hint=hint)
        lost.asked = self._answered or not isinstance(error, UnreachedError)
        return lost


def quoted(name: str) -> str:
    """A name as a part of a path."""
    return urllib.parse.quote(name, safe="")
