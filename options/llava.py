"""Flags of conversations: prompts, and what happens to awkward answers."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions

from transforms.llava import special_tokens
from transforms.llava.conversation import DEFAULT_PROMPTS


class LlavaOptions(PipelineOptions):
    """Prompts, special tokens and blank pages."""

    TITLE = 'conversations'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--prompt', action='append', default=None, metavar='TEXT',
                            help=f'text after <image> (default {DEFAULT_PROMPTS[0]!r}); of several a hash of the id chooses')
        parser.add_argument('--special_tokens', choices=special_tokens.CHOICES, default='drop',
                            help='an answer with <image>, </s>, <|...|> and the like (default drop)')
        parser.add_argument('--blank_pages', choices=('drop', 'keep'), default='',
                            help='pages without text (keep needs --blank_answer); render_pdf: without ink')
        parser.add_argument('--blank_answer', default='', metavar='TEXT', help='the answer for a page without text')


def check_blank_answer(flags: argparse.Namespace) -> None:
    """Refuses an answer for blank pages that no trainer could read; ValueError."""
    if flags.blank_answer and (not flags.blank_answer.strip() or special_tokens.find_special_token(flags.blank_answer)):
        raise ValueError(f'--blank_answer {flags.blank_answer!r} must have text and no special token')
