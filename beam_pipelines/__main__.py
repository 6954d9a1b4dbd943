"""`python -m beam_pipelines` lists the pipelines."""

import sys

from beam_pipelines.launcher.catalog import find_specs


def main() -> None:
    """Prints a line for each pipeline and tool."""
    specs = find_specs()
    width = max(len(spec.name) for spec in specs)
    sys.stdout.write('Pipelines (python -m beam_pipelines.NAME --help):\n')
    for spec in specs:
        sys.stdout.write(f'  {spec.name.ljust(width)}  {spec.summary}\n')


if __name__ == '__main__':
    main()
