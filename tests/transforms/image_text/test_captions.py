"""The published rules for captions, against what the published programs said."""

import csv

import pyarrow.parquet as pq
import pytest

from tests.conftest import shared
from transforms.image_text.captions import (
    TextLists,
    has_different_words,
    has_two_tokens,
    is_long_enough,
    is_no_name,
)


@pytest.fixture(scope='module')
def lists():
    return TextLists.load(str(shared('golden/image_text')))


def test_the_masks_of_the_first_2000_captions(lists):
    texts = pq.read_table(shared('golden/caption_subsets') / 'laion_captions_10000.parquet')['TEXT'].to_pylist()
    with open(shared('golden/image_text') / 'golden_caption_masks_first_2000.tsv', encoding='utf-8') as source:
        rows = list(csv.DictReader(source, delimiter='\t'))
    assert len(rows) == 2000
    for row in rows:
        text, language = texts[int(row['i'])], (row['lang_ftz'], float(row['prob_ftz']))
        found = {'basic_caption_mask': is_long_enough(text), 'imagebased_caption_len_mask': has_two_tokens(text),
                 'non_english_cleaning_0831': lists.is_wanted_language(*language), 'fasttext_cleaning': lists.is_one_of_nine(*language),
                 'bad_pattern_data': lists.says_something(text), 'bad_text_pattern_cleaning': is_no_name(text),
                 'not_bad_freq_text': not lists.is_frequent(text), 'unique_token_ratio': has_different_words(text)}
        assert {name: str(value) for name, value in found.items()} == {name: row[name] for name in found}, text


@pytest.mark.parametrize(('text', 'expected'), [
    ('IMG_2034.JPG', False), ('Top', False), ('a dog', True), ('iv', False), ('v i x', False), ('sd345', False), ('e4yf', False), ('4a68', False),
    ('b2b', True), ('ab٣c', False), ('x²y²z', False), ('photo.jpg.png', False), ('a\u00a0cat', True), ('', False), ('DSC-0042', False), ('数字', False)])
def test_whether_a_word_is_left(lists, text, expected):
    assert lists.says_something(text) == expected


def test_tokens_are_those_of_fasttext():
    assert [has_two_tokens(text) for text in ('longword', 'long word', 'longwo\n', 'long\0wo', 'long\u00a0word', 'a b', '  word  ', 'long\x85word')] == [
        False, True, True, True, False, False, False, False]


def test_lists_that_are_not_there_or_no_lists(tmp_path):
    with pytest.raises(ValueError, match='--text_lists is the folder with'):
        TextLists.load(str(tmp_path))
    for name in ('text_filter_lists.json', 'medium_high_freq_bad_text.json'):
        (tmp_path / name).write_text('{}')
    with pytest.raises(ValueError, match="lacks 'bad_whole_texts'"):
        TextLists.load(str(tmp_path))
    (tmp_path / 'text_filter_lists.json').write_text('{')
    with pytest.raises(ValueError, match='is no JSON'):
        TextLists.load(str(tmp_path))
