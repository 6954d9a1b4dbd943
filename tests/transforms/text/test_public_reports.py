"""What users of other tools reported of this very job, each as a small document; the last part of a name is the report."""

import gzip
import json

import pytest

from beam_pipelines import text_clean
from tests.beam_pipelines.test_text import lines_of, prose, records_of
from transforms.text.build import MEASURES
from transforms.text.cleaning.chain import DEFAULT, chain, clean
from transforms.text.document import Document
from transforms.text.filters.keywords import Keywords

STEPS = chain(DEFAULT)
CLEANED = {
    'line breaks outlive tags: Lexos 309': ('this \n\nis \n\na \n\n<b>test</b>', 'this\n\nis\n\na\n\ntest'),
    'decoded once in HTML: quackback 222': ('<p>write &amp;lt;div&amp;gt; to escape</p>', 'write &lt;div&gt; to escape'),
    'decoded once in text: book-to-skill 60': ('write &amp;amp; and &lt;b&gt;', 'write &amp; and <b>'),
    'samples stay: webjs 1261': ('<p>A list:</p><pre><code>List&lt;String&gt; a = b &lt; c;</code></pre><p>after</p>', 'A list:\n\nList<String> a = b < c;\n\nafter'),
    'a bracket that is text: ext-solr 1541': ('If <b>the value</b> is &lt;50 please contact me', 'If the value is <50 please contact me'),
    'an entity behind a style: html-to-text 285': ('<style>a{}</style>&apos;<br/>', "'"),
    'a tag that is cut: quackback 222': ('<p>text</p><script src=x', 'text'),
    'conditional comments: gbrain 5327': ('<p>a</p><!--[if IE]><p>old</p><![endif]--><![if !IE]><p>b</p><![endif]>', 'a\n\nb'),
    'half a surrogate pair as an entity: feeds.fun 375': ('<p>a &#xD83D; b</p>', 'a \ufffd b'),
    'white space of other kinds at the ends: html-to-text 203': ('<p>\xa0one\u2003two\xa0</p>', 'one two'),
    'characters that nobody sees: docling 2004': ('co\u00adoperate zero\u200bwidth\ufeff \u2060x', 'cooperate zerowidth x'),
    'mojibake that cannot be told is left: ftfy 202': ('Bremer/Mccoy – DrÃ¥ber', 'Bremer/Mccoy – DrÃ¥ber'),
    'mojibake of two letters: ftfy 192': ('Ä°stanbul and RÄ«ga', 'İstanbul and Rīga'),
    'a text that is no HTML keeps its entities without semicolon: htmlparser 1426': ('a &copy b &lt c', 'a &copy b &lt c'),
}


@pytest.mark.parametrize('report', CLEANED)
def test_cleaning(report):
    source, text = CLEANED[report]
    assert clean(source, STEPS) == text


def test_blank_lines_are_no_duplicates_datatrove_273():
    text = '\n\n'.join(f'line {prose(n)}' for n in range(20))
    assert MEASURES['duplicate_lines'].of(Document(text)) == MEASURES['duplicate_paragraphs'].of(Document(text)) == 0


def test_a_word_within_a_word_is_no_keyword_badwords_25():
    keywords = Keywords(('tit', 'ass', 'cờ bạc'))
    assert keywords.hits(Document('The title of Pass, an assistant; cờ bạch')) == []
    assert keywords.hits(Document('A TIT, and Cờ Bạc.')) == ['tit', 'cờ bạc']


def run(*flags):
    result = text_clean.run([*map(str, flags), '--progress=off'])
    assert result.exit_code == 0, result
    return result.accounts


def test_a_field_within_a_field_dolma_166(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'train.jsonl').write_text('\n'.join(json.dumps({'metadata': {'id': n, 'body': prose(n % 3)}}) for n in range(6)))
    accounts = run('--input', tmp_path / 'in', '--output', tmp_path / 'out', '--text_field=metadata.body', '--id_field=metadata.id')
    assert (accounts['totals']['written'], accounts['totals']['dropped']) == (3, {'duplicate': 3})
    assert {row['duplicate_of'].rpartition(' ')[2] for row in records_of(tmp_path / 'out').values() if row['reason']} != {''}


def test_documents_without_text_are_no_duplicates_of_each_other_dps_56_dupey_20(tmp_path):
    (tmp_path / 'in').mkdir()
    texts = [None, '', ' ', '\u200b', '<p></p>', None, '', prose(1), prose(1)]
    # A gzip with members of nothing, as log collectors write them: datatrove 278.
    lines = [json.dumps({'id': str(n), 'text': text}).encode() + b'\n' for n, text in enumerate(texts)]
    (tmp_path / 'in' / 'train.jsonl.gz').write_bytes(b''.join(gzip.compress(b'') + gzip.compress(line) for line in lines) + gzip.compress(b''))
    accounts = run('--input', tmp_path / 'in', '--output', tmp_path / 'out')
    assert accounts['totals']['dropped'] == {'no_text': 2, 'empty': 3, 'empty_after_cleaning': 2, 'duplicate': 1}
    assert [line['id'] for line in lines_of(tmp_path / 'out' / 'data' / 'train-00000-of-00001.jsonl.gz')] == ['7']
