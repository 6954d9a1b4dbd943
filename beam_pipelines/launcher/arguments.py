"""Strict parsing: our own flags, Beam's, and nothing else. Beam alone would drop unknown flags in silence."""

from __future__ import annotations

import argparse
import difflib
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipelines.launcher.console import print_line
from beam_pipelines.launcher.spec import PipelineSpec, UsageError
from options.cluster import ClusterOptions
from options.run import one_place, positive
from transforms.run.versions import package_version

ALIASES = {'input_dir': 'input', 'output_dir': 'output', 'workers': 'num_workers', 'drawing_ram': 'worker_ram'}
# Flags that only the Java side of Flink knows; the Python parser has never heard of them.
FLINK_FLAGS = frozenset({
    'max_parallelism', 'object_reuse', 'max_bundle_size', 'max_bundle_time_mills',
    'execution_mode_for_batch', 'checkpointing_interval', 'number_of_execution_retries', 'execution_retry_delay',
    'state_backend', 'state_backend_storage_path', 'retain_externalized_checkpoints_on_cancellation',
    'environment_cache_millis', 'sdk_worker_parallelism', 'use_data_stream_for_batch', 'savepoint_path',
})
RUNNERS = ('DirectRunner', 'FnApiRunner', 'PrismRunner', 'PortableRunner', 'FlinkRunner', 'SparkRunner',
           'DataflowRunner')
_HELP_WIDTH = 110


@dataclass(frozen=True)
class Arguments:
    """A parsed command line: the pipeline's own flags, and what is left for Beam."""

    flags: argparse.Namespace
    beam: list[str]
    runner: str


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Names an option's value once, behind its last name: `-i, --input PATH`."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = action.metavar if isinstance(action.metavar, str) else \
            self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def _formatter(prog: str) -> argparse.HelpFormatter:
    return _HelpFormatter(prog, max_help_position=34, width=_HELP_WIDTH)


def tool_parser(name: str, about: str, options: Sequence[type], words: str = '') -> argparse.ArgumentParser:
    """The parser of a module that runs no pipeline; `words` shows what comes before the flags."""
    parser = _Parser(prog=f'python -m beam_pipelines.{name}', description=about, allow_abbrev=False,
                     usage=' '.join(('%(prog)s', *filter(None, [words]), '[flags]')), formatter_class=_formatter)
    for one in options:
        one._add_argparse_args(parser.add_argument_group(one.TITLE))
    return parser


def parse_tool(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """Parses the command line of a module that runs no pipeline.

    Raises:
        UsageError: an unknown flag (with a suggestion) or a value that does not fit.
        SystemExit: after --help.
    """
    tokens = _normalized(argv)
    print_version(tokens)
    flags, rest = parser.parse_known_args(tokens)
    own = {name[2:] for action in parser._actions for name in action.option_strings if name[:2] == '--'}
    for token in rest:
        raise UsageError(_unknown(token[2:].partition('=')[0], own, '') if token.startswith('--') else
                         _stray(token))
    return flags


def own_parser(spec: PipelineSpec) -> argparse.ArgumentParser:
    """The parser of the pipeline's own flags, a group for each options class."""
    parser = _Parser(prog=f'python -m beam_pipelines.{spec.name}', description=spec.about, allow_abbrev=False,
                     usage='%(prog)s [--runner=DirectRunner] [flags]', formatter_class=_formatter,
                     epilog="Dashes and underscores are the same in a flag. Beam's own flags are accepted too, such as "
                            '--runner.')
    groups: dict[str, argparse._ArgumentGroup] = {}
    for options in spec.options:
        group = groups.get(options.TITLE) or groups.setdefault(options.TITLE, parser.add_argument_group(options.TITLE))
        options._add_argparse_args(group)
        # Beam owns these names, and its parser refuses a second declaration: ours are added to this parser only.
        if options is spec.options[0]:
            group.add_argument('--num_workers', type=positive, default=None, metavar='N',
                               help='local parallelism, in processes (default: all cores)')
        if options is ClusterOptions:
            group.add_argument('--parallelism', type=positive, default=None, metavar='N',
                               help='Flink: tasks side by side (default: all slots)')
    for action in parser._actions:
        if action.dest == 'stage':
            action.choices, action.default = spec.stages, spec.stages[0]
            action.help = action.help.format(stages=', '.join(f'{name} (default)' if name == action.default else name for name in action.choices))
    return parser


def _declared(beams: bool) -> list[argparse.Action]:
    """All that Beam's options classes declare, or all that our own do."""
    parser = argparse.ArgumentParser(allow_abbrev=False, conflict_handler='resolve')
    for options in PipelineOptions.__subclasses__():
        if options.__module__.startswith('apache_beam.') == beams:
            options._add_argparse_args(parser)
    return parser._actions


def beam_flags() -> dict[str, argparse.Action]:
    """Beam's flags by name, without those of our own options classes."""
    return {name[2:]: action for action in _declared(beams=True) for name in action.option_strings if name[:2] == '--'}


class BeamOptions(PipelineOptions):
    """Beam's options without our own, which no runner knows and which may hold values that it cannot send."""

    def get_all_options(self, *args: object, **kwargs: object) -> dict[str, object]:
        options = super().get_all_options(*args, **kwargs)
        ours = {action.dest for action in _declared(beams=False)} - set(beam_flags())
        return {name: value for name, value in options.items() if name not in ours}


def _normalized(argv: Sequence[str]) -> list[str]:
    """Flags with underscores, aliases resolved; values stay as they are."""
    out = []
    for token in argv:
        if token.startswith('--') and len(token) > 2:
            name, equals, value = token[2:].partition('=')
            name = name.replace('-', '_')
            token = f'--{ALIASES.get(name, name)}{equals}{value}'
        out.append(token)
    return out


def print_version(tokens: Sequence[str]) -> None:
    """Prints the versions that matter, and ends, where --version is among the flags.

    Raises:
        SystemExit: it is.
    """
    if '--version' in tokens:
        print_line(f"beam-training-data {package_version('beam-training-data')}, apache-beam {package_version('apache-beam')}, "
                   f'Python {platform.python_version()}')
        raise SystemExit(0)


def value_of(flag: str, tokens: Sequence[str], default: str) -> str:
    """The value that a command line gives a flag, before anything else of it is looked at."""
    for i, token in enumerate(tokens):
        if token == f'--{flag}' and i + 1 < len(tokens):
            return tokens[i + 1]
        if token.startswith(f'--{flag}='):
            return token.partition('=')[2]
    return default


def runner_of(tokens: Sequence[str]) -> str:
    """The runner that the command line names."""
    return value_of('runner', tokens, 'DirectRunner')


def stage_of(argv: Sequence[str] | None) -> str:
    """The --stage of a command line, '' where it names none; None takes the process's own."""
    return value_of('stage', _normalized(sys.argv[1:] if argv is None else argv), '')


def parse(spec: PipelineSpec, argv: Sequence[str]) -> Arguments:
    """Parses a command line.

    Raises:
        UsageError: an unknown or abbreviated flag (with a suggestion), a value that does not fit, a stray word.
        SystemExit: after --help.
    """
    tokens = _normalized(argv)
    print_version(tokens)
    runner = runner_of(tokens)
    if runner not in RUNNERS:
        raise UsageError(f'--runner={runner} is none of {", ".join(RUNNERS)}')
    if runner != 'DataflowRunner':
        tokens = ['--plan' if token == '--dry_run' else token for token in tokens]
    else:  # Beam's own flag there, which wants a value
        tokens = ['--dry_run=True' if token == '--dry_run' and (after is None or after.startswith('--')) else token
                  for token, after in zip(tokens, [*tokens[1:], None], strict=True)]
    parser = own_parser(spec)
    flags, rest = parser.parse_known_args(tokens)
    own = {name[2:] for action in parser._actions for name in action.option_strings if name[:2] == '--'}
    left = _check_for_beam(rest, own, runner)
    if not spec.several_inputs:
        try:
            one_place('--input', flags.input)
        except ValueError as error:
            raise UsageError(str(error)) from None
    if flags.num_workers and runner == 'DataflowRunner':
        left.append(f'--num_workers={flags.num_workers}')
    if flags.parallelism and runner not in ('FlinkRunner', 'PortableRunner'):
        raise UsageError(f'--parallelism is for --runner=FlinkRunner, this is {runner}: --num_workers sets local '
                         'parallelism')
    if parallelism := flags.parallelism or (flags.num_workers if runner == 'FlinkRunner' else None):
        left.append(f'--parallelism={parallelism}')
    return Arguments(flags, left, runner)


def _check_for_beam(rest: Sequence[str], own: set[str], runner: str) -> list[str]:
    beams = beam_flags()
    allowed = set(beams) | FLINK_FLAGS if runner in ('FlinkRunner', 'PortableRunner') else set(beams) - FLINK_FLAGS
    expects_value, out = False, []
    for token in rest:
        if token.startswith('--'):
            name, equals, _ = token[2:].partition('=')
            if name not in allowed:
                raise UsageError(_unknown(name, own | allowed, runner))
            action = beams.get(name)
            expects_value = not equals and (action is None or action.nargs != 0)
        elif expects_value:
            expects_value = False
        else:
            raise UsageError(_stray(token))
        out.append(token)
    return out


def _stray(token: str) -> str:
    return (f'unexpected argument {token!r}: every value belongs to a flag, as in --input={token}; a glob must be in quotes, as in '
            "--input='folder/*'")


def _unknown(name: str, names: set[str], runner: str) -> str:
    if name in FLINK_FLAGS:
        return f'--{name} is for --runner=FlinkRunner, this is {runner}'
    starts = sorted((n for n in names if n.startswith(name)), key=lambda n: (len(n), n))
    close = starts[:1] or difflib.get_close_matches(name, sorted(names), 1, 0.6)
    hint = f'; did you mean --{close[0]}?' if close else '; --help lists the flags'
    return f'unknown flag --{name}{hint}'


def deciding_options(spec: PipelineSpec, flags: argparse.Namespace) -> dict[str, object]:
    """The flags that decide output bytes, as JSON values, by name."""
    aside = spec.not_bytes.union(*(options.NOT_BYTES for options in spec.options))
    return {name: _as_json(value) for name, value in sorted(vars(flags).items()) if name not in aside}


def _as_json(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_as_json(v) for v in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
