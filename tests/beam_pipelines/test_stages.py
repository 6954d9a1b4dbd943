"""What shares a stage: bytes of documents and images must never leave the one in which they are read."""

import gzip
import os
from dataclasses import replace

import apache_beam as beam
import pytest

from beam_pipelines import olmocr, text_mix
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.launcher.graph import leaks
from beam_pipelines.samples import sample_folder
from tests.conftest import make_0225
from tests.stages import Graph, graph_of, payload_steps, settings_of
from transforms import PdfPage, RenderPDF, RenderSettings

GROUP, SHUFFLE = 'beam:transform:group_by_key:v1', 'beam:transform:reshuffle:v1'
# All that a runner itself does in our graphs. What fails on Flink 2 is no part of it: Beam's sharded sinks, stateful
# steps and steps that wait for a side input.
HARMLESS = {GROUP, SHUFFLE, 'beam:transform:impulse:v1', 'beam:transform:flatten:v1'}
# Further shapes that a pipeline takes, beside that of its embedded sample.
TWO_PASSES = ('text_clean', 'text_mix')  # documents are read again once duplicates are decided
SAMPLED = 'stage-1'
PACKED = ('--shard_size=1MB',)  # a gz of one member is inflated first
VARIANTS = {'convert': {'packed': PACKED}, 'text_clean': {'packed': PACKED}, 'olmocr': {'extract': ('--stage=extract',), 'original': ('--preset=original',), 'convert': ('--stage=convert',)}}
CASES = [(spec, '') for spec in find_pipelines()] + [
    (spec, variant) for spec in find_pipelines() for variant in VARIANTS.get(spec.name, ())] + [(text_mix.SAMPLE, SAMPLED)]
# What Beam and we do to elements without any work: making, spreading, gathering, keying.
HARMLESS_STEPS = ('Create', 'Impulse', 'Decode', 'Reshuffle', 'Flatten', 'Gather', 'UnderOneKey', 'FinishRun/Parts', 'Files/', 'Archives/',
                  'Chat/', 'Groups/', 'Units/', 'AfterIndex', 'SpreadUnits', 'SpreadTasks', 'Sources/')
HINTS = {'beam:resources:min_ram_bytes:v1': b'8000000000'}


def assert_payloads_stay(build, settings) -> Graph:
    """No PCollection that carries documents or images enters or leaves a stage."""
    graph = graph_of(build, settings)
    assert leaks(graph, payload_steps(build, settings)) == [], 'it leaves its stage'
    return graph


@pytest.fixture(params=CASES, ids=lambda case: '-'.join(filter(None, (case[0].name, case[1]))))
def case(request, tmp_path, dataset):
    """(spec, settings, shape) of every shape that a pipeline takes."""
    spec, variant = request.param
    flags = VARIANTS.get(spec.name, {}).get(variant, ())
    source = sample_folder(spec.name)
    if variant == 'convert':
        source = tmp_path / 'extracted'
        assert olmocr.run([f'--input={dataset}', f'--output={source}', '--stage=extract']).exit_code == 0
    elif variant == 'packed':
        source = tmp_path
        (tmp_path / 'train.jsonl.gz').write_bytes(gzip.compress(b''.join(b'{"text": "%s"}\n' % os.urandom(900).hex().encode() for _ in range(2500))))
    elif source is None:
        source = tmp_path
        (tmp_path / 'a.pdf').write_bytes(b'%PDF-')
    return spec, settings_of(spec, f'--input={source}', *flags), variant


def test_no_payload_crosses_a_stage(case):
    spec, settings, shape = case
    assert_payloads_stay(spec.build, settings)


def test_payloads_are_recognized_by_their_type():
    spec = olmocr.SPEC
    steps = payload_steps(spec.build, settings_of(spec))
    assert {step.split('/')[2] for step in steps if step.count('/') > 1} == {'ReadPages', 'RenderPDF', 'WriteImages'}


def test_nothing_that_fails_on_flink_2(case):
    spec, settings, shape = case
    graph = graph_of(spec.build, settings)
    assert {urn for urn, _ in graph.between} <= HARMLESS
    for stage in graph.stages:
        assert (stage.side_inputs, stage.states) == ((), 0), list(stage.steps)


def test_the_shuffles_are_those_we_know(case):
    spec, settings, shape = case
    graph = graph_of(spec.build, settings)
    shuffles = {name for urn, name in graph.between if urn == SHUFFLE}
    # References to files and to units of rows; the groups hold references by part, then a summary for each part.
    assert {name.rpartition('/')[2] for name in shuffles if not name.endswith('/MaybeReshuffle/Reshuffle')} <= {'SpreadUnits', 'SpreadFiles', 'SpreadTasks'}
    # Keys of documents by hash, then by part what the decision says of them.
    decided = {'HashDedup/FindDuplicates/ByPartition', 'HashDedup/FindDuplicates/ToUnits/ByUnit'} if spec.name in TWO_PASSES else set()
    if shape == SAMPLED:  # references to candidates by source, twice where some are missing, then to rows by part
        decided = {'ChooseRows/FirstBySource', 'ChooseRows/AllBySource', 'ChooseRows/ToParts/ByUnit'}
    assert {name for urn, name in graph.between if urn == GROUP} == {'FinishRun/ByPart', 'FinishRun/ToOneList', *decided}


def test_parts_are_finished_by_many_and_the_run_by_one(case):
    spec, settings, shape = case
    graph = graph_of(spec.build, settings)
    assert 'FinishRun/CheckParts' in graph.stage_of('FinishRun/FinishPart')
    last = graph.stage_of('FinishRun/SaveVerdict')
    assert 'FinishRun/CheckFinishing' in last
    assert len(last.crossing) == 1  # what enters; nothing leaves


def test_every_stage_that_works_begins_with_the_check(case):
    spec, settings, shape = case
    for stage in graph_of(spec.build, settings).stages:
        works = [name for name in stage.steps if not any(word in name for word in HARMLESS_STEPS)]
        assert not works or any('Check' in name for name in stage.steps), works


def test_resource_hints_do_not_cut_the_stage_of_payloads(case):
    spec, settings, shape = case
    graph = assert_payloads_stay(spec.build, replace(settings, run=replace(settings.run, worker_hints={'min_ram': '8GB'})))
    hinted = [stage for stage in graph.stages if stage.hints]
    passes = 3 if shape == SAMPLED else 2 if spec.name in TWO_PASSES else 1
    assert [stage.hints for stage in hinted] == [HINTS] * passes, 'all steps that carry payloads, and only they, are one stage for each pass'
    for stage in hinted:
        assert any('/Check' in step for step in stage.steps), 'no start-up check in the stage of payloads'
        assert graph.stage_of('FinishRun/SaveVerdict') is not stage


def test_mix_0225_waits_for_its_index_in_the_one_way_that_works_on_flink_2(tmp_path, page_pdf):
    source = make_0225(tmp_path / 'in', page_pdf)
    graph = graph_of(olmocr.SPEC.build, settings_of(olmocr.SPEC, f'--input={source}'))
    waiting = {side for stage in graph.stages for side in stage.side_inputs}
    assert all('WaitOn' in side or 'AfterIndex' in side for side in waiting)
    assert waiting


def test_a_shuffle_between_reading_and_writing_is_found():
    def build(pipeline, settings):
        pages = pipeline | beam.Create([PdfPage(0, 'f', 0, 'a', b'x')]) | 'ReadPages' >> beam.Map(lambda page: page)
        images = pages | 'RenderPDF' >> RenderPDF(RenderSettings()) | beam.Reshuffle()
        images | 'WriteImages' >> beam.Map(lambda image: image)

    with pytest.raises(AssertionError, match='leaves its stage'):
        assert_payloads_stay(build, None)
