"""What a dataset holds, before anything is downloaded: subsets, splits, columns, types, rows, bytes, a few rows.

    python -m beam_pipelines.describe_dataset --input hf://datasets/allenai/olmOCR-mix-1025
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

import orjson

from beam_pipelines.launcher.arguments import parse_tool, tool_parser
from beam_pipelines.launcher.console import print_error, print_line
from beam_pipelines.launcher.describing import render
from beam_pipelines.launcher.spec import RunResult, Tool, UsageError
from options.describe import DescribeOptions
from options.hub import HubOptions, hub_settings
from options.looking import looking_at
from transforms.files.storage import RunAborted
from transforms.hub.settings import configure
from transforms.read_hf.describe import describe

ABOUT = """\
Tells what a dataset holds: subsets, splits, columns, types, rows and bytes, with the first rows of each split. Only its
listing, the footers of its Parquet files and those first rows are read.

  python -m beam_pipelines.describe_dataset --input hf://datasets/allenai/olmOCR-mix-1025"""
TOOL = Tool('describe_dataset', 'what a dataset holds: subsets, splits, columns, rows, examples (no pipeline)')


def run(argv: Sequence[str] | None = None) -> RunResult:
    """Prints what the dataset that the flags name holds; see `--help`."""
    try:
        flags = parse_tool(tool_parser(TOOL.name, ABOUT, (DescribeOptions, HubOptions)),
                           sys.argv[1:] if argv is None else argv)
        if not flags.input:
            raise UsageError('--input is needed: a folder, a file, or hf://datasets/NAMESPACE/NAME')
        configure(hub_settings(flags, 1))
        plan, facts = describe(flags.input, flags.subset, flags.split, flags.files, flags.examples, flags.hub_parquet,
                               partial(looking_at, what='footers', unit='file'))
    except (ValueError, OSError, RunAborted) as error:
        print_error(f'error: {error}')
        return RunResult('usage', 2, message=str(error))
    except KeyboardInterrupt:
        print_error('interrupted')
        return RunResult('interrupted', 130)
    except SystemExit as stop:  # argparse after --help
        return RunResult('usage', stop.code or 0)
    text, content = render(flags.input, plan, facts)
    print_line(orjson.dumps(content, option=orjson.OPT_INDENT_2, default=str).decode() if flags.json else text)
    faults = [fault for fact in facts for fault in fact.faults]
    return RunResult('failed', 1, content, '; '.join(faults)) if faults else RunResult('done', 0, content)


if __name__ == '__main__':
    sys.exit(run().exit_code)
