"""The peers' own cases for cleaning and exact duplicates, one function each; docs/text.md explains the differences."""

import collections
import json
import re

import apache_beam as beam
import ftfy
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from tests.conftest import shared
from transforms.keys.hash_dedup import HashDedup, KeyedReference
from transforms.run.run import Run
from transforms.text.cleaning.fix_unicode import fix_unicode
from transforms.text.cleaning.html import decode_entities, html_to_text
from transforms.text.cleaning.whitespace import squeeze_spaces


def cases(file, *ops):
    found = [json.loads(line) for line in (shared('peer_cases') / f'{file}.jsonl').open()]
    return [case for case in found if case['op'] in ops and case.get('expected')]


def words(text):
    """What a reader sees, without bullets and white space."""
    return re.sub(r'[\s*]+', '', text)


def agreement(found, clean, same=lambda one, two: one == two):
    """(how many agree, the others)."""
    others = [case for case in found if not same(clean(case['input']['text']), case['expected'].get('text') or '')]
    return len(found) - len(others), others


def with_ftfys_defaults(text):
    """Quotes, ligatures, widths and line breaks as ftfy's defaults change them, which ours leaves alone."""
    return ftfy.fix_text(text)


def test_ftfy():
    """All that ftfy itself passes, once its changes of quotes, ligatures and widths are made on top."""
    found = [case for case in cases('ftfy_cases', 'ftfy.fix_text / fix_encoding') if case['expected']['ftfy_passes']]
    plain = [case for case in found if fix_unicode(case['input']['text']) == case['expected']['fixed']]
    other = [case['id'] for case in found if with_ftfys_defaults(fix_unicode(case['input']['text'])) != case['expected']['fixed']]
    assert len(found) > 50 and len(plain) > len(found) * 0.75
    # Entities are another step's.
    assert [name for name in other if '&' not in next(c for c in found if c['id'] == name)['input']['text']] == []


@pytest.mark.parametrize(('file', 'op'), [('datajuicer_ops', 'FixUnicodeMapper'), ('nemo_curator_text', 'UnicodeReformatter'),
                                          ('datatrove_filters', 'FTFYFormatter')])
def test_mojibake(file, op):
    agree, others = agreement(cases(file, op), lambda text: with_ftfys_defaults(decode_entities(fix_unicode(text))),
                              lambda one, two: one == with_ftfys_defaults(two))
    assert agree >= 2 and not others


def test_html():
    """data-juicer writes list items as '\\n*'."""
    agree, others = agreement(cases('datajuicer_ops', 'CleanHtmlMapper'), html_to_text, lambda one, two: words(one) == words(two))
    assert agree >= 10
    for case in others:  # text in which < begins no tag of HTML stays, and a stray end tag makes no HTML
        assert html_to_text(case['input']['text']) == case['input']['text'], case['id']


def test_white_space():
    """data-juicer makes a space of each; ours makes one of all."""
    agree, others = agreement(cases('datajuicer_ops', 'WhitespaceNormalizationMapper'), squeeze_spaces, lambda one, two: one.split() == two.split())
    assert agree + len(others) >= 1


def survivors(documents, key, tmp_path, priority=lambda document: 0):
    """{number of a document that stays: how many others its group has}, by HashDedup."""
    run = Run('dedup', '', str(tmp_path), str(tmp_path / 'work'))
    references = [KeyedReference(0, 0, number, key(document), priority(document)) for number, document in enumerate(documents)]
    # A unit has one priority: each document with one of its own is a unit.
    if len({reference.priority for reference in references}) > 1:
        references = [KeyedReference(number, 0, 0, reference.key, reference.priority) for number, reference in enumerate(references)]
    units = tuple(sorted({reference.unit for reference in references}))
    path = tmp_path / 'found'
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        (pipeline | beam.Create(references, reshuffle=False) | HashDedup(run, units) | beam.Map(_members, run)
         | 'Keep' >> beam.Map(lambda line, path: path.open('a').write(json.dumps(line) + '\n'), path))
    kept = dict.fromkeys(range(len(documents)), 0)
    for line in path.read_text().splitlines():
        unit, members = json.loads(line)
        for row, of_unit, of_row, size in members:
            number = unit if len(units) > 1 else row
            if (of_unit, of_row) == (unit, row):
                kept[number] = size - 1
            else:
                del kept[number]
    return kept


def _members(element, run):
    unit, repeats = element
    return unit, [(int(m['row']), int(m['of_unit']), int(m['of_row']), int(m['size'])) for m in repeats.members(run)]


@pytest.mark.parametrize('case', cases('datatrove_dedup', 'ExactDedup'), ids=lambda case: case['id'])
def test_exact_duplicates_of_datatrove(case, tmp_path):
    documents, params = case['input']['docs'], case['params']
    index = case['input']['index'] or []
    key = (lambda d: d['url'].replace('2', '')) if 'removed' in params['key'] else (lambda d: d['url'])
    order = {'max(int(id))': lambda d: -int(d['id'])}.get(params.get('keep'), lambda d: int(d['id']))
    ranks = {document['id']: rank for rank, document in enumerate(sorted(documents, key=order))}
    listed = [{'id': f'-{number}', 'url': url} for number, url in enumerate(index)]  # what is known already goes before all others
    everything = [*listed, *documents]
    kept = survivors(everything, key, tmp_path, lambda d: 0 if d['id'].startswith('-') else 1 + ranks[d['id']])
    found = {everything[number]['id']: count for number, count in kept.items() if not everything[number]['id'].startswith('-')}
    assert sorted(map(int, found)) == case['expected']['kept_ids']
    assert found == case['expected']['duplicate_count']


@pytest.mark.parametrize('case', cases('datajuicer_dedup', 'DocumentDeduplicator'), ids=lambda case: case['id'])
def test_exact_duplicates_of_data_juicer(case, tmp_path):
    def key(document):
        text = document['text'].lower() if case['params']['lowercase'] else document['text']
        return re.sub(r'[\s\W\d_]', '', text) if case['params']['ignore_non_character'] else text

    documents = case['input']['docs']
    assert [documents[number] for number in survivors(documents, key, tmp_path)] == case['expected']['kept_docs']


def test_all_cases_are_counted():
    counts = collections.Counter(json.loads(line)['op'] for line in (shared('peer_cases') / 'datajuicer_ops.jsonl').open())
    assert counts['CleanHtmlMapper'] == 26
