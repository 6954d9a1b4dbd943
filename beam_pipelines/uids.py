"""Sets of uids as DataComp's files have them: union, intersection, difference, how many, the first few.

    python -m beam_pipelines.uids union su_85.npy dfn.npy -o su_85_or_dfn.npy
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence

from beam_pipelines.launcher.arguments import parse_tool, tool_parser
from beam_pipelines.launcher.console import print_error, print_line
from beam_pipelines.launcher.spec import RunResult, Tool, UsageError
from options.hub import HubOptions, hub_settings
from options.looking import progress_bar
from options.uids import UidsOptions
from transforms.files import storage
from transforms.files.storage import RunAborted
from transforms.hub.settings import configure
from transforms.image_text.uid_files import (
    Combined,
    SortedUids,
    UidFile,
    UidFileError,
    combine_uids,
    count_uids,
    difference,
    intersection,
    open_uids,
    union,
)
from transforms.image_text.uids import format_uids

ABOUT = """\
Set operations on files of uids (.npy of the type u8,u8, as DataComp's baselines write and its resharder reads, or
the same numbers without a header), by a streaming merge: memory stays at about half a gigabyte whatever their size.
A file that is not sorted is sorted in the temporary folder ($TMPDIR), and that is said.

  union      uids that are in any file        count  how many a file has, and how many are different
  intersect  uids that are in all files       head   the first N, in hexadecimal
  subtract   uids of the first file that are in no other

  python -m beam_pipelines.uids union su_85.npy dfn.npy -o su_85_or_dfn.npy"""
TOOL = Tool('uids', 'union, intersection, difference of files of uids (no pipeline)')
_CHOICES = {'union': union, 'intersect': intersection, 'subtract': difference}


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Does what the words in `argv` say; see `--help`."""
    try:
        flags = parse_tool(tool_parser(TOOL.name, ABOUT, (UidsOptions, HubOptions), 'OPERATION FILE [FILE ...]'),
                           sys.argv[1:] if argv is None else argv)
        configure(hub_settings(flags, 1))
        files = [open_uids(path) for path in flags.files]
        if flags.operation == 'head':
            return _head(files, flags.rows)
        with tempfile.TemporaryDirectory(prefix='beam-uids-') as scratch:
            return _count(files, scratch) if flags.operation == 'count' else _combine(flags, files, scratch)
    except (UidFileError, UsageError, OSError, RunAborted) as error:
        print_error(f'error: {error}')
        return RunResult('usage', 2, message=str(error))
    except KeyboardInterrupt:
        print_error('interrupted')
        return RunResult('interrupted', 130)
    except SystemExit as stop:  # argparse after --help
        return RunResult('usage', stop.code or 0)


def _head(files: Sequence[UidFile], rows: int) -> RunResult:
    for file in files:
        if len(files) > 1:
            print_line(f'{file.path}:')
        left = rows
        for some in file.chunks(max(1, min(rows, 1 << 16))):
            for uid in format_uids(some[:left]):
                print_line(uid)
            left -= len(some)
            if left <= 0:
                break
    return RunResult('done', 0)


def _sorted(file: UidFile, scratch: str) -> SortedUids:
    made = SortedUids(file, scratch)
    if not made.is_sorted:
        print_error(f'{file.path} is not in ascending order: sorted in {os.path.dirname(scratch)}')
    return made


def _count(files: Sequence[UidFile], scratch: str) -> RunResult:
    counts = {}
    for file in files:
        with progress_bar('read', file.count, 'uid') as bar:
            found = count_uids(_sorted(file, scratch), bar.update)
        copies = f', {found.written - found.distinct:,} of them copies' if found.written > found.distinct else ''
        print_line(f'{file.path}: {found.written:,} uids{copies}')
        counts[file.path] = {'uids': found.written, 'distinct': found.distinct}
    return RunResult('done', 0, counts)


def _combine(flags, files: Sequence[UidFile], scratch: str) -> RunResult:  # noqa: ANN001 - argparse's Namespace
    if not flags.output:
        raise UsageError(f'{flags.operation} needs --output, the file to write')
    if len(files) == 1 and flags.operation != 'union':
        raise UsageError(f'{flags.operation} needs two files or more')
    output = flags.output if flags.output.endswith('.npy') else f'{flags.output}.npy'
    if any(_same(output, file.path) for file in files):
        raise UsageError(f'--output={output} is one of the files that are read')
    if storage.exists(output) and not flags.overwrite:
        raise UsageError(f'{output} exists; --overwrite replaces it')
    with progress_bar('merge', sum(file.count for file in files), 'uid') as bar:
        made = combine_uids([_sorted(file, scratch) for file in files], _CHOICES[flags.operation], flags.keep_multiplicity, output, scratch,
                            bar.update)
    _show(files, output, made)
    return RunResult('done', 0, {'uids': made.written, 'distinct': made.distinct})


def _same(output: str, path: str) -> bool:
    return output == path or storage.is_local(output) and storage.is_local(path) and os.path.realpath(output) == os.path.realpath(path)


def _show(files: Sequence[UidFile], output: str, made: Combined) -> None:
    rows = [*((file.path, file.count) for file in files), (output, made.written)]
    width = max(len(f'{count:,}') for _, count in rows)
    for path, count in rows:
        print_line(f'{count:>{width},}  {path}')


if __name__ == '__main__':
    sys.exit(run().exit_code)
