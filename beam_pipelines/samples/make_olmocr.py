"""Makes the embedded sample of the olmocr pipeline: `python -m beam_pipelines.samples.make_olmocr [FOLDER]`.

Every text here was written for it. Planted: two blank pages, an answer with `</s>`, a second row with the same id,
an encrypted, a truncated and an HTML file, a row without its document, a document without a row.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from beam_pipelines.samples.dataset import Page, write_split
from beam_pipelines.samples.pages import chart_page, locked_page, scan_page, text_page

FOLDER = Path(__file__).resolve().parent / 'olmocr'

_TIDES = ('<h1>A Short Guide to Tide Tables</h1><p>A tide table lists, for one harbour, the hours and heights of high '
          'and low water. Heights are given above chart datum, so a sounding on the chart plus the height of tide is '
          'the depth of water that a keel will find.</p><p>Spring tides follow full and new moon by a day or two; '
          'neaps follow the quarters. Between them the range may differ by half.</p>')
_VIETNAMESE = ('<h1>Hướng dẫn pha trà sen</h1><p>Chọn trà xanh Thái Nguyên và hoa sen hái lúc sáng sớm. Ướp trà trong '
               'bông sen suốt một đêm, sau đó sấy nhẹ cho khô.</p><p>Nước pha phải vừa sôi, khoảng chín mươi độ; ấm '
               'được tráng qua trước khi cho trà vào.</p>')
_CHINESE = ('<h1>渡口的钟声</h1><p>清晨，河面上还有一层薄雾。老人摇着小船，从东岸到西岸，一天要走二十多个来回。</p>'
            '<p>孩子们背着书包，坐在船头数对岸的柳树。</p>')
_JAPANESE = '<h1>庭の手入れ</h1><p>春になったら、まず枯れ葉を集めます。土を軽くほぐし、苔に水をやってください。</p>'
_ARABIC = ('<div dir="rtl"><h1>دليل زراعة الزيتون</h1><p>تُزرع أشجار الزيتون في الخريف بعد أول المطر، ويُترك بين كل '
           'شجرتين ستة أمتار.</p></div>')
_COLUMNS = ('<h2>On Mending Nets</h2><p>A net is mended from the outside in. First the torn meshes are trimmed until '
            'only whole knots remain, then the needle takes the twine from bar to bar.</p><p>The gauge decides the '
            'size of the mesh; a thumb will do where no gauge is at hand.</p><!-- column --><p>Cotton shrinks in the '
            'first wash and must be tied loosely. Nylon does not, but its knots slip, and a double hitch is '
            'needed.</p><p>When the last mesh is closed the net is hung for a night with weights.</p>')
_TABLE_ROWS = (('Harbour', 'High', 'Low'), ('Northquay', '4.8 m', '0.9 m'), ('Stonehaven Pool', '4.3 m', '0.7 m'),
               ('Old Mole', '5.1 m', '1.2 m'), ('Saltmarsh', '3.9 m', '0.4 m'))
_TABLE = ('<h2>Heights at springs</h2><style>td,th{border:1px solid #555;padding:4px 10px}</style><table>'
          + ''.join('<tr>' + ''.join(f'<td>{c}</td>' for c in row) + '</tr>' for row in _TABLE_ROWS) + '</table>')
_LETTER = ('<p>Lighthouse, the 3rd of March</p><p>Dear Brother,</p><p>The lamp was out for two hours on Tuesday, and I '
           'rang the bell by hand till the wick was trimmed. No vessel came near. Send oil with the next boat, and '
           'tobacco if there is any to be had.</p><p>Your Thomas</p>')
_FORMULA = ('<h2>Period of a pendulum</h2><p>For small swings the period is <i>T</i> = 2&pi; &radic;(<i>l</i>/<i>g'
            '</i>), where <i>l</i> is the length and <i>g</i> = 9.81 m/s&sup2;.</p>')
_CATCH = {'Mon': 12, 'Tue': 30, 'Wed': 22, 'Thu': 41, 'Fri': 18}


def text_of(html: str) -> str:
    """The text that belongs to a page's HTML, as the dataset's own conventions have it."""
    html = re.sub(r'<style>.*?</style>', '', html)
    table = re.search(r'<table>.*</table>', html)
    body = html[:table.start()] if table else html
    lines = re.sub(r'<!-- column -->|</?(?:p|h1|h2|div)[^>]*>', '\n', body)
    text = re.sub(r'<[^>]+>', '', lines)
    for name, char in (('&pi;', 'π'), ('&radic;', '√'), ('&sup2;', '²')):
        text = text.replace(name, char)
    return '\n\n'.join(line.strip() for line in text.splitlines() if line.strip()) \
        + (f'\n\n{table[0]}' if table else '')


def _page(page_id: str, html: str, language: str = 'en', rotation: int = 0, columns: int = 1, **label: object) -> Page:
    return Page(page_id, text_page(html, rotation, columns), text_of(html), language, rotation, **label)


def make(root: Path) -> None:
    """Writes Parquet files and their tarballs under `root`; the module says what is planted in them."""
    tides = text_page(_TIDES)
    write_split(root, '00_documents', 'train', [
        _page('0a3f/tide-guide', _TIDES),
        _page('0b71/nets', _COLUMNS, columns=2),
        _page('1c02/heights', _TABLE, is_table=True),
        _page('1d9e/tra-sen', _VIETNAMESE, 'vi'),
        Page('2e55/locked', locked_page(_TIDES), text_of(_TIDES)),
        _page('2f10/turned-90', _COLUMNS, columns=2, rotation=90),
        Page('3a00/truncated', tides[:len(tides) // 2], text_of(_TIDES)),
        Page('3b8c/not-a-pdf', b'<html><body>404 Not Found</body></html>', 'Not found'),
        Page('4c12/blank', text_page(''), None),
        Page('4d77/end-token', tides, text_of(_TIDES) + '</s>'),
        _page('5e31/ferry', _CHINESE, 'zh', chunk=1),
        _page('5f64/olives', _ARABIC, 'ar', chunk=1),
        Page('0a3f/tide-guide', tides, text_of(_TIDES), chunk=1),
        Page('6a90/lost', None, 'A page whose document is not in its tarball.', chunk=1),
        Page('6b2d/catch', chart_page('Catch of the week, in baskets', _CATCH, 'No boat left port on Sunday.'),
             'Catch of the week, in baskets\n\n'
             + '\n'.join(f'{day}: {n}' for day, n in _CATCH.items()) + '\n\nNo boat left port on Sunday.',
             is_diagram=True, chunk=1),
    ], extra_members={'zz/orphan.pdf': tides})
    write_split(root, '00_documents', 'eval', [
        _page('7c0a/garden', _JAPANESE, 'ja'), _page('7d41/pendulum', _FORMULA),
        _page('8e5b/turned-270', _TABLE, rotation=270, is_table=True)])
    write_split(root, '01_books', 'train', [
        Page('nets-and-lines-12', scan_page(_COLUMNS.replace('<!-- column -->', ''), 1),
             text_of(_COLUMNS)),
        Page('nets-and-lines-13', scan_page('', 2), '   ', None),
        _page('pilot-handbook-4', _TIDES, rotation=180)], text_flags=True)
    write_split(root, '02_loc_transcripts', 'train', [
        Page('mss:lamp-1', scan_page(_LETTER, 3), text_of(_LETTER)),
        _page('mss:lamp-2', _LETTER)])
    write_split(root, '03_national_archives', 'eval', [_page('9f/03/log', _LETTER), _page('9f/04/tables', _TABLE)])


def main() -> None:
    """Makes the sample anew, in the folder given or in the package."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    make(folder)


if __name__ == '__main__':
    main()
