"""Makes the embedded sample of the llava_cc3m pipeline: `python -m beam_pipelines.samples.make_llava_cc3m [FOLDER]`.

Pictures and captions were made for it. Planted: one record for each reason to drop, an image that no record names.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import orjson
from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent / 'llava_cc3m'
_COLORS = {'red': (200, 40, 40), 'green': (40, 160, 60), 'blue': (40, 70, 190), 'yellow': (220, 200, 50)}
_SHAPES = ('circle', 'square', 'triangle')
_ASK = ('Provide a brief description of the given image.', 'What is this?', 'Describe the picture in a few words.')
_TIME = (2020, 1, 1, 0, 0, 0)


def picture(color: str, shape: str) -> bytes:
    """A JPEG of one shape."""
    image = Image.new('RGB', (96, 72), (240, 240, 235))
    draw = ImageDraw.Draw(image)
    if shape == 'triangle':
        draw.polygon([(48, 10), (20, 60), (76, 60)], _COLORS[color])
    else:
        (draw.ellipse if shape == 'circle' else draw.rectangle)([24, 12, 72, 60], _COLORS[color])
    out = io.BytesIO()
    image.save(out, 'JPEG', quality=85)
    return out.getvalue()


def record(number: int, ask: str, answer: str, image: str = '', **changes: object) -> dict:
    """A record as the published set has them: bare file names, the token before or behind the instruction."""
    name = f'GCC_train_{number:09d}'
    return {'id': name, 'image': image or f'{name}.jpg', 'conversations': [
        {'from': 'human', 'value': ask}, {'from': 'gpt', 'value': answer}], **changes}


def make(folder: Path = FOLDER) -> None:
    """Writes chat.json and images.zip into `folder`, without a clock in them."""
    folder.mkdir(parents=True, exist_ok=True)
    images: dict[str, bytes] = {}
    records = []
    for n, (color, shape) in enumerate((c, s) for c in _COLORS for s in _SHAPES):
        ask = _ASK[n % len(_ASK)]
        records.append(record(n, f'<image>\n{ask}' if n % 2 else f'{ask}\n<image>', f'a {color} {shape} on a pale ground .'))
        images[records[-1]['image']] = picture(color, shape)
    whole, ask = picture('red', 'circle'), f'<image>\n{_ASK[0]}'
    wrong = [
        (record(100, ask, 'an image that is not there .'), None),
        (record(101, ask, 'a picture that was cut .'), whole[:len(whole) // 2]),
        (record(102, ask, 'a page that calls itself a picture .'), b'<html>not found</html>'),
        (record(103, '<image>\n<image>\nTwo?', 'two tokens .'), whole),
        (record(104, _ASK[0], 'no token .'), whole),
        (record(105, ask, ' '), whole),
        (record(106, ask, 'the end</s>'), whole),
        (record(107, ask, 'outside .', '../outside.jpg'), None),
        (record(108, ask, 'a second one of this id .', id='GCC_train_000000003'), whole),
        ({**record(109, ask, 'x'), 'conversations': [{'from': 'gpt', 'value': 'an answer first .'},
                                                     {'from': 'human', 'value': ask}]}, whole),
        ({'id': 'GCC_train_000000110', 'image': 'GCC_train_000000110.jpg'}, whole),
    ]
    for one, data in wrong:
        records.insert(len(records) // 2, one)
        if data is not None:
            images[one['image']] = data
    images['GCC_train_000000999.jpg'] = whole
    (folder / 'chat.json').write_bytes(orjson.dumps(records))
    with zipfile.ZipFile(folder / 'images.zip', 'w') as archive:
        for name in sorted(images, reverse=True):
            archive.writestr(zipfile.ZipInfo(name, _TIME), images[name])


if __name__ == '__main__':
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
