"""EachRecord: what a rule makes of each record of a part, and who is named when it raises."""

import pytest

from transforms.accounting.each_record import _applied
from transforms.accounting.outcome import FAILED, Outcome
from transforms.files.abort import RunAborted
from transforms.read_hf.read_hf import HFRecord
from transforms.read_hf.units import Origin

FAULT = Outcome(0, 'a.jsonl', 1, '', FAILED, 'InvalidJson', stage='read')
RECORD = HFRecord(Origin('in', '', '', '', 'a.jsonl'), 7, {'text': 42})


def split(record):
    return [record, len(record.values['text'])]


def test_what_could_not_be_read_passes_by_the_rule():
    assert list(_applied([RECORD, FAULT, RECORD], lambda record: [record.row])) == [7, FAULT, 7]


def test_a_rule_that_raises_is_named_with_its_record():
    with pytest.raises(RuntimeError, match=r'the rule split failed at row 7 of a\.jsonl: TypeError: '):
        list(_applied([RECORD], split))


def test_what_ends_the_run_goes_through():
    def full(record):
        raise RunAborted('no space left')

    with pytest.raises(RunAborted, match='no space left'):
        list(_applied([RECORD], full))
