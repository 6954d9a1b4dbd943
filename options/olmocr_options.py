"""Flags of olmOCR-mix: which rows, and which of the two documented steps."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

from transforms.olmocr.filters import KEEP_CHOICES, ROTATIONS


def name_list(text: str) -> tuple[str, ...]:
    """A comma separated list of names."""
    return tuple(name.strip() for name in text.split(',') if name.strip())


class OlmocrOptions(PipelineOptions):
    """Rows and steps."""

    TITLE = 'olmOCR-mix rows'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--subset', type=name_list, default=(), metavar='A,B',
                            help='such as 00_documents or books (default: all that are there)')
        parser.add_argument('--split', choices=('all', 'train', 'eval'), default='all',
                            help='train goes to chat.json, eval to chat_eval.json')
        parser.add_argument('--language', type=name_list, default=(), metavar='A,B',
                            help="keep these ISO codes only; 'none' is unknown")
        parser.add_argument('--rotation', choices=ROTATIONS, default='correct',
                            help='turn askew pages upright, drop them, or keep them (default correct)')
        parser.add_argument('--tables', choices=KEEP_CHOICES, default='keep', help='pages labelled as table')
        parser.add_argument('--diagrams', choices=KEEP_CHOICES, default='keep', help='pages labelled as diagram')
        parser.add_argument('--stage', choices=('all', 'extract', 'convert'), default='all',
                            help='extract: annotations.json and documents; convert: from those to LLaVA')
        parser.add_argument('--preset', choices=('none', 'original'), default='none',
                            help="original: the published converter's files, quirks included")
