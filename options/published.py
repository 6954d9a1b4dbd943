"""Names that published programs gave their users: the stages of the work, and a preset that does exactly what they did."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions


class StageOptions(PipelineOptions):
    """Which of the documented stages."""

    TITLE = 'input, output and run'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        # Which stages there are is the pipeline's: the launcher sets choices and default.
        parser.add_argument('--stage', default='', metavar='NAME', help='a documented stage: {stages}')


class PresetOptions(PipelineOptions):
    """The published program's own way."""

    TITLE = 'input, output and run'
    NOT_BYTES = frozenset()

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('--preset', choices=('none', 'original'), default='none',
                            help='original: exactly as the published program, quirks included')
