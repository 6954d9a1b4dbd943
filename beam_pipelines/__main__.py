"""`python -m beam_pipelines` (or `beam-training-data`) lists the pipelines; with the name of one behind it, that one runs."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module

from beam_pipelines.launcher.arguments import print_version
from beam_pipelines.launcher.catalog import find_specs, names


def main() -> int:
    """Runs the pipeline or tool that the first argument names; without one prints a line for each. Returns the exit code."""
    name = sys.argv[1].replace('-', '_') if sys.argv[1:] and not sys.argv[1].startswith('-') else ''
    if not name:
        print_version(sys.argv[1:2])
        if sys.argv[1:] and sys.argv[1] not in ('-h', '--help'):
            sys.stderr.write(f'error: {sys.argv[1]} comes behind the name of a pipeline, as in `beam-training-data {names()[0]} {sys.argv[1]}`\n')
            return 2
        return _list()
    if name not in names():
        close = difflib.get_close_matches(name, names(), 1, 0.5)
        hint = f'did you mean {close[0]}?' if close else f"there are {', '.join(names())}"
        sys.stderr.write(f'error: there is no pipeline {sys.argv[1]}; {hint}\n')
        return 2
    sys.argv[1:2] = []
    return import_module(f'beam_pipelines.{name}').run().exit_code


def _list() -> int:
    specs = find_specs()
    width = max(len(spec.name) for spec in specs)
    sys.stdout.write('Pipelines (python -m beam_pipelines.NAME --help, or beam-training-data NAME --help):\n')
    for spec in specs:
        sys.stdout.write(f'  {spec.name.ljust(width)}  {spec.summary}\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
