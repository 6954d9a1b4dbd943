"""What a file of JSON is by its head: lines, one list, or objects over several lines each."""

from __future__ import annotations

from transforms.files.json_values import BOM, JsonError, JsonItem, iter_items, loads

HEAD_BYTES = 64 << 10


def json_kind(path: str, head: bytes) -> str:
    """'list', 'documents' or 'lines', by the first bytes of a file (64 KiB are enough), and its name where they do not tell.

    A whole list on the first line, and more on others, are lines.
    """
    head = head.removeprefix(BOM).lstrip()
    line, newline, rest = head.partition(b'\n')
    if head.startswith(b'['):
        return 'lines' if rest.strip() and _is_json(line) else 'list'
    if not head.startswith(b'{') or not newline or _is_json(line):
        return 'lines'
    named_lines = path.lower().rpartition('/')[2].partition('.json')[2][:1] == 'l'
    # A lone brace begins an object of several lines, unless a whole object follows: then that line is what an unfinished write left.
    is_open = line.strip() == b'{' and not _is_json(rest.partition(b'\n')[0])
    goes_on = is_open or (not named_lines and line.strip() != b'{' and line.rstrip().endswith((b',', b'{', b'[')))
    return 'documents' if goes_on or (_first_document(head) is not None and _first_document(line) is None) else 'lines'


def _is_json(line: bytes) -> bool:
    try:
        loads(line)
    except JsonError as error:
        return error.error not in ('InvalidJson', 'InvalidUtf8')
    return True


def _first_document(head: bytes) -> JsonItem | None:
    pieces = iter((head, b''))
    try:
        return next(iter_items(lambda _: next(pieces, b''), len(head)), None)
    except JsonError:
        return None
