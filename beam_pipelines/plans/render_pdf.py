"""The render_pdf pipeline before it starts: flags and files to settings and a plan."""

from __future__ import annotations

import hashlib
import os

from beam_pipelines.launcher.estimate import page_bytes
from beam_pipelines.launcher.folder import human_bytes
from beam_pipelines.launcher.spec import Context, Plan, UsageError
from options.cluster_options import drawing_hints
from options.render_options import render_settings
from options.render_pdf_settings import RenderPdfSettings
from transforms.files import storage
from transforms.pdf.list_pages import FileGroup, display_name
from transforms.pdf.outcomes import known_entry

GROUP_FILES = 64
_LISTED_INPUTS = 1000
ABOUT = """\
Draws the pages of any PDFs to images, with records/, errors.jsonl and report.html that account for every page.

--input is a folder (its *.pdf at any depth), a file, or a glob in quotes; ** also matches no folder. PNG and JPEG
files that a glob names are shrunk to --max_size. A file that no engine opens, or that has no page, is one failed
record.

  python -m beam_pipelines.render_pdf --input 'papers/**/*.pdf' --output images --max-size 1288 --pages 1-3"""


def split_glob(pattern: str) -> tuple[str, str]:
    """(folder, glob relative to it) of a pattern; the folder is what comes before the first wildcard."""
    parts = pattern.split('/')
    wild = next((i for i, part in enumerate(parts) if any(c in part for c in '*?[')), len(parts) - 1)
    return '/'.join(parts[:wild]) or ('/' if pattern.startswith('/') else '.'), '/'.join(parts[wild:])


def find_files(pattern: str) -> tuple[str, list[storage.FileInfo]]:
    """(root, files) of --input, in the order of their relative paths.

    Raises:
        UsageError: nothing is there.
    """
    is_folder = os.path.isdir(pattern) if storage.is_local(pattern) else \
        not any(c in pattern for c in '*?[') and not pattern.lower().endswith('.pdf')
    if is_folder:
        root = pattern.rstrip('/') or '/'
        files = [f for f in storage.list_files(root) if f.path.lower().endswith('.pdf')]
    elif storage.is_local(pattern) and os.path.isfile(pattern):
        root = os.path.dirname(pattern) or '.'
        stat = os.stat(pattern)
        files = [storage.FileInfo(storage.join(root, os.path.basename(pattern)), stat.st_size, stat.st_mtime)]
    else:
        root, glob = split_glob(pattern)
        if not storage.exists(root):
            raise UsageError(f'--input {pattern}: there is no folder {root}')
        files = storage.list_files(root, glob)
    if not files:
        raise UsageError(f"--input {pattern} matches no file. Give a folder, or a glob in quotes such as 'folder/**/*.pdf'")
    return root, files


def prepare(context: Context) -> tuple[RenderPdfSettings, Plan]:
    """Settings and plan from the flags.

    Raises:
        UsageError: no --input, or nothing there.
        ValueError: a value out of range.
    """
    flags = context.flags
    if not flags.input:
        raise UsageError("--input is needed: a folder, a file, or a glob in quotes such as 'folder/**/*.pdf'")
    root, infos = find_files(context.place(flags.input))
    ours = os.path.abspath(context.output) + os.sep
    infos = [info for info in infos if not os.path.abspath(info.path).startswith(ours)]
    prefix = len(storage.join(root, 'x')) - 1
    names = [info.path[prefix:] for info in infos]
    if flags.limit:
        # Every file has a record, unless --pages leaves all of its pages out.
        groups = (FileGroup('first', tuple(names if flags.pages.ranges else names[:flags.limit])),)
    else:
        groups = tuple(FileGroup(f'group-{i // GROUP_FILES:07d}', tuple(names[i:i + GROUP_FILES]))
                       for i in range(0, len(names), GROUP_FILES))
    render = render_settings(flags)
    settings = RenderPdfSettings(
        root=root, groups=groups, render=render, output=context.output, work=context.work, selection=flags.pages,
        max_pages=flags.max_pages, limit=flags.limit, seed=flags.seed, render_processes=context.render_processes,
        drawing_hints=drawing_hints(flags))
    count = sum(len(group.files) for group in groups)
    one = page_bytes(render.max_size, render.dpi, render.image_format)
    lines = (('input', f'{flags.input} ({len(names):,} files, {human_bytes(sum(i.size for i in infos))})'),
             ('write', f'{settings.output}, about {human_bytes(one)} a page'),
             ('with', f'{settings.render_processes} drawing processes' if settings.render_processes
              else 'a drawing process for each core of a worker'))
    return settings, Plan(lines, 0, int(count * one), _inputs(names, infos), flags.input, storage.revision_of(root))


def _inputs(names: list[str], infos: list[storage.FileInfo]) -> tuple[tuple[str, int, float | str], ...]:
    """The files, or where they are many one entry with their digest: run.json is to be read by people."""
    entries = tuple((display_name(n), i.size, i.stamp) for n, i in zip(names, infos, strict=True))
    if len(entries) <= _LISTED_INPUTS:
        return entries
    digest = hashlib.sha256(repr(entries).encode()).hexdigest()[:16]
    return ((f'{len(entries)} files, digest {digest}', sum(size for _, size, _ in entries), 0.0),)


def known_outcome(settings: RenderPdfSettings, row: dict) -> tuple[str, dict] | None:
    """The journal entry of a row of the records table, None for what must be done again."""
    if row['outcome'] != 'written':
        return None
    group = next(g.name for g in settings.groups if any(display_name(f) == row['file'] for f in g.files))
    return group, known_entry(row)
