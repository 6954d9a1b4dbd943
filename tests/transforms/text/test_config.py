"""The YAML: mistakes with their line, keys that are not there with the one that is meant, anchors that multiply."""

import pytest

from options.text import CONFIGS, load_config
from transforms.text.config.model import parse_config
from transforms.text.config.yaml_file import ConfigError, read_yaml
from transforms.text_mix.discover import folders_of

BOMB = 'a: &a [x,x,x,x,x,x,x,x,x,x]\n' + ''.join(f'{two}: &{two} [{",".join([f"*{one}"] * 10)}]\n' for one, two in zip('abcdefg', 'bcdefgh', strict=True))


def parse(text):
    return parse_config(read_yaml('mix.yaml', text.encode() if isinstance(text, str) else text))


def test_documented_keys():
    config = parse("""\
datasets:
  - {name: a/b, description: x, text_field: text, split: train, streaming: true, weight: 0.37, categories: [web], verified: true, source: S}
  - {name: a/b, config: vie_Latn, weight: 0.003, note: n, subset: z}
  - {name: a/b, config: 2023}
  - {name: a/b, config: vie_Latn, quality: none, enabled: false}
filtering:
  min_length: 50
  keep_keywords:
  exclude_keywords: null
  junk_patterns: ['!!!!!+']
  language_confidence_threshold: 0.7
  deduplication: {enabled: true, similarity_threshold: 0.85}
""")
    assert folders_of(config.datasets) == ('a_b', 'a_b_vie_Latn', 'a_b_2023', 'a_b_vie_Latn_2')
    assert config.filtering.min_length == 50 and config.filtering.exclude_keywords == () and config.filtering.deduplication.enabled
    assert parse('datasets:\nfiltering:\n').filtering.max_length == 1_000_000


@pytest.mark.parametrize(('text', 'message'), [
    ('datasets:\n  - name: a\n    weigth: 1\n', r'mix\.yaml, line 3: unknown key weigth; did you mean weight\?'),
    ('filtering:\n\n  min_lenght: 5\n', r'line 3: unknown key min_lenght; did you mean min_length\?'),
    ('filter:\n  min_length: 5\n', r'line 1: unknown key filter; did you mean filtering\?'),
    ('filtering:\n  deduplication:\n    enable: yes\n', r'line 3: unknown key enable; did you mean enabled\?'),
    ('filtering:\n  min_length: abc\n', r'line 2: filtering\.min_length: .*valid integer'),
    ('filtering:\n  min_length: 9\n  max_length: 8\n', r'line 1: filtering: min_length 9 is more than max_length 8'),
    ('filtering:\n  junk_patterns:\n    - ok\n    - "a(?=b)"\n', r'line 2: filtering\.junk_patterns: the pattern .* looks around'),
    ('cleaning:\n  steps: -htm\n', r'line 2: cleaning\.steps: there is no cleaning step htm; did you mean html\?'),
    ('datasets:\n  - name: a\n    weight: -1\n', r'line 3: datasets\.0\.weight'), ('datasets:\n  - weight: 1\n', r'line 2: datasets\.0\.name: Field required'),
    ('a: [1\n', r'line 2: .*'), ('a: 1\na: 2\n', 'line 2: a is given twice'), ('- a\n', 'holds no mapping'), ('', 'holds no mapping'),
    ('x: !!python/object/apply:os.system ["true"]\n', 'unknown key x'), (BOMB, 'more than 200,000 values'), ('a: &a\n  b: *a\n', 'or 50 levels'),
    ('[' * 5000 + ']' * 5000, 'nested too deeply|or 50 levels'), (b'\xff\xfe', 'no UTF-8'), ('{<<: {a: 1}}', 'not supported'), ('? [a]\n: b\n', 'a key must be a text'),
    (b'a: ' + b'x' * (5 << 20), 'at most')])
def test_mistakes_are_named(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_configs(tmp_path):
    import os

    for name in os.listdir(CONFIGS):
        assert load_config(name).filtering.min_length
    (tmp_path / 'own.yaml').write_text('filtering: {min_length: 7}')
    assert load_config(str(tmp_path / 'own.yaml')).filtering.min_length == 7
    with pytest.raises(ConfigError, match='none of the shipped ones: text_clean.yaml'):
        load_config('text_claen.yaml')
