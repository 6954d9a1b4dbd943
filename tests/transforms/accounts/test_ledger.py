import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from transforms.accounts.ledger import (
    BuildLedger,
    CountOutcomes,
    Ledger,
    SumTallies,
    accounts_by_file,
    add_accounts,
    balance,
    to_ledger,
)
from transforms.accounts.records import DROPPED, FAILED, WRITTEN, Record, Tally, UnitError

RECORDS = [Record('a', 0, 'x', WRITTEN), Record('a', 1, 'y', DROPPED, 'blank_text'), Record('b', 0, 'z', FAILED, 'E'),
           Record('a', 2, 'w', DROPPED, 'blank_text')]


def test_outcomes_are_counted_by_file(pipeline):
    assert_that(pipeline | beam.Create(RECORDS) | CountOutcomes(), equal_to([
        Tally('a', WRITTEN, '', 1), Tally('a', DROPPED, 'blank_text', 2), Tally('b', FAILED, 'E', 1)]))


def test_outcomes_can_be_counted_together(pipeline):
    assert_that(pipeline | beam.Create(RECORDS) | CountOutcomes(by_file=False) | beam.Map(lambda t: (t.file, t.count)),
                equal_to([('', 1), ('', 2), ('', 1)]))


def test_tallies_are_summed(pipeline):
    assert_that(pipeline | beam.Create([Tally('a', 'read', '', 2), Tally('a', 'read', '', 3)]) | SumTallies(),
                equal_to([Tally('a', 'read', '', 5)]))


def test_there_is_one_ledger_even_of_nothing(pipeline):
    empty = pipeline | beam.Create([])
    assert_that((empty,) | BuildLedger(), equal_to([Ledger()]))


def test_a_ledger_does_not_depend_on_arrival():
    items = [Tally('b', 'read', '', 1), Tally('a', 'read', '', 1), UnitError('b', 'u', 's', 'E', ''),
             UnitError('a', 'u', 's', 'E', '')]
    assert to_ledger(items) == to_ledger(reversed(items))


@pytest.mark.parametrize(('tallies', 'expected'), [
    ([Tally('a', 'read', '', 3), Tally('a', 'written', '', 2), Tally('a', 'dropped', 'x', 1)], 0),
    ([Tally('a', 'read', '', 3), Tally('a', 'written', '', 2)], 1),
    ([Tally('a', 'read', '', 1), Tally('a', 'failed', 'E', 2)], -1)])
def test_balance(tallies, expected):
    assert balance(accounts_by_file(tallies)['a']) == expected


def test_warnings_are_outside_the_balance():
    account = accounts_by_file([Tally('a', 'warning', 'orphan', 4)])['a']
    assert account['warnings'] == {'orphan': 4}
    assert balance(add_accounts([account, account])) == 0
