import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from tests.helpers import run_in
from transforms import PdfPage, RenderPDF, RenderSettings, WriteImages
from transforms.pdf.pages import PageImage
from transforms.pdf.render_page import PDF_OPERATIONS
from transforms.run.journal import read_journal
from transforms.run.run import Run
from transforms.sandbox.cores import usable_cores
from transforms.sandbox.pool import acquire_pool, release_pool

SETTINGS = RenderSettings(max_size=200)


def page(row: int, data: bytes, **kwargs) -> PdfPage:
    return PdfPage(0, 'set.parquet', row, f'{row}.pdf', data, output=f'images/{row}.png', unit='u', **kwargs)


def facts(image: PageImage) -> tuple:
    return image.row, image.error, image.height, bool(image.data), image.context


def test_every_page_has_one_outcome(pipeline, page_pdf):
    pages = [page(i, page_pdf, context=f'c{i}') for i in range(9)] + [page(9, b'<html>')]
    images = pipeline | beam.Create(pages) | RenderPDF(SETTINGS, processes=2)
    assert_that(images | beam.Map(facts), equal_to(
        [(i, '', 200, True, f'c{i}') for i in range(9)] + [(9, 'NotAPdf', 0, False, None)]))


def test_known_outcomes_pass_through(pipeline):
    known = PageImage(0, 'f', 1, 'images/x.png', width=3)
    assert_that(pipeline | beam.Create([known]) | RenderPDF(SETTINGS), equal_to([known]))


def test_processes_must_not_be_negative():
    with pytest.raises(ValueError, match='processes'):
        RenderPDF(SETTINGS, -1)


def test_no_number_of_processes_is_one_a_core():
    pool = acquire_pool(PDF_OPERATIONS, SETTINGS, 0)
    try:
        assert pool.processes == usable_cores()
    finally:
        release_pool(pool)


def test_written_images_are_journaled(page_pdf, tmp_path):
    run, spill = run_in(tmp_path / 'out'), str(tmp_path / 'spill')
    from apache_beam.testing.test_pipeline import TestPipeline

    with TestPipeline('FnApiRunner') as pipeline:
        images = (pipeline | beam.Create([page(0, page_pdf), page(1, b'no')])
                  | RenderPDF(SETTINGS, 1, spill) | WriteImages(run))
        assert_that(images | beam.Map(facts), equal_to([(0, '', 200, False, None), (1, 'NotAPdf', 0, False, None)]))
    entry = read_journal(run.journal, 'u')
    assert entry['set.parquet', 0]['bytes'] == (tmp_path / 'out' / 'images' / '0.png').stat().st_size
    assert entry['set.parquet', 1]['error'] == 'NotAPdf'
    assert list((tmp_path / 'spill').iterdir()) == []


def test_wrong_types_fail_at_construction():
    with pytest.raises(beam.typehints.TypeCheckError):
        beam.Pipeline() | beam.Create(['text']) | WriteImages(Run('p', '', '/nowhere', '/nowhere'))


@pytest.mark.parametrize(('name', 'value'), [('engine', 'poppler'), ('max_size', 1), ('quality', 0), ('png_codec', 'x')])
def test_settings_are_checked(name, value):
    with pytest.raises(ValueError, match=name):
        RenderSettings(**{name: value})
