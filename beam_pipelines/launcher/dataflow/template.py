"""Flex templates: metadata.json of a pipeline from its options, and a template's parameters as flags.

The file's form: https://cloud.google.com/dataflow/docs/guides/templates/configuring-flex-templates (template metadata).
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

import orjson

from beam_pipelines.launcher.arguments import own_parser
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.launcher.spec import PipelineSpec, UsageError
from transforms.files import storage

_LEFT_OUT = frozenset({'help', 'parallelism'})  # the latter is Flink's, and refused elsewhere
_OTHER_OUTPUTS = frozenset({'raw_folder'})  # where --output is left out in some stages
_PIPELINE = 'pipeline'


def metadata(spec: PipelineSpec) -> dict:
    """The metadata of a pipeline's template: a parameter for each of its flags."""
    actions = _actions(spec)
    has_others = any(_name(action) in _OTHER_OUTPUTS for action in actions)
    return {'name': spec.name, 'description': spec.summary, 'parameters': [
        {'name': _PIPELINE, 'label': 'Pipeline', 'helpText': 'Which pipeline the template starts.', 'isOptional': False,
         'paramType': 'ENUM', 'enumOptions': [{'value': spec.name, 'label': spec.name}], 'defaultValue': spec.name},
        {'name': 'sdk_container_image', 'label': 'Worker image', 'helpText': 'The image of the template itself, which workers run too.',
         'isOptional': False, 'paramType': 'TEXT'},
        *(_parameter(action, has_others) for action in actions)]}


def to_json(spec: PipelineSpec) -> bytes:
    """The metadata as a file."""
    return orjson.dumps(metadata(spec), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _actions(spec: PipelineSpec) -> list[argparse.Action]:
    return [action for action in own_parser(spec)._actions if _name(action) not in _LEFT_OUT]


def _name(action: argparse.Action) -> str:
    return next(name for name in action.option_strings if name.startswith('--'))[2:]


def _is_switch(action: argparse.Action) -> bool:
    return action.nargs == 0


def _parameter(action: argparse.Action, has_others: bool) -> dict:
    name = _name(action)
    given: dict[str, object] = {
        'name': name, 'label': name.replace('_', ' ').capitalize(), 'helpText': _help(action), 'isOptional': name != 'output' or has_others}
    if _is_switch(action):
        return {**given, 'paramType': 'BOOLEAN', 'defaultValue': 'false'}
    if action.choices:
        return {**given, 'paramType': 'ENUM', 'enumOptions': [{'value': str(choice), 'label': str(choice)} for choice in action.choices]}
    if name == 'output':
        return {**given, 'paramType': 'GCS_WRITE_FOLDER'}
    return {**given, 'paramType': 'TEXT'}


def _help(action: argparse.Action) -> str:
    text = (action.help or '').replace('%%', '%').replace('; see above', '')
    several = action.nargs in ('+', '*') or isinstance(action, argparse._AppendAction)
    return f"{text}{'; several are separated by blanks, each in quotes where it has one' if several else ''}".strip() or _name(action)


def to_flags(spec: PipelineSpec, given: Sequence[str]) -> list[str]:
    """A template's parameters, such as `--overwrite=true`, as the flags of a command line; others are Beam's and stay as they are.

    Args:
        spec: the pipeline.
        given: parameters as a template's launcher passes them.

    Raises:
        UsageError: a switch that is neither true nor false, or quotes that do not end.
    """
    actions = {_name(action): action for action in _actions(spec)}
    flags: list[str] = []
    for token in given:
        name, equals, value = token.removeprefix('--').partition('=')
        action = actions.get(name.replace('-', '_')) if token.startswith('--') else None
        if action is None or not equals:
            flags.append(token)
        elif _is_switch(action):
            if (word := value.strip().lower()) not in ('true', 'false', ''):
                raise UsageError(f'the parameter {name} is {value!r}, it must be true or false')
            flags += [f'--{name}'] if word == 'true' else []
        elif not value.strip():
            continue  # a parameter that was left empty in a form
        elif isinstance(action, argparse._AppendAction):
            flags += [f'--{name}={one}' for one in _split(name, value)]
        elif action.nargs in ('+', '*'):
            flags += [f'--{name}', *_split(name, value)]
        else:
            flags.append(token)
    return flags


def _split(name: str, value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError as error:
        raise UsageError(f"the parameter {name} is {value!r}: {str(error).lower()}. Several values are separated by blanks; one that has a blank "
                         "or an apostrophe stands in \"\"") from None


def run(argv: Sequence[str]) -> int:
    """Runs the pipeline that `--pipeline` names with the other parameters; returns its exit code."""
    named = [token for token in argv if re.match(rf'--{_PIPELINE}=', token)]
    specs = {spec.name: spec for spec in find_pipelines()}
    name = named[-1].partition('=')[2] if named else ''
    if name not in specs:
        sys.stderr.write(f"error: the parameter pipeline is {name!r}: it must be one of {', '.join(sorted(specs))}\n")
        return 2
    try:
        flags = to_flags(specs[name], [token for token in argv if token not in named])
    except UsageError as error:
        sys.stderr.write(f'error: {error}\n')
        return 2
    if not any(flag.startswith('--runner') for flag in flags):
        flags.insert(0, '--runner=DataflowRunner')
    return import_module(f'beam_pipelines.{name}').run(flags).exit_code


def write(folder: str) -> None:
    """Writes the metadata of every pipeline into a folder."""
    for spec in find_pipelines():
        storage.write_bytes(storage.join(folder, f'{spec.name}.json'), to_json(spec))


if __name__ == '__main__':
    write(sys.argv[1])
