"""`python -m beam_pipelines` lists the pipelines."""

import pkgutil
import sys
from importlib import import_module

import beam_pipelines


def main() -> None:
    """Prints a line for each pipeline."""
    names = [m.name for m in pkgutil.iter_modules(beam_pipelines.__path__) if not m.ispkg and m.name != '__main__']
    specs = [import_module(f'beam_pipelines.{name}').SPEC for name in names]
    width = max(len(spec.name) for spec in specs)
    sys.stdout.write('Pipelines (python -m beam_pipelines.NAME --help):\n')
    for spec in specs:
        sys.stdout.write(f'  {spec.name.ljust(width)}  {spec.summary}\n')


if __name__ == '__main__':
    main()
