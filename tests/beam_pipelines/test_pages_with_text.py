"""render_pdf for people who come for page images with text: the text layer, chat.json, passwords, several inputs, what `datasets` sees."""

import json
import random

import datasets
import pandas as pd
import pymupdf
import pytest
from PIL import Image

from beam_pipelines import render_pdf
from tests.helpers import assert_balanced, assert_same_output, load, records, run_process, tree

TITLE, FOOTER = 'A Title That Goes Over Both Columns Of The Page', 'A footer line over everything, which comes last of all lines here'


def columns(rotation: int = 0, seed: int | None = None) -> bytes:
    """A page of two columns between a title and a footer; with a seed its lines are in any order."""
    document = pymupdf.open()
    page = document.new_page()
    lines = [((72, 72), TITLE, 18), ((72, 440), FOOTER, 10)]
    lines += [((x, 120 + 14 * k), f'{side} column line {k} with some words', 9) for k in range(20) for x, side in ((72, 'Left'), (320, 'Right'))]
    if seed is not None:
        random.Random(seed).shuffle(lines)
    for place, text, size in lines:
        page.insert_text(place, text, fontsize=size)
    page.set_rotation(rotation)
    return document.tobytes()


def pages(*texts: str, password: str = '') -> bytes:
    document = pymupdf.open()
    for text in texts:
        document.new_page().insert_text((72, 100), text)
    return document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw=password, owner_pw=password) if password else document.tobytes()


def run(source, output, *flags):
    result = render_pdf.run([f'--input={source}', f'--output={output}', '--max_size=200', '--progress=off', *flags])
    if result.accounts:
        assert_balanced(result.accounts)
    return result


EXPECTED = '\n'.join((f'{TITLE}\n', *(f'Left column line {k} with some words' for k in range(20)), *(f'Right column line {k} with some words' for k in range(20)),
                      f'\n{FOOTER}'))


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_the_text_layer_is_in_reading_order(tmp_path, engine):
    for rotation in (0, 90, 180, 270):
        for seed in (None, 1, 2):
            (tmp_path / f'{rotation}-{seed}.pdf').write_bytes(columns(rotation, seed))
    assert run(tmp_path, tmp_path / 'out', '--text=layer', f'--pdf_engine={engine}').exit_code == 0
    rows = records(tmp_path / 'out').values()
    assert len(rows) == 12 and all(row['text_source'] == 'layer' for row in rows)
    assert {_in_one(row['text']) for row in rows} == {EXPECTED}


def _in_one(text: str) -> str:
    """Without the empty line between columns, which depends on where the second begins."""
    return text.replace('words\n\nRight', 'words\nRight')


def test_rows_of_a_table_are_read_across(tmp_path):
    document = pymupdf.open()
    page = document.new_page()
    for k, cells in enumerate((('Item', 'Count', 'Price'), ('Apples', '3', '1.20'), ('Pears', '14', '22.40'), ('Plums', '5', '9.10'))):
        for x, cell in zip((72, 250, 400), cells, strict=True):
            page.insert_text((x, 100 + 16 * k), cell)
    (tmp_path / 'a.pdf').write_bytes(document.tobytes())
    run(tmp_path, tmp_path / 'out', '--text=layer')
    assert records(tmp_path / 'out')['a.pdf', 0]['text'].split('\n') == ['Item Count Price', 'Apples 3 1.20', 'Pears 14 22.40', 'Plums 5 9.10']


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'in'
    root.mkdir()
    (root / 'a.pdf').write_bytes(pages('first page', '', 'the <image> token'))
    (root / 'locked.pdf').write_bytes(pages('a secret page', password='sesame'))
    Image.new('L', (60, 40), 120).save(root / 'small.png')
    return root


def test_chat_json_of_pages_with_text(folder, tmp_path):
    result = run(folder, tmp_path / 'out', '--text=layer', '--conversations', '--prompt=Read it.', '--password=wrong', '--password=sesame')
    assert result.exit_code == 0 and result.accounts['warnings'] == {'no_text_layer': 1, 'special_token': 1}
    chat = load(tmp_path / 'out' / 'chat.json')
    assert [(one['id'], one['conversations'][1]['value']) for one in chat] == [('a.pdf#1', 'first page'), ('locked.pdf#1', 'a secret page')]
    assert all((tmp_path / 'out' / one['image']).is_file() and one['conversations'][0]['value'] == '<image>\nRead it.' for one in chat)
    run(folder, tmp_path / 'more', '--text=layer', '--conversations', '--special_tokens=escape', '--blank_answer=Nothing.', '--password=sesame')
    assert [one['conversations'][1]['value'] for one in load(tmp_path / 'more' / 'chat.json')] == [
        'first page', 'Nothing.', 'the &lt;image> token', 'a secret page']


def test_datasets_and_pandas_see_images_and_text(folder, tmp_path):
    run(folder, tmp_path / 'out', '--text=layer', '--password=sesame')
    loaded = datasets.load_dataset(str(tmp_path / 'out'), cache_dir=str(tmp_path / 'cache'))
    assert list(loaded) == ['train'] and [row['text'] for row in loaded['train']] == ['first page', '', 'the <image> token', 'a secret page']
    assert all(row['image'].convert('RGB').size == (141, 200) for row in loaded['train'])
    lines = pd.read_json(tmp_path / 'out' / 'metadata.jsonl', lines=True)
    assert list(lines['page']) == [1, 2, 3, 1] and all((tmp_path / 'out' / name).is_file() for name in lines['file_name'])
    run(folder, tmp_path / 'plain', '--password=sesame')
    assert datasets.load_dataset(str(tmp_path / 'plain'), cache_dir=str(tmp_path / 'cache2'))['train'].column_names == ['image', 'id', 'file', 'page']


def test_blank_pages(folder, tmp_path):
    assert run(folder, tmp_path / 'kept').accounts['totals']['written'] == 3
    result = run(folder, tmp_path / 'out', '--blank_pages=drop')
    assert result.accounts['totals']['dropped'] == {'blank_page': 1} and result.accounts['totals']['written'] == 2
    Image.new('RGB', (60, 40), 'white').save(folder / 'white.png')
    assert run(folder / '*.png', tmp_path / 'images', '--blank_pages=drop').accounts['totals']['dropped'] == {'blank_page': 1}


def test_a_password_is_kept_nowhere_and_helps_afterwards(folder, tmp_path):
    assert run(folder, tmp_path / 'out', '--text=layer').accounts['totals']['failed'] == {'EncryptedPdf': 1}
    (tmp_path / 'words').write_text('wrong\nsesame\n')
    result = run(folder, tmp_path / 'out', '--text=layer', '--retry_failed', f'--password_file={tmp_path}/words')
    assert result.exit_code == 0 and result.accounts['totals']['failed'] == {}
    run(folder, tmp_path / 'once', '--text=layer', '--password=sesame')
    assert_same_output(tmp_path / 'once', tmp_path / 'out')
    assert not any(b'sesame' in (tmp_path / 'out' / name).read_bytes() for name in tree(tmp_path / 'out'))
    assert run(folder, tmp_path / 'none', '--password_file=/no/such').exit_code == 2


def test_a_killed_run_keeps_texts(folder, tmp_path):
    """What the journal remembers has its text too."""
    run(folder, tmp_path / 'whole', '--text=layer', '--conversations')
    first = run(folder, tmp_path / 'out', '--text=layer', '--conversations', '--max_failures=0')
    assert first.exit_code == 1
    assert run(folder, tmp_path / 'out', '--text=layer', '--conversations').exit_code == 0
    for name in ('chat.json', 'metadata.jsonl'):
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'whole' / name).read_bytes()


def test_several_inputs(folder, tmp_path):
    (folder / 'sub').mkdir()
    (folder / 'sub' / 'UPPER.PDF').write_bytes(pages('upper'))
    quoted = run(f'{folder}/*.pdf', tmp_path / 'quoted')
    unquoted = render_pdf.run(['--input', f'{folder}/a.pdf', f'{folder}/locked.pdf', f'{folder}/a.pdf', f'--output={tmp_path}/unquoted',
                               '--max_size=200', '--progress=off'])
    assert quoted.exit_code == unquoted.exit_code == 0
    assert set(records(tmp_path / 'quoted')) == set(records(tmp_path / 'unquoted'))
    both = render_pdf.run(['--input', f'{folder}/sub', f'{folder}/a.pdf', f'--output={tmp_path}/both', '--max_size=200', '--progress=off'])
    assert both.exit_code == 0 and {file for file, _ in records(tmp_path / 'both')} == {'a.pdf', 'sub/UPPER.PDF'}
    assert {file for file, _ in records(tmp_path / 'both')} <= set(
        file for file, _ in (run(f'{folder}/**/*.pdf', tmp_path / 'glob'), records(tmp_path / 'glob'))[1])


def test_an_output_in_the_place_of_the_input(folder):
    result = run(folder, folder)
    assert result.exit_code == 2 and 'choose another output folder' in result.message
    assert sorted(path.name for path in folder.iterdir()) == ['a.pdf', 'locked.pdf', 'small.png']


def test_an_unquoted_glob_where_one_place_is_taken(tmp_path):
    done = run_process('olmocr', '--input', 'a', 'b', f'--output={tmp_path}/o')
    assert (done.returncode, done.stderr.count('\n')) == (2, 1) and 'quote the glob' in done.stderr


def test_enlarging(tmp_path):
    (tmp_path / 'in').mkdir()
    Image.new('L', (60, 40), 120).save(tmp_path / 'in' / 'small.png')
    (tmp_path / 'in' / 'page.pdf').write_bytes(pages('x'))
    sizes = {}
    for flags in ((), ('--enlarge=yes',), ('--enlarge=no',)):
        output = tmp_path / f'out{len(sizes)}'
        render_pdf.run([f'--input={tmp_path}/in/*.*', f'--output={output}', '--max_size=1000', '--progress=off', *flags])
        sizes[flags] = {file: (row['width'], row['height']) for (file, _), row in records(output).items()}
    assert sizes[()] == {'small.png': (60, 40), 'page.pdf': (707, 1000)}
    assert sizes['--enlarge=yes',] == {'small.png': (1000, 667), 'page.pdf': (707, 1000)}
    assert sizes['--enlarge=no',] == {'small.png': (60, 40), 'page.pdf': (595, 842)}


def test_names_keep_their_letters(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'Đường phố Việt Nam.pdf').write_bytes(pages('x'))
    run(tmp_path / 'in', tmp_path / 'out')
    assert records(tmp_path / 'out')['Đường phố Việt Nam.pdf', 0]['output'].rpartition('/')[2].startswith('duong-pho-viet-nam.pdf-')


@pytest.mark.parametrize(('flags', 'words'), [
    (['--conversations'], 'needs --text=layer'), (['--text=layer', '--conversations', '--blank_answer=</s>'], 'no special token'),
    (['--text=layer', '--conversations', '--prompt=<image>'], 'must not hold <image>')])
def test_flags_that_contradict_each_other(folder, tmp_path, flags, words):
    result = run(folder, tmp_path / 'out', *flags)
    assert result.exit_code == 2 and words in result.message
    assert json.dumps(result.accounts) == '{}'


@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
@pytest.mark.parametrize(('drawn', 'text'), [
    (lambda page: [page.insert_text((72 + aside, 100), 'drawn twice for bold') for aside in (0, 0.3)], 'drawn twice for bold'),
    (lambda page: [page.insert_text((72, 100), 'flows in the op-'), page.insert_text((72, 114), 'posite direction')],
     'flows in the op-\nposite direction'),
    (lambda page: page.insert_htmlbox((72, 72, 500, 200), '<p>oﬃce, ﬁrst ﬂow</p>'), 'office, first flow'),
    (lambda page: page.insert_htmlbox((72, 72, 500, 200), '<p dir="rtl">שלום עולם 123 סוף</p>'), 'שלום עולם 123 סוף'),
    (lambda page: page.insert_htmlbox((72, 72, 500, 200), '<p>中文文本，Tiếng Việt</p>'), '中文文本，Tiếng Việt'),
    (lambda page: [page.insert_text((330, 100 + 14 * k), f'right words of line {k}') for k in range(9)] + [
        page.insert_text((72, 142 + 14 * k), f'left words of line {k}') for k in range(6)],
     '\n'.join(f'left words of line {k}' for k in range(6)) + '\n\n' + '\n'.join(f'right words of line {k}' for k in range(9))),
    (lambda page: [page.insert_text((30, 400), 'a stamp on the side', rotate=90)] + [
        page.insert_text((72, 100 + 14 * k), f'words of the body {k}') for k in range(9)],
     '\n'.join(f'words of the body {k}' for k in range(9)) + '\n\na stamp on the side'),
], ids=['bold', 'hyphen', 'ligatures', 'hebrew', 'chinese', 'picture over a column', 'stamp'])
def test_texts_after_public_reports(tmp_path, engine, drawn, text):
    document = pymupdf.open()
    drawn(document.new_page())
    (tmp_path / 'a.pdf').write_bytes(document.tobytes())
    assert run(tmp_path, tmp_path / 'out', '--text=layer', f'--pdf_engine={engine}').exit_code == 0
    assert records(tmp_path / 'out')['a.pdf', 0]['text'] == text


@pytest.mark.parametrize('method', ['RC4_128', 'AES_128', 'AES_256'])
@pytest.mark.parametrize('word', ['æøå', 'mật khẩu', 'plain', ''])
def test_passwords_of_all_kinds(tmp_path, method, word):
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), 'inside')
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'a.pdf').write_bytes(document.tobytes(encryption=getattr(pymupdf, f'PDF_ENCRYPT_{method}'), user_pw=word, owner_pw='owner'))
    (tmp_path / 'words').write_bytes(f'\r\nwrong\r\n{word}\r\n'.encode())
    result = run(tmp_path / 'in', tmp_path / 'out', '--text=layer', f'--password_file={tmp_path}/words')
    assert result.exit_code == 0 and records(tmp_path / 'out')['a.pdf', 0]['text'] == 'inside'


@pytest.mark.parametrize('turn', [90, 180, 270])
@pytest.mark.parametrize('engine', ['pdfium', 'mupdf'])
def test_text_that_is_turned_keeps_the_order_of_its_lines(tmp_path, engine, turn):
    document = pymupdf.open()
    document.new_page().insert_textbox((50, 50, 550, 550), 'one first line\nanother second line\na third line', rotate=turn)
    (tmp_path / 'a.pdf').write_bytes(document.tobytes())
    assert run(tmp_path / 'a.pdf', tmp_path / 'out', '--text=layer', f'--pdf_engine={engine}').exit_code == 0
    assert records(tmp_path / 'out')['a.pdf', 0]['text'].split('\n') == ['one first line', 'another second line', 'a third line']


def test_a_white_page_has_no_text_whatever_its_layer_says(tmp_path):
    document = pymupdf.open()
    document.new_page().insert_text((72, 100), 'nobody sees this', render_mode=3)
    document.new_page().insert_text((72, 100), 'this is seen')
    (tmp_path / 'a.pdf').write_bytes(document.tobytes())
    result = run(tmp_path / 'a.pdf', tmp_path / 'out', '--text=layer', '--conversations')
    assert result.accounts['warnings'] == {'no_text_layer': 1}
    assert [sample['id'] for sample in load(tmp_path / 'out' / 'chat.json')] == ['a.pdf#2']


def test_pages_that_a_conversation_leaves_out_are_told_of(tmp_path):
    (tmp_path / 'a.pdf').write_bytes(pages('plain', 'stop</s>', 'also</s>'))
    result = run(tmp_path / 'a.pdf', tmp_path / 'out', '--text=layer', '--conversations')
    assert result.accounts['warnings'] == {'special_token': 2}
    assert len(load(tmp_path / 'out' / 'chat.json')) == 1


def test_pages_that_no_file_has(tmp_path, capsys):
    (tmp_path / 'a.pdf').write_bytes(pages('one'))
    assert run(tmp_path / 'a.pdf', tmp_path / 'out', '--pages=9').exit_code == 1
    assert 'nothing was read: 1 no_page_selected' in capsys.readouterr().err
    with pytest.raises((FileNotFoundError, StopIteration)):  # and not the accounts, taken for data
        datasets.load_dataset(str(tmp_path / 'out'), cache_dir=str(tmp_path / 'cache'))


def test_an_input_that_comes_twice_adds_up(tmp_path, capsys):
    for name in 'ab':
        (tmp_path / name).mkdir()
        (tmp_path / name / f'{name}.pdf').write_bytes(pages('one'))
    result = render_pdf.run([f'--input={tmp_path}/a', '--input', f'{tmp_path}/b', f'--output={tmp_path}/out', '--progress=off'])
    assert result.accounts['totals']['written'] == 2
    assert render_pdf.run([f'--input={tmp_path}/a', '--output=x', '--output=y']).exit_code == 2
    assert '--output is given twice (x, y)' in capsys.readouterr().err


def test_a_password_that_comes_later_is_tried_when_asked_for(tmp_path, capsys):
    (tmp_path / 'a.pdf').write_bytes(pages('one', password='secret'))
    assert run(tmp_path / 'a.pdf', tmp_path / 'out').exit_code == 1
    assert 'it needs a password' in (tmp_path / 'out' / 'errors.jsonl').read_text()
    assert run(tmp_path / 'a.pdf', tmp_path / 'out', '--password=secret').exit_code == 1
    assert 'failed records stay failed: --retry_failed does them again' in capsys.readouterr().out
    assert run(tmp_path / 'a.pdf', tmp_path / 'out', '--password=secret', '--retry_failed').exit_code == 0


@pytest.mark.parametrize(('given', 'line'), [
    ('imgs', "holds no PDF; images need a glob, as in --input '"), ('empty', 'holds no PDF'), ('nowhere', 'does not exist'), ('a/b.pdf', 'a/b.pdf does not exist'),
    ('*.pdf', 'matches no file')])
def test_why_nothing_is_found(tmp_path, capsys, given, line):
    for name in ('imgs', 'empty'):
        (tmp_path / name).mkdir()
    Image.new('L', (8, 8)).save(tmp_path / 'imgs' / 'a.png')
    assert run(tmp_path / given, tmp_path / 'out').exit_code == 2
    said = capsys.readouterr().err
    assert line in said and 'hf://' not in said
