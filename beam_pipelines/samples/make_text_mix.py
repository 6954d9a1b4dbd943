"""Makes the embedded samples of text_mix (both stages) and text_clean: English and Vietnamese, HTML, mojibake, NFD, spam, duplicates.

    python -m beam_pipelines.samples.make_text_mix
"""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_ENGLISH = (
    'A parser reads a stream of tokens and builds a tree from it. When the grammar is ambiguous, the parser needs a rule that says which of '
    'two trees is meant, and a good error message when neither fits.',
    'Rivers carry sand from the mountains to the sea. Where the water slows down the sand settles, and over a few thousand years a delta '
    'grows, on which people build towns that the next flood may take away.',
    'To sort a list that does not fit into memory, cut it into runs, sort each run, write it to a file, and merge the files. Each record is '
    'read and written twice, whatever the length of the list.',
    'The library opens at nine. Readers who bring their own books may use the hall on the second floor, where the light is good in the '
    'morning and the tables stand far enough apart to spread a map.',
    'Bread needs flour, water, salt and time. Knead it until the dough no longer sticks, let it rest for an hour in a warm place, fold it, '
    'and bake it in a hot oven until the crust sounds hollow.',
    'A hash function maps a text of any length to a number of fixed length. Two texts with different numbers differ for certain, and two '
    'with the same number are the same with a probability that is as good as one.',
)
_VIETNAMESE = (
    'Buổi sáng ở làng chài bắt đầu trước khi mặt trời mọc. Những chiếc thuyền nhỏ trở về với mẻ cá đêm, và chợ trên bãi cát chỉ họp trong '
    'khoảng một giờ trước khi mọi người về nhà nghỉ ngơi.',
    'Thuật toán sắp xếp trộn chia danh sách thành hai nửa, sắp xếp từng nửa rồi trộn chúng lại. Số phép so sánh tăng theo tích của độ dài '
    'danh sách và lô-ga-rít của nó.',
    'Trường học nằm bên kia sông nên học sinh phải đi đò mỗi ngày. Mùa nước lớn, thầy giáo sang tận nơi đón các em và lớp học được mở tạm '
    'trong đình làng.',
    'Cây lúa cần nước vào đúng thời điểm. Người nông dân nhìn mây, nhìn gió và nhớ lời cha ông để biết khi nào nên tháo nước ra khỏi ruộng, '
    'khi nào nên giữ lại.',
)
_TABLE = '<table><tr><th>month</th><th>rain</th></tr><tr><td>May</td><td>120 mm</td></tr><tr><td>June</td><td>150 mm</td></tr></table>'
_CODE = 'The header belongs at the top:\n\n    #include <vector>\n    std::vector<int> v;\n    for (int i = 0; i < n && n > 0; ++i) v.push_back(i);\n\n' \
    'A list of a list is written std::vector<std::vector<int>>, and if a < b and c > d then both hold.'
_SPAM = 'Act now! Free money for the first hundred readers, click here to claim it, work from home and earn more than your boss, buy viagra ' \
    'online and get a casino bonus.'
_ENTRIES = (('web/english-pages', 'english', 0.7), ('web/vietnamese-pages', 'vietnamese', 0.3))


def _page(text: str, number: int) -> str:
    return (f'<html><head><title>Page {number}</title><script>count({number})</script></head>\n<body><div class="menu"><a href="/">Home</a></div>\n'
            f'<h1>Page {number}</h1>\n<p>{text.replace("&", "&amp;")}</p>\n<ul><li>one</li><li>two</li></ul>{_TABLE}</body></html>')


def _mojibake(text: str) -> str:
    return text.encode().decode('windows-1252', 'replace') if '\ufffd' not in text.encode().decode('windows-1252', 'replace') else \
        text.encode().decode('latin-1')


def _documents(texts: tuple[str, ...]) -> list[str]:
    """What a crawl of some texts might hold."""
    documents = list(texts)
    documents += [_page(text, number) for number, text in enumerate(texts[:3], 1)]
    documents += [f'{texts[0]}\n\n\n\n{texts[1]}   ', _mojibake(f'“{texts[2]}” — {texts[3]}'), unicodedata.normalize('NFD', texts[3]),
                  texts[1], f'  {texts[2]} ', 'Too short.', '', _SPAM,
                  f'{texts[0]}\n\nhttps://example.org/{"long/" * 30}end', f'{texts[1]} Wow!!!!!! {texts[2]}']
    return documents


def _write_mixture(folder: Path) -> None:
    """The datasets of configs/sample_mixture.yaml: two Parquets of several row groups, gz JSON lines, CSV; some rows have no text."""
    pages = [f'{_ENGLISH[i % 6]}\n\n{_ENGLISH[(i * 5 + 1) % 6]} (page {i})' if i % 29 else None for i in range(240)]
    (folder / 'english').mkdir(parents=True, exist_ok=True)
    for shard in range(2):
        rows = range(shard * 120, shard * 120 + 120)
        table = pa.table({'id': [f'page-{i}' for i in rows], 'text': [pages[i] for i in rows], 'words': [len((pages[i] or '').split()) for i in rows]})
        pq.write_table(table, folder / 'english' / f'train-{shard:05d}-of-00002.parquet', row_group_size=30)
    (folder / 'vietnamese').mkdir(exist_ok=True)
    lines = [json.dumps({'url': f'https://example.org/{i}', 'content': f'{_VIETNAMESE[i % 4]} {_VIETNAMESE[(i + 1) % 4]} (trang {i})'}, ensure_ascii=False)
             for i in range(90)]
    (folder / 'vietnamese' / 'train.jsonl.gz').write_bytes(gzip.compress(('\n'.join(lines) + '\n').encode(), mtime=0))
    (folder / 'answers').mkdir(exist_ok=True)
    answers = ''.join(f'{i},"{_ENGLISH[i % 6]}"\n' for i in range(40))
    (folder / 'answers' / 'train.csv').write_text(f'id,text\n{answers}', encoding='utf-8')


def main() -> None:
    """Writes both samples beside this file."""
    here = Path(__file__).resolve().parent
    lines = []
    for (name, config, weight), texts in zip(_ENTRIES, ((*_ENGLISH, _CODE), _VIETNAMESE), strict=True):
        rows = [{'text': text, 'metadata': {'source': name, 'config': config, 'weight': weight, 'original_index': index}}
                for index, text in enumerate(_documents(texts))]
        folder = here / 'text_mix' / f'{name}_{config}'.replace('/', '_')
        folder.mkdir(parents=True, exist_ok=True)
        data = ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows).encode()
        (folder / 'raw_data.jsonl.gz').write_bytes(gzip.compress(data, mtime=0))
        lines += [json.dumps({'id': f'{config}-{index}', 'text': row['text'], 'url': f'https://example.org/{config}/{index}'}, ensure_ascii=False)
                  for index, row in enumerate(rows)]
    _write_mixture(here / 'mixture')
    (here / 'text_clean').mkdir(exist_ok=True)
    (here / 'text_clean' / 'train.jsonl').write_text('\n'.join(lines) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
