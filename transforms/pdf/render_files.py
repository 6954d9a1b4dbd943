"""RenderFiles: groups of PDFs to page images under their final names, with an account of every page."""

from dataclasses import dataclass

import apache_beam as beam

from transforms.accounting.step import CollectAccounts, StepOutput
from transforms.accounting.table import RecordTable
from transforms.pdf.list_pages import FileGroup, ListPdfPages, PageSelection
from transforms.pdf.outcomes import PAGE_TABLE, TEXT_PAGE_TABLE, page_metadata, page_outcome
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.settings import RenderSettings
from transforms.pdf.write_images import WriteImages
from transforms.run.hints import InOneStage
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck


@dataclass(eq=False)
class RenderFiles(beam.PTransform):
    """PBegin to StepOutput: `main` is a PageImage without payload for each page, its image now a file of the output.

    Args:
        root: folder that the files' paths are relative to.
        groups: the files, in groups of work.
        settings: what the images look like and what a page may cost.
        run: the run.
        processes: render processes of each Beam worker, 0 for one on each of its cores.
        selection: pages to read of each file.
        max_pages: pages of one file; further ones are dropped as `over_page_limit`.
        limit: pages to read, 0 for all.
    """

    root: str
    groups: tuple[FileGroup, ...]
    settings: RenderSettings
    run: Run
    processes: int = 1
    selection: PageSelection = PageSelection()
    max_pages: int = 2000
    limit: int = 0

    def expand(self, pbegin: beam.pvalue.PBegin):  # noqa: ANN201 - Beam reads tuples wrongly
        groups = pbegin | 'Files' >> beam.Create(self.groups)
        return groups | 'InOneStage' >> InOneStage(self._render, self.run.worker_hints)

    def _render(self, groups: beam.PCollection[FileGroup]) -> StepOutput:
        """From the check to the accounts all is one fused stage, for it carries the documents' bytes."""
        run = self.run
        listed = groups | 'Check' >> StartUpCheck(run) | 'ListPages' >> ListPdfPages(
            self.root, self.settings, run, self.processes, self.selection, self.max_pages, self.limit)
        images = (listed.main | 'RenderPDF' >> RenderPDF(self.settings, self.processes, run.staging_dir)
                  | 'WriteImages' >> WriteImages(run))
        with_text = self.settings.text_layer
        return StepOutput(images, (
            listed.accounts | 'CollectListed' >> CollectAccounts(run),
            images | 'ToOutcome' >> beam.FlatMap(page_outcome, with_text) | 'CollectRendered' >> CollectAccounts(run, self.table),
            images | 'ToMetadata' >> beam.FlatMap(page_metadata, with_text) | 'CollectMetadata' >> CollectAccounts(run)))

    @property
    def table(self) -> RecordTable:
        """The columns of its outcomes."""
        return TEXT_PAGE_TABLE if self.settings.text_layer else PAGE_TABLE
