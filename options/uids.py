"""Flags of uids. No PipelineOptions: it runs no pipeline."""

from __future__ import annotations

import argparse
import difflib

from options.run import not_negative

OPERATIONS = ('union', 'intersect', 'subtract', 'count', 'head')


def _operation(text: str) -> str:
    if text not in OPERATIONS:
        close = difflib.get_close_matches(text, OPERATIONS, 1, 0.4)
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(OPERATIONS)}{f'; did you mean {close[0]}?' if close else ''}")
    return text


class UidsOptions:
    """Operation, files, output."""

    TITLE = 'what to do'

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('operation', type=_operation, metavar='OPERATION', help=', '.join(OPERATIONS))
        parser.add_argument('files', nargs='+', metavar='FILE', help='files of uids, local or of any place; the order matters to subtract')
        parser.add_argument('-o', '--output', default='', metavar='FILE', help='the file to write; .npy is appended where it is missing')
        parser.add_argument('--keep_multiplicity', action='store_true',
                            help='write a uid as often as it comes (union: in all files together; else: in the first)')
        parser.add_argument('--overwrite', action='store_true', help='replace --output if it exists')
        parser.add_argument('-n', '--rows', type=not_negative, default=10, metavar='N', help='head: how many to print (default 10)')
