"""The child process of a pool: reads tasks from stdin, answers on stdout, dies when it must.

Started as `python -m transforms.sandbox.child` with the operations and their settings as its argument. A task is one frame (see
`frames.py`): a JSON header that names the operation, and bytes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback

from transforms.sandbox.frames import read_frame, write_frame
from transforms.sandbox.limits import limit_memory, resident_bytes, start_clock
from transforms.sandbox.operation import Operation, OperationError, operation_at

_KEEP_RSS_BYTES = 700 << 20


def main(operations: dict[str, Operation]) -> None:
    """Reads frames from stdin, answers each on stdout, and returns when stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)
    tasks = os.fdopen(os.dup(0), 'rb', buffering=1 << 20)
    for operation in operations.values():
        operation.load()
    settings = next(iter(operations.values())).settings
    limit_memory(settings.memory_bytes)
    while (frame := read_frame(tasks)) is not None:
        header, payload = frame
        operation = operations[header['operation']]
        start_clock(settings.cpu_seconds)
        answer, body = _answer(operation, header, payload)
        start_clock(0)
        answer['recycle'] = answer.get('error') == operation.errors.out_of_memory or resident_bytes() > _KEEP_RSS_BYTES
        write_frame(answers, answer, body)


def _answer(operation: Operation, task: dict, payload: bytes) -> tuple[dict, bytes]:
    names = operation.errors
    try:
        return operation.run(task, payload)
    except OperationError as error:
        return {'error': error.name, 'message': str(error)}, b''
    except MemoryError:
        return {'error': names.out_of_memory, 'message': 'a memory request was refused'}, b''
    except Exception as error:  # the libraries' bindings raise what they like on hostile bytes
        if 'malloc' in str(error):
            return {'error': names.out_of_memory, 'message': 'a memory request was refused'}, b''
        where = traceback.extract_tb(error.__traceback__)[-1]
        message = f'{type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.name})'
        return {'error': names.damaged, 'message': message[:300]}, b''
    finally:
        operation.reset()


def _made(paths: list[str], settings: dict) -> dict[str, Operation]:
    operations = {}
    for path in paths:
        kind = operation_at(path)
        operations[path] = kind(kind.Settings(**settings))
    return operations


if __name__ == '__main__':
    main(_made(*json.loads(sys.argv[1])))
