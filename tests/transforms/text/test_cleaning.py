"""Cleaning steps: mojibake as ftfy alone mends it, characters, addresses, white space, and the chain."""

import random
import time
import unicodedata

import apache_beam as beam
import ftfy
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.conftest import shared
from transforms import CleanText
from transforms.text.cleaning.chain import DEFAULT, STEPS, chain, choose_steps, clean
from transforms.text.cleaning.characters import drop_control
from transforms.text.cleaning.fix_unicode import CONFIG, fix_unicode, mend
from transforms.text.cleaning.runs import squeeze_runs
from transforms.text.cleaning.urls import shorten_urls
from transforms.text.cleaning.whitespace import squeeze_spaces
from transforms.text.document import Document

VIETNAMESE = 'Đặc biệt, tiếng Việt có dấu: ắằẳẵặ ấầẩẫậ ốồổỗộ ứừửữự — “câu” nói.'


def strings(chance: random.Random):
    """Texts of all sorts of characters, some of them encoded once or twice in the wrong way."""
    pools = ('abc XYZ 123\n', VIETNAMESE, 'ÃÂâ€™€œ¢£¥§©®°²³µ¶·¹»¿ÀàÈèÌìÒòÙùšžŸŒœ', 'αβγΓΔΞΟ вгрсВГРС', '中文日本語한국어', '\x00\x07\x1b[31m\x7f\x85\x91\x9f\ufeff\u206a\ufffc\ufffd',
             '🙂👨\u200d👩\u200d👧\U0001F1FB', '│┌═▀▄█', '\u00a0\u2028\u3000 \t\r\n', '<>&amp;&lt;"\'')
    while True:
        text = ''.join(chance.choice(chance.choice(pools)) for _ in range(chance.randint(1, 40)))
        for _ in range(chance.choice((0, 0, 1, 1, 2))):
            encoding = chance.choice(('latin-1', 'windows-1252', 'windows-1251', 'macroman', 'cp437', 'iso-8859-2'))
            text = text.encode('utf-8', 'surrogatepass').decode(encoding, 'replace')
        yield text


def test_mojibake_is_mended_as_ftfy_does():
    made = strings(random.Random(1))
    changed = 0
    for _ in range(10_000):
        text = next(made)
        expected = ftfy.fix_text(text, CONFIG)
        assert mend(text) == expected, repr(text)
        changed += expected != text
    assert changed > 1_000


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_mojibake_of_a_million_strings_and_the_corpus():
    import gzip
    import json

    made = strings(random.Random(2))
    for _ in range(1_000_000):
        text = next(made)
        assert mend(text) == ftfy.fix_text(text, CONFIG), repr(text)
    for path in sorted(shared('corpus').glob('*.jsonl.gz')):
        for line in gzip.open(path):
            text = json.loads(line)['text']
            assert mend(text) == ftfy.fix_text(text, CONFIG), repr(text[:100])


@pytest.mark.parametrize('text', ['\ud83d\ude00 pair', 'lone \udc00', 'œ\nnext', 'a\rb\r\nÃ©', 'Ã©\n' * 3, 'x' * 10 + 'â€™', 'l’été “déjà vu”…', 'Â ', ' Â£5'])
def test_mojibake_at_borders(text):
    assert mend(text) == ftfy.fix_text(text, CONFIG)


def test_nfc():
    assert fix_unicode(unicodedata.normalize('NFD', VIETNAMESE)) == VIETNAMESE
    assert fix_unicode('ﬁ “quotes” ＡＢＣ') == 'ﬁ “quotes” ＡＢＣ'


def test_control_characters():
    assert drop_control('a\x00b\u200bc\ufeffd\u00ade\ue000f\U0010fffeg\x1b') == 'abcdefg'
    assert drop_control('a\r\nb\rc\u2028d\x85e\vf\ttab\n') == 'a\nb\nc\nd\ne\nf\ttab\n'
    assert drop_control(f'{VIETNAMESE}\xa0中文\n') == f'{VIETNAMESE}\xa0中文\n'


def test_addresses():
    long, short = 'https://a.example/' + 'x' * 82, 'https://a.example/' + 'x' * 81
    assert shorten_urls(f'see {long}, {short} http://b.c') == f'see [URL] {short} http://b.c'
    assert shorten_urls(long) == '[URL]' and shorten_urls(short) == short


def test_spaces():
    assert squeeze_spaces('  a \t b\xa0\u3000c  \n\n\n\nd \n e') == 'a b c\n\nd\n e'
    code = 'def f(x):\n    if x:\n\treturn 1\n    return 2'
    assert squeeze_spaces(code + '  \n') == code
    assert squeeze_spaces('\n      def f():\n          return 1\n      f()\n') == 'def f():\n    return 1\nf()'
    for blank in ('', ' ', '\n\n', '\t\xa0\n'):
        assert squeeze_spaces(blank) == ''


def test_runs():
    assert squeeze_runs('Head\n==========\n***** # ##### $$$$$$') == 'Head\n===\n*** # ### $$$$$$'


def test_each_step_is_quiet_on_clean_text():
    for name in DEFAULT:
        assert STEPS[name].apply(VIETNAMESE) is VIETNAMESE or STEPS[name].apply(VIETNAMESE) == VIETNAMESE


def test_steps_are_chosen_by_name():
    assert choose_steps('html,urls') == ('html', 'urls') and choose_steps('urls,html') == ('html', 'urls')
    assert choose_steps('-html,-runs') == tuple(name for name in DEFAULT if name not in ('html', 'runs'))
    for text, message in (('htlm', 'did you mean html'), ('html,-urls', 'alone, or each with'), ('original,html', 'goes alone')):
        with pytest.raises(ValueError, match=message):
            choose_steps(text)


def test_the_default_chain_settles():
    """Cleaning what is clean changes nothing."""
    source = f'<p>{VIETNAMESE}</p>\n<p>cafÃ©   x\x00 &amp; List&lt;String&gt;</p>'
    once = clean(source, chain(DEFAULT))
    assert once == f'{VIETNAMESE}\n\ncafé x & List<String>'
    assert clean(once, chain(DEFAULT)) == once


def test_clean_text_in_any_pipeline():
    documents = [Document('<p>a  b</p>', 'one', {'k': 1}), Document('<b>' * 2000 + '<textarea>x</textarea>' + '</b>' * 2000, 'two')]
    with TestPipeline('FnApiRunner') as pipeline:
        cleaned = pipeline | beam.Create(documents) | CleanText(steps=('whitespace', 'html'))
        assert_that(cleaned.main | beam.Map(lambda d: (d.id, d.text, d.metadata)), equal_to([('one', 'a b', {'k': 1})]), 'Main')
        assert_that(cleaned.failed | 'Ids' >> beam.Map(lambda pair: (pair[0].id, pair[1][:11])), equal_to([('two', 'HtmlTooDeep')]), 'Failed')
    with pytest.raises(ValueError, match="preset is 'x'"):
        CleanText(preset='x')
    with pytest.raises(ValueError, match='has steps of its own'):
        CleanText(preset='original', steps=('html',))


WORST = ['<' * 1_000_000, '<!--' * 250_000, '<p>' + '<!--' * 250_000, '<p>' + '<script>' * 125_000, '<p></p><pre>' + ' ' * 1_000_000, '<p>' + '\n ' * 500_000,
         '<p>' + '<a b="' * 160_000, '<p>' + "<a b='>" * 140_000, '<b>' * 330_000, '<b></b>' * 140_000, '&' * 1_000_000, '&amp;' * 200_000, '```' * 333_333,
         '`<' * 500_000, '~~~\n' * 250_000, 'http://' * 140_000, '*' * 1_000_000, '=*' * 500_000, ' ' * 1_000_000 + 'x', 'x \n' * 333_000, '\n' * 1_000_000,
         '\x00' * 1_000_000, ''.join(map(chr, range(0x20, 0xD7FF))) * 20, 'Ã©' * 500_000, '\u0301' * 500_000, '<svg><' * 160_000, '<p' + ' a=1' * 250_000,
         '<!DOCTYPE ' * 100_000, '<textarea>' * 100_000, 'a<b ' * 250_000 + '</b>']


@pytest.mark.parametrize('name', STEPS)
def test_every_step_takes_linear_time(name):
    """Each is fed a megabyte of what is worst for it."""
    for text in WORST:
        begun = time.process_time()
        try:
            STEPS[name].apply(text)
        except ValueError as error:
            assert type(error).__name__ == 'HtmlTooDeep'
        assert time.process_time() - begun < 20, (name, text[:20])
