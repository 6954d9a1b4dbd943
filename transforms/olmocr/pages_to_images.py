"""PagesToImages: the documents of labelled pages to images under their final names, with an account of every page."""

from dataclasses import dataclass

import apache_beam as beam

from transforms.accounting.step import CollectAccounts, StepOutput
from transforms.olmocr.outcomes import OLMOCR_TABLE, as_extracted, to_accounts
from transforms.olmocr.read_pages import ReadArchivePages
from transforms.olmocr.read_rows import PageUnit
from transforms.pdf.render_pdf import RenderPDF
from transforms.pdf.settings import RenderSettings
from transforms.pdf.write_images import WriteImages
from transforms.run.hints import InOneStage
from transforms.run.run import Run
from transforms.run.start_up_check import StartUpCheck


@dataclass(eq=False)
class PagesToImages(beam.PTransform):
    """PCollection[PageUnit] to StepOutput: `main` is a PageImage without payload for each page.

    Args:
        root: input folder.
        settings: what the images look like, and the limits of a document.
        run: the run.
        processes: render processes of each Beam worker, 0 for one on each of its cores.
        upright: turn pages upright by their label.
        stop_early: leave a tarball when all its rows were found (with --limit).
        render: False writes the documents as they are (extracting).
    """

    root: str
    settings: RenderSettings
    run: Run
    processes: int = 1
    upright: bool = True
    stop_early: bool = False
    render: bool = True

    def expand(self, units: beam.PCollection[PageUnit]):  # noqa: ANN201 - Beam reads tuples wrongly
        return units | 'InOneStage' >> InOneStage(self._read_and_write, self.run.worker_hints)

    def _read_and_write(self, units: beam.PCollection[PageUnit]) -> StepOutput:
        """From the check to the accounts all is one fused stage, for it carries the documents' bytes."""
        run = self.run
        pages = units | 'Check' >> StartUpCheck(run) | 'ReadPages' >> ReadArchivePages(
            self.root, run, self.upright, self.stop_early, self.settings.max_input_bytes)
        if self.render:
            images = pages.main | 'RenderPDF' >> RenderPDF(self.settings, self.processes, run.staging_dir)
        else:
            images = pages.main | 'KeepAsTheyAre' >> beam.Map(as_extracted)
        images = images | 'WriteImages' >> WriteImages(run)
        outcomes = images | 'ToOutcome' >> beam.FlatMap(to_accounts)
        return StepOutput(images, (pages.accounts | 'CollectUnread' >> CollectAccounts(run, OLMOCR_TABLE),
                                   outcomes | 'CollectRendered' >> CollectAccounts(run, OLMOCR_TABLE)))
