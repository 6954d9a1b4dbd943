import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from transforms.accounting.outcome import DROPPED, FAILED, WRITTEN, Outcome
from transforms.accounting.run_summary import (
    BuildRunSummary,
    CountOutcomes,
    RunSummary,
    SumCounts,
    to_run_summary,
)
from transforms.report.summary import Count, UnitError, accounts_by_file, add_accounts, balance

RECORDS = [Outcome('a', 0, 'x', WRITTEN), Outcome('a', 1, 'y', DROPPED, 'blank_text'), Outcome('b', 0, 'z', FAILED, 'E'),
           Outcome('a', 2, 'w', DROPPED, 'blank_text')]


def test_outcomes_are_counted_by_file(pipeline):
    assert_that(pipeline | beam.Create(RECORDS) | CountOutcomes(), equal_to([
        Count('a', WRITTEN, '', 1), Count('a', DROPPED, 'blank_text', 2), Count('b', FAILED, 'E', 1)]))


def test_outcomes_can_be_counted_together(pipeline):
    assert_that(pipeline | beam.Create(RECORDS) | CountOutcomes(by_file=False) | beam.Map(lambda t: (t.file, t.count)),
                equal_to([('', 1), ('', 2), ('', 1)]))


def test_counts_are_summed(pipeline):
    assert_that(pipeline | beam.Create([Count('a', 'read', '', 2), Count('a', 'read', '', 3)]) | SumCounts(),
                equal_to([Count('a', 'read', '', 5)]))


def test_there_is_one_summary_even_of_nothing(pipeline):
    empty = pipeline | beam.Create([])
    assert_that((empty,) | BuildRunSummary(), equal_to([RunSummary()]))


def test_a_summary_does_not_depend_on_arrival():
    items = [Count('b', 'read', '', 1), Count('a', 'read', '', 1), UnitError('b', 'u', 's', 'E', ''),
             UnitError('a', 'u', 's', 'E', '')]
    assert to_run_summary(items) == to_run_summary(reversed(items))


@pytest.mark.parametrize(('counts', 'expected'), [
    ([Count('a', 'read', '', 3), Count('a', 'written', '', 2), Count('a', 'dropped', 'x', 1)], 0),
    ([Count('a', 'read', '', 3), Count('a', 'written', '', 2)], 1),
    ([Count('a', 'read', '', 1), Count('a', 'failed', 'E', 2)], -1)])
def test_balance(counts, expected):
    assert balance(accounts_by_file(counts)['a']) == expected


def test_warnings_are_outside_the_balance():
    account = accounts_by_file([Count('a', 'warning', 'orphan', 4)])['a']
    assert account['warnings'] == {'orphan': 4}
    assert balance(add_accounts([account, account])) == 0
