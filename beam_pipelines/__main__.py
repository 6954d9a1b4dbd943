"""`python -m beam_pipelines` lists the pipelines."""

import pkgutil
import sys
from importlib import import_module

import beam_pipelines
from beam_pipelines.launcher.spec import Tool


def main() -> None:
    """Prints a line for each pipeline."""
    names = [m.name for m in pkgutil.iter_modules(beam_pipelines.__path__) if not m.ispkg and m.name != '__main__']
    modules = [import_module(f'beam_pipelines.{name}') for name in names]
    specs = sorted((getattr(m, 'SPEC', None) or m.TOOL for m in modules), key=lambda spec: isinstance(spec, Tool))
    width = max(len(spec.name) for spec in specs)
    sys.stdout.write('Pipelines (python -m beam_pipelines.NAME --help):\n')
    for spec in specs:
        sys.stdout.write(f'  {spec.name.ljust(width)}  {spec.summary}\n')


if __name__ == '__main__':
    main()
