"""A loopback server that speaks the part of the Dataflow API that is used: create, get, list, update, list messages."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TERMINAL = ('JOB_STATE_DONE', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED')


@dataclass
class Dataflow:
    """What the server knows and does; a test changes it while it runs.

    Attributes:
        jobs: as they were sent, by id, with `id`, `currentState` and `createTime`.
        messages: by id of the job, (importance, text).
        refuse: (status, message) that it answers to a job.
        away_until: time.monotonic() before which it answers 503.
        forbidden: a message that it answers with 403 to paths that hold `forbidden_for`, '' for none.
        on_create: what happens to a new job: a thread calls it with the job.
        asked: methods and paths, in order.
        garbage: what it answers instead of JSON, b'' for nothing of that; for methods and paths that hold `garbage_for`.
        create_seconds: how long it takes to answer to a job that it has taken.
        is_endless: whether each page of messages names another page.
    """

    jobs: dict[str, dict] = field(default_factory=dict)
    messages: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    refuse: tuple[int, str] | None = None
    away_until: float = 0.0
    forbidden: str = ''
    forbidden_for: str = ''
    garbage: bytes = b''
    garbage_for: str = ''
    create_seconds: float = 0.0
    is_endless: bool = False
    on_create: Callable[[dict], None] | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ''

    def say(self, job_id: str, importance: str, text: str) -> None:
        """Adds a message to a job's log."""
        self.messages.setdefault(job_id, []).append((importance, text))

    @property
    def only(self) -> dict:
        """The one job that there is."""
        (job,) = self.jobs.values()
        return job

    def answer(self, method: str, path: str, body: dict) -> tuple[int, dict]:
        url = urlsplit(path)
        self.asked.append(f'{method} {url.path}')
        if time.monotonic() < self.away_until:
            return 503, _error(503, 'The service is currently unavailable.')
        if self.forbidden and self.forbidden_for in url.path:
            return 403, _error(403, self.forbidden)
        parts = url.path.strip('/').split('/')  # v1b3/projects/P/locations/R/jobs[/ID[/messages]]
        if len(parts) == 6 and method == 'POST':
            return self._create(body)
        if len(parts) == 6:
            name = parse_qs(url.query).get('name', [''])[0]
            return 200, {'jobs': [job for job in reversed(self.jobs.values()) if name in ('', job['name'])]}
        job = self.jobs.get(parts[6])
        if job is None:
            return 404, _error(404, f'Could not find job {parts[6]}')
        if parts[7:] == ['messages']:
            return 200, {'nextPageToken': 'again' if self.is_endless else '', 'jobMessages': [{'id': f'{i:04d}', 'messageText': text, 'messageImportance': importance,
                                          'time': '2026-01-01T00:00:00Z'}
                                         for i, (importance, text) in enumerate(self.messages.get(job['id'], []))]}
        if method == 'PUT':
            if body.get('requestedState') in (5, 'JOB_STATE_CANCELLED') and job['currentState'] not in TERMINAL:
                job['currentState'] = 'JOB_STATE_CANCELLED'
        return 200, job

    def _create(self, body: dict) -> tuple[int, dict]:
        if any(job['name'] == body['name'] and job['currentState'] not in TERMINAL for job in self.jobs.values()):
            return 409, _error(409, f"There is already an active job with the name {body['name']}")
        if self.refuse:
            return self.refuse[0], _error(*self.refuse)
        job = {**body, 'id': f'2026-01-01_00_00_{len(self.jobs):02d}-1234567890123456789', 'currentState': 'JOB_STATE_PENDING',
               'createTime': '2026-01-01T00:00:00Z'}
        self.jobs[job['id']] = job
        if self.on_create:
            threading.Thread(target=self.on_create, args=(job,), daemon=True).start()
        time.sleep(self.create_seconds)
        return 200, job


def _error(code: int, message: str) -> dict:
    status = {400: 'INVALID_ARGUMENT', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 409: 'ALREADY_EXISTS', 429: 'RESOURCE_EXHAUSTED', 503: 'UNAVAILABLE'}[code]
    return {'error': {'code': code, 'message': message, 'status': status}}


@contextmanager
def serving(dataflow: Dataflow) -> Iterator[Dataflow]:
    """Serves it on a free port of loopback."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get('Content-Length') or 0)
            code, content = dataflow.answer(self.command, self.path, json.loads(self.rfile.read(size) or b'{}'))
            is_garbage = dataflow.garbage and dataflow.garbage_for in f'{self.command} {self.path}'
            text = dataflow.garbage if is_garbage else json.dumps(content).encode()
            self.send_response(200 if is_garbage else code)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(('localhost', 0), Handler)
    dataflow.url = f'http://localhost:{server.server_address[1]}'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield dataflow
    finally:
        server.shutdown()
        server.server_close()
