"""Flags that every pipeline has: where from, where to, how much, and what counts as failed."""

from __future__ import annotations

import argparse
import math
import re

from apache_beam.options.pipeline_options import PipelineOptions

from transforms.hub.address import canonical


def whole_number(text: str) -> int:
    """An integer."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no whole number') from None


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'{text!r} is no number') from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f'{text} must be finite')
    return value


def positive(text: str) -> int:
    """An integer of at least 1."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text} must be at least 1')
    return value


def not_negative(text: str) -> int:
    """An integer of at least 0."""
    value = whole_number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{text} must be at least 0')
    return value


def seed(text: str) -> int:
    """An integer of at most 63 bits."""
    value = whole_number(text)
    if abs(value) >= 1 << 63:
        raise argparse.ArgumentTypeError(f'{text} is too large')
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{text} must be from 0 to 1')
    return value


def byte_size(text: str) -> int:
    """A number of bytes of at least 1 MB, such as 256MB or 1GB; these are powers of 1,024, as of Beam's flags of sizes."""
    match = re.fullmatch(r'(\d+)\s*([KMGT]?)i?B?', text.strip(), re.IGNORECASE)
    if not match:
        raise argparse.ArgumentTypeError(f'{text} is no size, such as 256MB')
    value = int(match[1]) << {'': 0, 'K': 10, 'M': 20, 'G': 30, 'T': 40}[match[2].upper()]
    if value < 1 << 20:
        raise argparse.ArgumentTypeError(f'{text} must be at least 1MB')
    return value


class Place(argparse.Action):
    """Takes a path, or a page of the Hub; an empty one, as of a shell variable that is not set, is an error and not the default."""

    def __call__(self, parser: argparse.ArgumentParser, flags: argparse.Namespace, values: str | list[str],
                 option: str | None = None) -> None:
        given = [values] if isinstance(values, str) else values
        if not all(value.strip() for value in given):
            parser.error(f'{option} is needed here, and is empty: is a shell variable not set?')
        try:
            places = tuple(map(canonical, given))
        except ValueError as error:
            parser.error(f'{option} {error}')
        before = getattr(flags, self.dest, None) or ()  # a flag that comes again adds to what it named, and never takes its place
        if before and isinstance(values, str):
            parser.error(f'{option} is given twice ({before}, {values}): it takes one place')
        places = (*((before,) if isinstance(before, str) else before), *places)
        # One place is a text, as nearly every pipeline wants it; `one_place` refuses several in the others.
        setattr(flags, self.dest, places if len(places) > 1 else places[0])


def one_place(option: str, places: str | tuple[str, ...]) -> str:
    """The one place that a flag names.

    Raises:
        ValueError: it names several, as a glob that the shell has expanded does.
    """
    if isinstance(places, str):
        return places
    raise ValueError(f"{option} takes one place here, and got {len(places)} ({places[0]}, {places[1]} ...): give the folder, or quote the "
                     f"glob, as in {option} 'folder/*.pdf'")


class RunOptions(PipelineOptions):
    """Input, output and the rules of the run."""

    TITLE = 'input, output and run'
    NOT_BYTES = frozenset({'output', 'plan', 'overwrite', 'force', 'retry_failed', 'max_failures',
                           'max_failure_rate', 'max_failed_units', 'verbose', 'progress', 'num_workers'})

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument('-i', '--input', action=Place, nargs='+', default='', metavar='PATH', help='what to read; see above')
        parser.add_argument('-o', '--output', action=Place, default='', metavar='FOLDER',
                            help='where everything goes (default output/<pipeline>); hf://datasets/NAMESPACE/NAME: made '
                                 'in output/hub, then published as one commit')
        parser.add_argument('--limit', type=not_negative, default=0, metavar='N',
                            help='read only the first N records of each source; 0 for all')
        parser.add_argument('--seed', type=seed, default=0, help='of every random choice (default 0)')
        parser.add_argument('--plan', action='store_true',
                            help='say what would be read, written and how long it takes, then stop')
        parser.add_argument('--overwrite', action='store_true',
                            help='delete what an earlier run left in --output and start again')
        parser.add_argument('--force', action='store_true', help='start although the disk looks too small')
        parser.add_argument('--retry_failed', action='store_true',
                            help='do the failed records of a finished --output again')
        parser.add_argument('--max_failures', type=whole_number, default=-1, metavar='N',
                            help='fail the run when more records than N fail (default: no limit)')
        parser.add_argument('--max_failure_rate', type=share, default=0.5, metavar='SHARE',
                            help='fail the run when a larger share of the records fails (default 0.5)')
        parser.add_argument('--max_failed_units', type=whole_number, default=0, metavar='N',
                            help='fail the run when more than N files or parts of them cannot be read (0)')
        parser.add_argument('--progress', choices=('auto', 'on', 'off'), default='auto',
                            help='progress bar; auto shows it on a terminal')
        parser.add_argument('-v', '--verbose', action='store_true', help='show log messages and tracebacks')
