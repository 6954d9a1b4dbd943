from transforms.run.journal import Journal, read_journal, unit_folder


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
