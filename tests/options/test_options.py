import argparse

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipelines import olmocr
from beam_pipelines.launcher.arguments import BeamOptions, beam_flags, deciding_options, own_parser, parse
from beam_pipelines.launcher.catalog import find_pipelines
from beam_pipelines.launcher.spec import UsageError
from options.cluster import worker_hints


def flags_of(options: type) -> set[str]:
    parser = argparse.ArgumentParser()
    options._add_argparse_args(parser)
    return {name for action in parser._actions for name in action.option_strings if name.startswith('--')} - {'--help'}


def test_every_flag_is_declared_once_and_is_not_one_of_beams():
    ours = [c for c in PipelineOptions.__subclasses__() if c.__module__.startswith('options.')]
    seen: dict[str, type] = {}
    for options in ours:
        for flag in flags_of(options):
            assert seen.setdefault(flag, options) is options
            assert flag[2:] not in beam_flags()
    assert '--input' in seen


@pytest.mark.parametrize('spec', find_pipelines(), ids=lambda s: s.name)
def test_help_is_one_screen_and_explains_every_flag(spec):
    text = own_parser(spec).format_help()
    assert len(text.splitlines()) <= 80
    assert max(map(len, text.splitlines())) <= 118
    for options in spec.options:
        for flag in flags_of(options):
            assert flag in text


@pytest.mark.parametrize('argv', [['--input-dir=a', '--output-dir=b'], ['--input_dir', 'a', '-o', 'b'],
                                  ['-i', 'a', '--output', 'b']])
def test_dashes_and_documented_aliases(argv):
    flags = parse(olmocr.SPEC, [*argv, '--max-size=512', '--image-format=jpeg', '--num-workers', '3']).flags
    assert (flags.input, flags.output, flags.max_size, flags.image_format, flags.num_workers) == ('a', 'b', 512, 'jpg', 3)


@pytest.mark.parametrize(('argv', 'words'), [
    (['--imput=a'], 'did you mean --input'), (['--max_siz=3'], 'did you mean --max_size'), (['--max=3'], '--max_'),
    (['stray'], "unexpected argument 'stray'"), (['--stage=test'], 'invalid choice'), (['--limit=-1'], 'at least 0'),
    (['--parallelism=2'], 'for --runner=FlinkRunner'), (['--xyzzy'], '--help lists'), (['--render=2'], 'unknown flag')])
def test_wrong_flags_are_errors_with_a_hint(argv, words):
    with pytest.raises(UsageError, match=words):
        parse(olmocr.SPEC, argv)


def test_beams_own_flags_pass():
    arguments = parse(olmocr.SPEC, ['--runner', 'FlinkRunner', '--flink_master=h:1', '--parallelism=2', '--streaming'])
    assert arguments.runner == 'FlinkRunner'
    assert '--flink_master=h:1' in arguments.beam


def test_num_workers_is_parallelism_on_flink_and_beams_own_on_dataflow():
    assert '--parallelism=3' in parse(olmocr.SPEC, ['--runner=FlinkRunner', '--num_workers=3']).beam
    assert '--num_workers=3' in parse(olmocr.SPEC, ['--runner=DataflowRunner', '--num_workers=3']).beam
    assert parse(olmocr.SPEC, ['--num_workers=3']).beam == []


def test_dry_run_is_plan_off_dataflow():
    assert parse(olmocr.SPEC, ['--dry-run']).flags.plan
    assert not parse(olmocr.SPEC, ['--runner=DataflowRunner', '--dry_run=True']).flags.plan


def test_options_that_decide_nothing_are_not_compared():
    limited = deciding_options(olmocr.SPEC, parse(olmocr.SPEC, ['--num_workers=3', '--verbose', '--output=x', '--force']).flags)
    assert limited == deciding_options(olmocr.SPEC, parse(olmocr.SPEC, []).flags)
    assert limited != deciding_options(olmocr.SPEC, parse(olmocr.SPEC, ['--max_size=99']).flags)


@pytest.mark.parametrize(('argv', 'words'), [
    (['--parallelism=2'], '--num_workers sets local parallelism'), (['--worker_ram=lots'], 'no amount of memory'),
    (['--resubmits=-1'], 'at least 0'), (['--runner=FlinkRunner', '--parallelism=0'], 'at least 1')])
def test_cluster_flags_that_do_not_fit(argv, words):
    with pytest.raises(UsageError, match=words):
        parse(olmocr.SPEC, argv)


def test_our_options_stay_out_of_what_a_runner_is_sent():
    sent = BeamOptions(flags=['--parallelism=3', '--runner=FlinkRunner']).get_all_options()
    assert sent['parallelism'] == 3
    assert not {'input', 'output', 'pages', 'prompt', 'seed'} & set(sent)


def test_resource_hints_come_from_the_flags():
    assert worker_hints(parse(olmocr.SPEC, ['--worker_ram=8GB']).flags) == {'min_ram': '8GB'}
    assert worker_hints(parse(olmocr.SPEC, []).flags) == {}
