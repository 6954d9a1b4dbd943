from transforms.run.journal import Journal, drop_failures, read_journal, unit_folder


def test_what_was_added_is_read_from_all_writers(tmp_path):
    one, two = Journal(str(tmp_path)), Journal(str(tmp_path))
    one.add('u', 'f', 1, {'a': 1})
    two.add('u', 'f', 2, {'a': 2})
    two.add('other', 'f', 3, {})
    assert read_journal(str(tmp_path), 'u') == {('f', 1): {'a': 1}, ('f', 2): {'a': 2}}
    one.close()
    two.close()


def test_a_torn_line_is_ignored(tmp_path):
    journal = Journal(str(tmp_path))
    journal.add('u', 'f', 1, {'a': 1})
    journal.close()
    folder = unit_folder(str(tmp_path), 'u')
    with open(f'{folder}/torn.jsonl', 'wb') as file:
        file.write(b'["f",2,{"a":2}]\n["f",3,{"a"')
    assert sorted(read_journal(str(tmp_path), 'u')) == [('f', 1), ('f', 2)]


def test_an_unknown_unit_has_no_journal(tmp_path):
    assert read_journal(str(tmp_path), 'never seen') == {}


def test_failures_can_be_dropped_so_that_they_are_done_again(tmp_path):
    journal = Journal(str(tmp_path))
    journal.add('u', 'f', 0, {'output': 'a.png', 'bytes': 1})
    journal.add('u', 'f', 1, {'error': 'DamagedPdf'})
    journal.add('u', '', 0, {'orphan_member': 1})
    journal.close()
    drop_failures(str(tmp_path))
    assert set(read_journal(str(tmp_path), 'u')) == {('f', 0), ('', 0)}
    drop_failures(str(tmp_path / 'nothing'))
