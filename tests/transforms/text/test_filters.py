"""Filters: patterns in linear time, keywords as whole words, rules and their verdicts, languages, addresses."""

import json
import pickle
import random
import time

import pytest

from tests.conftest import shared
from transforms.text.build import MEASURES, QUALITY, FilterSettings, quality_rules
from transforms.text.config.model import CustomRule, Filtering
from transforms.text.document import Document
from transforms.text.filters import gopher
from transforms.text.filters.keywords import Keywords
from transforms.text.filters.language import detect
from transforms.text.filters.patterns import JunkPattern, compile_pattern, in_unicode, required_literal
from transforms.text.filters.rule import Condition, Filter, Rule
from transforms.text.filters.urls import read_url_list

CLEAN = 'Một đoạn văn bình thường, đủ dài để không bị coi là quá ngắn, nói về công việc hằng ngày của người dân ven sông và mùa nước nổi.'


@pytest.mark.parametrize(('pattern', 'found', 'not_found'), [
    (r'\bđặc\b', 'rất đặc.', 'rấtđặcx'), (r'(?i)\bđặc biệt', 'ĐẶC BIỆT', 'xđặc biệt'), (r'đăng\s*ký', 'đăng\u00a0ký', 'đăngxký'), (r'\w{3}', 'ắằẳ', 'ắ ằ ẳ'),
    (r'[\w.]+@', 'ắ.b@', ' @'), (r'\d+', '٣', 'x'), (r'\D', 'x', '12'), (r'[^]]z', 'az', ']z'), (r'[[]', '[', 'x'), (r'!{3,}', '!!!', '!!'),
    (r'(a|b)\b', 'xb.', 'xbc'), (r'\\b', '\\b', 'b')])
def test_patterns_mean_unicode(pattern, found, not_found):
    assert compile_pattern(pattern).search(found.encode()) and not compile_pattern(pattern).search(not_found.encode())


@pytest.mark.parametrize(('pattern', 'message'), [
    (r'a(?=b)', 'looks around'), (r'(?<!a)b', 'looks around'), (r'a{1,2000}', 'refused by RE2'), (r'(a)\1', 'refers back'), (r'x\by', 'in the middle'),
    (r'[\W]', 'within brackets'), (r'\bbuy|sell', 'alternatives'), ('[', 'not valid'), ('(', 'not valid'), ('a**', 'not valid')])
def test_patterns_that_are_refused(pattern, message):
    with pytest.raises(ValueError, match=message):
        compile_pattern(pattern)


@pytest.mark.parametrize(('pattern', 'text'), [
    ('(a+)+$', 'a' * 1_000_000 + 'b'), ('(x|xx|xxx)*y', 'x' * 1_000_000), ('(?i)(buy|click).*now.*!!+', 'buy ' * 250_000), ('(.*)*!', '.' * 1_000_000),
    (r'(\w+\s*)+:', 'word ' * 200_000)])
def test_catastrophic_patterns_take_linear_time(pattern, text):
    begun = time.process_time()
    JunkPattern((pattern,))(Document(text))
    assert time.process_time() - begun < 10


def test_every_built_in_measure_takes_linear_time():
    """Each is fed a megabyte of what is worst for it."""
    worst = ['a ' * 500_000, 'a' * 1_000_000, '\n' * 1_000_000, '- \n' * 330_000, '... ' * 250_000, '\n\n'.join(['a'] * 330_000), 'ab ' * 333_000,
             '•' * 500_000, ' '.join(map(str, range(150_000)))]
    for measure in MEASURES.values():
        for text in worst:
            begun = time.process_time()
            measure.of(Document(text))
            assert time.process_time() - begun < 15, (measure.name, text[:10])


@pytest.mark.parametrize(('pattern', 'literal'), [
    ('!!!!!+', '!!!!!'), (r'\$\$\$\$+', '$$$$'), (r'(?i)\b(buy|click) [^.\n]{0,40}now *!!+', '!!'), ('#{5,}', ''), ('[!?]{3,}', ''), ('a|!!', ''),
    ('!?!', '!'), ('!*-', '-'), ('(!!|x)--', '--'), (r'[\]!]!!', '!!'), (r'[^]!]--', '--'), ('x!!', '!!'), (r'\(\(', '(('), ('!!{2}!', '!'), ('!{0}', ''),
    (r'a\.b\.\.', '..'), ('(?s)!.!!', '!!'), ('!!?!!', '!!'), ('!+!', '!')])
def test_what_a_match_must_hold(pattern, literal):
    assert required_literal(pattern) == literal


def test_a_pattern_finds_the_same_with_and_without_its_literal():
    chance, pieces = random.Random(1), ['!', '!!', '$', '\\$', '#', 'a', 'now', ' ', '-', '.', '(a|!)', '(!!)', '[!$]', '[^!]', '+', '*', '?', '{2,}', '{0,1}']
    compiled = 0
    while compiled < 400:
        pattern = ''.join(chance.choices(pieces, k=chance.randint(1, 6)))
        try:
            own = compile_pattern(pattern)
        except ValueError:
            continue
        compiled += 1
        for _ in range(20):
            text = ''.join(chance.choices('!!$$#a-. now', k=chance.randint(0, 12)))
            assert bool(JunkPattern((pattern,))(Document(text))) == bool(own.search(text.encode())), (pattern, text)


def test_patterns_for_which_a_set_has_no_room():
    patterns = (r'\w{300}x', r'\d{300}y', r'[\w\s]{300}z', r'\w{299}q', r'\S{300}k')
    junk = JunkPattern(patterns)
    assert junk(Document('a' * 300 + 'x')) == patterns[0] and junk(Document('5' * 300 + 'y')) == patterns[1] and junk(Document('none')) == ''


def test_the_first_pattern_is_named():
    junk = pickle.loads(pickle.dumps(JunkPattern(('!!!!!+', r'\$\$\$+'))))
    assert [junk(Document(text)) for text in ('$$$ !!!!!', '$$$', 'clean!!')] == ['!!!!!+', r'\$\$\$+', '']


def test_keywords_are_whole_words():
    words = pickle.loads(pickle.dumps(Keywords(('miễn phí', 'winner', 'C++', 'spam'))))
    assert words.hits(Document('Miễn phí! Winners, WINNER; c++ x spam_filter antispam spam')) == ['miễn phí', 'winner', 'c++', 'spam']
    assert words.hits(Document('miễn phím winnerđ')) == []
    assert words.hits(Document('miễn phi\u0301')) == []  # NFD is another text: cleaning makes NFC of it
    assert Keywords(('winner', 'biệt'), whole_words=False).hits(Document('Winners đặcbiệt')) == ['winner', 'biệt']
    assert Keywords(()).hits(Document('x')) == [] and Keywords(('i',)).hits(Document('İ i')) == ['i']


def test_a_document_goes_with_two_keywords_or_many_hits():
    filtering = Filtering(exclude_keywords=('casino', 'viagra'), min_length=0)
    decide = FilterSettings(filtering).make().decide
    assert decide(Document('casino ' + 'word ' * 50)).reason == ''
    assert decide(Document('casino casino ' + 'word ' * 300)).reason == ''
    assert decide(Document('casino casino ' + 'word ' * 50)).reason == 'excluded_keyword'
    verdict = decide(Document('casino viagra ' + 'word ' * 3000))
    assert verdict.reason == 'excluded_keyword' and verdict.message == 'keywords casino, viagra' and verdict.values['keyword_kinds'] == 2


def test_the_first_rule_names_the_reason():
    decide = FilterSettings(Filtering(junk_patterns=('!!!!!+',), min_length=5, max_length=20)).make().decide
    for text, reason in (('!!!!', 'too_short'), ('a' * 21, 'too_long'), ('wow !!!!!', 'junk_pattern'), ('fifth', ''), ('b' * 20, '')):
        assert decide(Document(text)).reason == reason
    assert decide(Document('!!!!')).values == {'characters': 4}
    assert FilterSettings(Filtering(), measure_all=True).make().decide(Document('x')).values.keys() >= {'stop_words', 'language', 'words'}


def test_rules_go_by_language():
    """English thresholds never judge Vietnamese."""
    settings = FilterSettings(Filtering(quality='gopher', min_length=0))
    english = 'zx qv ' * 100
    assert settings.make().decide(Document(CLEAN)).reason == ''
    found = settings.make().decide(Document('The words of this text are the same. ' * 30))
    assert found.reason.startswith('gopher_') and found.values['language'] == 'en'
    assert settings.make('none').decide(Document(english)).reason == ''
    custom = FilterSettings(Filtering(min_length=0, rules=(CustomRule(measure='words', at_least=3, reason='few_words'),
                                                           CustomRule(measure='mean_word_length', at_most=9))))
    assert [custom.make().decide(Document(text)).reason for text in ('a b', 'a b c', 'x' * 10 + ' ' + 'y' * 10 + ' ' + 'z' * 10)] == \
        ['few_words', '', 'mean_word_length']
    assert 'few_words' in custom.reasons()


def test_names_that_there_are_not():
    with pytest.raises(ValueError, match='did you mean gopher'):
        quality_rules('goper')
    with pytest.raises(ValueError, match='did you mean words'):
        FilterSettings(Filtering(rules=(CustomRule(measure='wordss', at_least=1),))).make()
    with pytest.raises(ValueError, match='has no bounds'):
        FilterSettings(Filtering(rules=(CustomRule(measure='language', at_least=1),))).make()
    with pytest.raises(ValueError, match='a rule looks at x'):
        Filter([Rule('r', (Condition('x', '<', 1),))], [])
    with pytest.raises(ValueError, match='compare is'):
        Condition('x', '=', 1)


def test_languages():
    assert detect(CLEAN)[0] == 'vi' and detect('This is plain English prose about nothing at all.')[0] == 'en'
    bare = 'Hom nay troi dep qua, chung toi di choi cong vien voi ban be va an kem. Ngay mai chung toi se di hoc o truong dai hoc.'
    assert detect(bare) == ('vi', 1.0)
    assert detect('') == ('und', 0.0) and detect('\n \n') == ('und', 0.0)
    assert detect('The quick brown fox jumps over the lazy dog near the river bank.')[0] == 'en'
    keep = FilterSettings(Filtering(languages=('vi',), min_length=0)).make().decide
    assert keep(Document(CLEAN)).reason == '' and keep(Document('This is plain English prose.')).reason == 'language'


def test_address_lists():
    listed = read_url_list('# spam\nExample.com\nhttps://good.org/bad/\nwww.other.net  # too\n\n')
    for url, line in (('https://sub.example.com/x', 'example.com'), ('http://good.org/bad/page?x', 'good.org/bad'), ('good.org/fine', ''),
                      ('https://notexample.com', ''), ('https://other.net:80/', 'other.net'), ('http://[::1', ''), ('', ''), (7, '')):
        assert listed(Document('', metadata={'url': url})) == line


def test_gopher_against_datatrove():
    """Its own cases, with the thresholds that they name."""
    total = 0
    for line in (shared('peer_cases') / 'datatrove_filters.jsonl').open():
        case = json.loads(line)
        if case['op'] in ('GopherQualityFilter', 'GopherRepetitionFilter') and case.get('expected'):
            assert (not _gopher(case['input']['text'], case['params'])) == case['expected']['keep'], case['id']
            total += 1
    assert total >= 4


def _gopher(text, params):
    """The reason that rules with the case's own thresholds give."""
    names = {'min_doc_words': ('words', '<'), 'max_doc_words': ('words', '>'), 'min_avg_word_length': ('mean_word_length', '<'),
             'max_avg_word_length': ('mean_word_length', '>'), 'max_symbol_word_ratio': ('symbols_per_word', '>'),
             'max_bullet_lines_ratio': ('bullet_lines', '>'), 'max_ellipsis_lines_ratio': ('ellipsis_lines', '>'),
             'max_non_alpha_words_ratio': ('alphabetic_words', '<'), 'min_stop_words': ('stop_words', '<'),
             'dup_line_frac': ('duplicate_lines', '>'), 'dup_para_frac': ('duplicate_paragraphs', '>'),
             'dup_line_char_frac': ('duplicate_line_characters', '>'), 'dup_para_char_frac': ('duplicate_paragraph_characters', '>')}
    rules = [Rule(name, (Condition(names[name][0], names[name][1], value),)) for name, value in params.items() if name in names and value is not None]
    for size, value in params.get('top_n_grams') or ():
        rules.append(Rule('top', (Condition(f'top_{size}_gram', '>', value),)))
    for size, value in params.get('dup_n_grams') or ():
        rules.append(Rule('dup', (Condition(f'duplicate_{size}_grams', '>', value),)))
    return Filter(rules, (*gopher.MEASURES, MEASURES['words'])).decide(Document(text)).reason


def test_quality_tables_are_whole():
    for name, rules in QUALITY.items():
        assert all(condition.measure in MEASURES for rule in rules for condition in rule.drops_when), name
    assert in_unicode('plain') == 'plain'
