"""A small Flink REST server on loopback: what the launcher asks of a cluster, answered as Flink 1.19 does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeCluster:
    """What the server tells; a test changes it while it runs."""

    version: str = '1.19.3'
    managers: list[tuple[str, int]] = field(default_factory=lambda: [('10.0.0.2', 1), ('10.0.0.3', 1)])
    jobs: dict[str, dict] = field(default_factory=dict)  # by id: name, state, start, exceptions
    cancelled: list[str] = field(default_factory=list)
    url: str = ''

    def answer(self, method: str, path: str) -> object:
        parts = path.partition('?')[0].strip('/').split('/')
        if parts == ['config']:
            return {'flink-version': self.version}
        if parts == ['taskmanagers']:
            return {'taskmanagers': [{'id': str(i), 'path': f'pekko.tcp://flink@{host}:4{i}/user/rpc/taskmanager_0',
                                      'slotsNumber': slots} for i, (host, slots) in enumerate(self.managers)]}
        if parts == ['jobs', 'overview']:
            return {'jobs': [{'jid': jid, 'name': job['name'], 'state': job['state'], 'start-time': job.get('start', 0)}
                             for jid, job in self.jobs.items()]}
        if parts[0] == 'jobs' and parts[1] in self.jobs:
            job = self.jobs[parts[1]]
            if method == 'PATCH':
                self.cancelled.append(parts[1])
                job['state'] = 'CANCELED'
                return {}
            if parts[-1] == 'exceptions':
                return {'exceptionHistory': {'entries': [{'stacktrace': text} for text in job.get('exceptions', ())]}}
            return {'name': job['name'], 'state': job['state'], 'vertices': [
                {'status': 'RUNNING', 'tasks': {'RUNNING': 1}, 'metrics': {'write-records': job.get('records', 0)}}]}
        return None


@contextmanager
def serving(cluster: FakeCluster) -> Iterator[str]:
    """Serves it on a free port of loopback; yields its URL."""
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = cluster.answer(self.command, self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster.url = f'http://127.0.0.1:{server.server_port}'
    try:
        yield cluster.url
    finally:
        server.shutdown()
        server.server_close()
