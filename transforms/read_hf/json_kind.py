"""What a file of JSON is by its head: lines, one list, or one object over many lines."""

from __future__ import annotations

_BOM = b'\xef\xbb\xbf'
_LONGEST_FIRST_LINE = 1024


def json_kind(path: str, head: bytes) -> str:
    """'list', 'document' or 'lines', by the file's name and its first bytes (64 KiB are enough)."""
    import orjson

    head = head.removeprefix(_BOM).lstrip()
    if head.startswith(b'['):
        return 'list'
    is_lines = path.lower().rpartition('/')[2].partition('.json')[2][:1] == 'l'
    line, newline, _ = head.partition(b'\n')
    if is_lines or not newline or not head.startswith(b'{') or len(line) >= _LONGEST_FIRST_LINE:
        return 'lines'
    try:
        orjson.loads(line)
    except ValueError:
        return 'document'
    return 'lines'
