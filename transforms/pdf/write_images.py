"""WriteImages: encoded images to files under their final names, journaled so that a killed run can go on."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from transforms.files import storage
from transforms.pdf.errors import ERROR_ORDER
from transforms.pdf.pages import PageImage
from transforms.run.run import Run
from transforms.run.write_once import WriteOnce

# Failures to read are found again in no time; those of rendering may have cost the whole CPU limit.
_RENDER_ERRORS = frozenset(ERROR_ORDER) - {'PdfMissing'}


class _WriteImageFn(beam.DoFn):
    def __init__(self, run: Run) -> None:
        self._run = run

    def setup(self) -> None:
        self._writer = WriteOnce(self._run)

    def process(self, image: PageImage) -> Iterator[PageImage]:
        if image.data or image.spill or image.error in _RENDER_ERRORS:
            if not image.output:
                raise ValueError(f'{image.file}:{image.row}: output is empty: PdfPage.output must say where the image goes, such as images/a.png')
            if storage.is_unsafe(image.output):
                raise ValueError(f'{image.file}:{image.row}: the output {image.output!r} leaves the folder')
            self._writer.write(image.unit, image.file, image.row, image.journal_entry(), image.output, image.data, image.spill)
        yield image.without_payload()

    def finish_bundle(self) -> None:
        self._writer.close()


@dataclass(eq=False)
class WriteImages(beam.PTransform):
    """PCollection[PageImage] to the same without payloads, each image now a file below the run's output folder.

    Outcomes that carry neither payload nor error (they come from a journal) are not written again.

    Args:
        run: the run, for its folders.

    Raises:
        RunAborted: the disk is full or the folder cannot be written.
    """

    run: Run

    def expand(self, images: beam.PCollection[PageImage]) -> beam.PCollection[PageImage]:
        return images | 'WriteFiles' >> beam.ParDo(_WriteImageFn(self.run))
