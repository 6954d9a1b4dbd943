"""HTML becomes text; whatever else holds `<` stays as it is."""

import random
import time

import pytest

from transforms.text.cleaning import html
from transforms.text.cleaning.html import HtmlTooDeep, decode_entities, html_to_text
from transforms.text.cleaning.html_quick import cut_tags, join_tags, quick_text, unescape
from transforms.text.cleaning.html_tags import find_html

UNTOUCHED = [
    '#include <x>', '#include <stdio.h>\nint main() { return a < b && c > d; }', 'a < b and c > d', 'if a<b and b>c then stop', 'a<b>c',
    '5 < 6 and 7 > 3', '0<p<1 and p>0', 'x <- 5; y <- 3; z<-x>y', 'for (i=0;i<n;i++) v[i]>>1;', 'if (i<s && s>q) return;', '<3 and >:(',
    'List<String> x = new ArrayList<>();', 'Map<String, List<Integer>> m;', 'std::map<i, b> m; std::vector<std::vector<int>> v;',
    'vector<Link> v; Array<Input> i; Foo<Object> o; List<Map> m; Vec<T>; Option<a>', 'Foo<Section> <Body>', 'Promise<void> and <K, V>',
    'template <class T> void f();', '<T extends Comparable<T>> T max()', 'fn f<T>(x: T) -> Option<T>', 'cat <<EOF > out\nEOF',
    'see <https://example.org/a> and <me@example.org>', 'for $i<p>x', '<<b>> guillemets', 'x<sub y and z>w',
    '<note><to>Tove</to><from>Jani</from><heading>Reminder</heading><body>Hi</body></note>',
    '<?xml version="1.0"?>\n<config><item name="a">1</item><item name="b">2</item></config>',
    '<book><title>On tables</title><table>oak</table><price>5</price></book>',
    'A tag such as `<div>` or `</p>` in Markdown, and `List<a>`', 'Use\n```html\n<div class="a">hello</div><p>x</p>\n```\nin your page.',
    '// <summary>\n// Does x\n// </summary>\nList<String> s; for(i=0;i<p;i++)', '/// <p>Doc</p>\npub fn f<T>() {}', ' * <b>x</b>\n * @return <p>y</p>\n int f();',
    'JSX: return <div className="x">{a}</div>;', 'return <ul onClick={f}><li>x</li></ul>',
    '~~~\n<b>bold</b>\n~~~\n', 'tcsh\n   <Unix, operating system> A shell\n   <hardware> by somebody', '', '<', '<>', '< p >',
]
SHOWN = [
    ('<p>Hello <b>world</b></p><p>second &amp; third</p>', 'Hello world\n\nsecond & third'),
    ('Hello<br>world<BR/>again', 'Hello\nworld\nagain'),
    ('<div>5 < 6 and 7 > 3, List<String> #include <x></div>', '5 < 6 and 7 > 3, List<String> #include <x>'),
    ('<ul><li>a<li>b</ul>', 'a\nb'),
    ('<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>', 'a\tb\nc'),
    ('<pre>  def f():\n    return 1\n</pre>\n<p>text\nwrapped</p>', '  def f():\n    return 1\n\ntext wrapped'),
    ('<script>if (a<b) document.write("<p>x</p>")</script><style>p{}</style><p>t</p>', 't'),
    ('plain <b>bold</b> text\nnext line', 'plain bold text\nnext line'),
    ('<a href="x>y" title=\'<b>\'>link</a> t', 'link t'),
    ('<!DOCTYPE html><html><head><title>T</title></head><body>B</body></html>', 'B'),
    ('<p>&lt;div&gt; is a tag</p>', '<div> is a tag'), ('<p>&amp;lt; stays escaped once</p>', '&lt; stays escaped once'),
    ('<p>one\n\ntwo</p>', 'one\n\ntwo'), ('<P>UPPER<P>CASE', 'UPPER\n\nCASE'), ('<!-- c --><p>x<!-- <p>y</p> --></p>', 'x'),
    ('<h1>Head</h1>Body', 'Head\n\nBody'), ('<span class=n>x</span><span class=o>=</span>', 'x='), ('<p>a</p>\n<p>b</p>', 'a\n\nb'),
    ('<p>cut <a href="http', 'cut'), ('tail of a page</div></body></html><p>next</p>', 'tail of a page\n\nnext'),
    ('<section><main><table><tr><td>of a page that was cut</td>', 'of a page that was cut'),
    ('<p>caf&eacute; &#8211; na&#xEF;ve&nbsp;x</p>', 'café – naïve\xa0x'), ('<textarea><b>raw</b></textarea><p>x</p>', '<b>raw</b>\n\nx'),
    ('<p>a<title>of a page that was cut</title>b</p>', 'aof a page that was cutb'), ('<noscript><style>x</style>on</noscript><p>y</p>', 'y'),
    ('<p>one <img alt="a > b" /> two</p>', 'one two'), ('<p>a</p><input value="x>y" disabled>b', 'a\n\nb'),
    ('<p>a</p><div onclick="if(a>b){c()}" id=x>text</div>', 'a\n\ntext'), ('<p>a > b and "c > d"</p>', 'a > b and "c > d"'),
    ('<p>Intro</p><script>document.write("<!--")</script><p>text</p><!-- c --><p>more</p>', 'Intro\n\ntext\n\nmore'),
    ('<style>/* <!-- */</style><p>a</p><!-- c -->', 'a'), ('<div data-x="<!--">A</div><p>mid</p><!-- c --><p>more</p>', 'A\n\nmid\n\nmore'),
    ('<p>a</p><!-- x --!>shown<p>b</p><!-- y -->', 'a\n\nshown\n\nb'), ('<p>a</p><!--><p>b</p><!-- <script> --><p>c</p>', 'a\n\nb\n\nc'),
    ('<head><script>"</head>"</script><title>t</title></head><p>a</p>', 'a'), ('<table><tr><td>a<td>b<tr><td>c<td>d</table>', 'a\tb\nc\td'),
    ('<table><tr><th>a</th><th>b</th></tr></table>', 'a\tb'), ('<p>Markdown `<br>` in HTML</p>', 'Markdown `<br>` in HTML'), ('<my-card>custom <b>element</b></my-card>', 'custom element'),
]


@pytest.mark.parametrize('text', UNTOUCHED)
def test_what_is_no_html_stays(text):
    assert html_to_text(text) == text


@pytest.mark.parametrize(('source', 'shown'), SHOWN)
def test_html_is_shown(source, shown):
    text = html_to_text(source)
    assert text.strip() == shown.strip() and text.rstrip() == text.rstrip(' ')


@pytest.mark.parametrize('code', [text for text in UNTOUCHED[:22] if text.strip()])
def test_code_within_html_stays(code):
    assert ' '.join(html_to_text(f'<div class="a"><p>See: {code}</p></div>').split()) == ' '.join(f'See: {code}'.split())


def test_entities():
    assert decode_entities('if (a &amp;&amp; b) &lt;x&gt; caf&eacute; &#65;') == 'if (a && b) <x> café A'
    for text in ('AT&T &copy 2020', '?a=1&copy=2&lt', '<p>a &amp; b</p>', '&unknown; &amp'):
        assert decode_entities(text) == text
    assert decode_entities('&amp;lt;') == '&lt;'


def test_frequent_entities_are_those_of_the_library():
    import html as library

    chance = random.Random(3)
    pieces = ['&lt;', '&gt;', '&quot;', '&nbsp;', '&#39;', '&amp;', '&', 'lt;', 'amp;', '#39;', '&copy', '&eacute;', '&#x41;', '&nbsp', ' ', 'x', ';', '&amp;lt;']
    for _ in range(5_000):
        text = ''.join(chance.choices(pieces, k=chance.randint(1, 12)))
        assert unescape(text) == library.unescape(text), text


@pytest.mark.parametrize('tag', ['div', 'b', 'span', 'table', 'ul'])
def test_deep_html_is_refused_in_time(tag):
    begun = time.process_time()
    text = f'<{tag}>' * 100_000 + 'x' + f'</{tag}>' * 100_000
    try:
        assert html_to_text(text).strip() == 'x'
    except HtmlTooDeep as error:
        assert 'deep' in str(error)
    assert time.process_time() - begun < 5
    with pytest.raises(HtmlTooDeep):
        html.parsed_text(text)


WORDS = ['<p>', '</p>', '<p class="a b">', '<b>', '</b>', '<br>', '<br/>', '<td>', '</td>', '<tr>', '</tr>', '<table>', '</table>', '<li>', '</li>',
         '<ul>', '</ul>', '<a href="x?a=1&amp;b=2">', '</a>', '<i>', '</i>', '&amp;', '&lt;', '&nbsp;', '&copy', '&#65;', 'text', 'từ', '5 < 6', ' ', '\n',
         '<div>', '</div>', '<h1>', '</h1>', '<img src="a.png">', '<span style="color:red">', '</span>', '<!-- c -->', '<script>x</script>', '&']


def test_the_short_way_gives_what_the_parser_gives(monkeypatch):
    """Over generated documents; a parser moves what no table may hold out of it."""
    took = []

    def both(source):
        short, parsed = join_tags(cut_tags(source), source), html.parsed_text(html._marked(source))
        if short is not None:
            one, two = ''.join(short.split()), ''.join(parsed.split())
            took.append(sorted(one) == sorted(two) if '<table' in source else short.split() == parsed.split())
        return parsed

    monkeypatch.setattr(html, '_text_of', both)
    monkeypatch.setattr(html, 'quick_text', lambda text: None)
    chance = random.Random(5)
    for _ in range(3_000):
        find_html.cache_clear()
        html_to_text(''.join(chance.choices(WORDS, k=chance.randint(2, 30))))
    assert len(took) > 1_000 and all(took)


def test_the_quick_way_gives_what_the_long_way_gives(monkeypatch):
    """Over generated documents, also such as are cut, unclosed, or no HTML at all."""
    chance = random.Random(7)
    words = [*WORDS * 2, '<PRE>', '</PRE>', '<pre class=x>', '</pre>', '<Td>', '</TD\n>', '\n\n', '\n \t\n', '  ', '\r\n', '<head>', '</head>', '<svg>', '<T>',
             '<a', "<a title='x>y'>", '<a title="b">c">', '</ul>', '<img>', '<STYLE>s</STYLE>', '<template>', '</template>', '<!-- <p>', '-->', '<textarea>']
    documents = [''.join(chance.choices(words, k=chance.randint(1, 14))) for _ in range(20_000)]
    quick = [quick_text(document) for document in documents]
    monkeypatch.setattr(html, 'quick_text', lambda text: None)
    took = [(document, text, html_to_text(document)) for document, text in zip(documents, quick, strict=True) if text is not None]
    assert len(took) > 1_500
    for document, text, other in took:
        assert text == other, document


def test_the_order_of_names_in_a_set_changes_nothing():
    """Each process has its own."""
    import subprocess
    import sys

    source = ''.join(WORDS) + '<head><title>t</title><style>p{}</style></head><noscript><script>x</script>n</noscript><template><p>x</p></template>' * 3
    code = f'from transforms.text.cleaning.html import html_to_text; print(ascii(html_to_text({source!r})))'
    shown = {subprocess.run([sys.executable, '-c', code], env={'PYTHONHASHSEED': str(seed), 'PATH': ''}, capture_output=True, text=True,
                            check=True).stdout for seed in range(8)}
    assert len(shown) == 1
