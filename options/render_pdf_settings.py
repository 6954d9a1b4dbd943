"""Settings of the render_pdf pipeline: flags and input, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.accounts.run_info import RunInfo
from transforms.pdf.list_pages import FileGroup, PageSelection
from transforms.pdf.settings import RenderSettings


@dataclass(frozen=True)
class RenderPdfSettings:
    """What `beam_pipelines.render_pdf.build` needs.

    Attributes:
        root: folder that file paths are relative to.
        groups: the files, in groups of work.
        render: what the images look like.
        selection: pages to read of each file.
        max_pages: pages of one file.
        limit: pages to read, 0 for all.
        seed: of every random choice.
        render_processes: drawing processes of each Beam worker, 0 for one on each of its cores.
        drawing_hints: Beam's resource hints for the steps that carry documents.
        output: output folder.
        work: work folder.
        run: what run this is; the launcher fills it in.
    """

    root: str
    groups: tuple[FileGroup, ...]
    render: RenderSettings
    output: str
    work: str
    selection: PageSelection = PageSelection()
    max_pages: int = 2000
    limit: int = 0
    seed: int = 0
    render_processes: int = 1
    drawing_hints: dict[str, str] = field(default_factory=dict)
    run: RunInfo | None = None
