"""One module for each dataset: `python -m beam_pipelines` lists them.

Before anything of Beam is imported its start-up noise is silenced, and the general names `transforms` and `options` are
checked to be this project's and not some other package's. Where a pipeline is the program that runs, Beam is imported without
pandas: it looks for it to support data frames, which nothing here has, and that takes 0.4 s of every start. In other programs, which
may want Beam's ReadFromCsv and the like, it finds it.
"""

import importlib.util
import logging
import sys
from pathlib import Path

_HOME = Path(__file__).resolve().parent.parent
_NOISE = ('apitools not found', 'bigquery client libraries', 'Discarding unparseable args')


def _is_signal(record: logging.LogRecord) -> bool:
    return not any(noise in str(record.msg) for noise in _NOISE)


def _check_names() -> None:
    for name in ('transforms', 'options'):
        spec = importlib.util.find_spec(name)
        places = [Path(p).resolve() for p in (spec.submodule_search_locations or ())] if spec else []
        if _HOME / name not in places:
            place = str(places[0]) if places else 'nothing'
            sys.stderr.write(f'error: the package {name!r} is {place}, not {_HOME / name}. Another package of that '
                             'name comes first on the import path: start from another folder or remove it.\n')
            raise SystemExit(2)


def _is_program() -> bool:
    """Whether this package is what Python was started with: `python -m beam_pipelines...` or the console command."""
    return bool(sys.argv) and (sys.argv[0] == '-m' or Path(sys.argv[0]).name == 'beam-training-data')


def _import_beam() -> None:
    if not _is_program() or 'pandas' in sys.modules or 'apache_beam' in sys.modules:
        return
    sys.modules['pandas'] = None  # an import of it fails, which Beam takes for "not installed"
    try:
        import apache_beam  # noqa: F401
    finally:
        del sys.modules['pandas']


logging.getLogger().addFilter(_is_signal)
_check_names()
_import_beam()
