"""Operations of tests, which a child finds by their dotted paths as it finds those of a domain."""

import hashlib
import io
import os
import signal
import sys
from dataclasses import dataclass

from transforms.image.check_image import ImageLimits
from transforms.sandbox.operation import ErrorNames, Operation, OperationError


@dataclass(frozen=True)
class HashSettings:
    side: int = 8
    cpu_seconds: float = 1.0
    memory_bytes: int = 512 << 20


class HashPixels(Operation):
    """The hash of an image's pixels: all that a new operation takes."""

    Settings = HashSettings
    errors = ErrorNames(timeout='HashTimeout', out_of_memory='HashOutOfMemory', crash='HashCrash', damaged='NoImage')

    def run(self, task, payload):
        from PIL import Image

        with Image.open(io.BytesIO(payload)) as image:
            small = image.convert('L').resize((self.settings.side, self.settings.side))
        return {'hash': hashlib.sha256(small.tobytes()).hexdigest()}, b''


class Misbehave(HashPixels):
    """Does what the task says."""

    tasks_done = 0

    def run(self, task, payload):
        match task['what']:
            case 'spin':
                while True:
                    pass
            case 'allocate':
                return {'size': len(bytearray(4 << 30))}, b''
            case 'die':
                os.kill(os.getpid(), signal.SIGSEGV)
            case 'raise':
                raise KeyError('a bug of the library')
            case 'refuse':
                raise OperationError('NotToday', 'for this reason')
        return {'done': self.tasks_done}, payload[::-1]

    def reset(self):
        self.tasks_done += 1


class LookAround(HashPixels):
    """Which modules the child has imported."""

    Settings = ImageLimits

    def run(self, task, payload):
        return {'modules': [name for name in task['names'] if name in sys.modules]}, b''
