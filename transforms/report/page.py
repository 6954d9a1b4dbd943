"""report.html: what a run did, to look at. One file, no network, no script; all that it shows is escaped by the templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from transforms.report.style import STYLE
from transforms.report.summary import UnitError, Views

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Histogram:
    """A column of the records table whose distribution is shown, over what was written or over all.

    Attributes:
        column: its name.
        title: with its unit.
        exact: whether its numbers are names, such as degrees, and not to be gathered by powers of two.
        read: whether it is over all that was read, whatever became of it.
    """

    column: str
    title: str
    exact: bool = False
    read: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page that a pipeline hands in.

    Attributes:
        package: of the template, which lies in its folder templates/.
        template: name of a jinja2 template, whose values are escaped.
        values: what the template needs, given the output folder, the views and run.json; None when there is nothing to show.
        first: whether it stands above all others, as a warning does.
    """

    package: str
    template: str
    values: Callable[[str, Views, Mapping[str, Any]], Mapping[str, Any] | None]
    first: bool = False

    def render(self, output: str, views: Views, run: Mapping[str, Any]) -> str:
        """The section as HTML, '' for none."""
        values = self.values(output, views, run)
        return '' if values is None else _environment(self.package).get_template(self.template).render(values)


@dataclass(frozen=True)
class Report:
    """What the report of a pipeline shows beside its accounts."""

    histograms: tuple[Histogram, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the histograms."""
        return tuple(histogram.column for histogram in self.histograms if not histogram.read)

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns of those over all that was read."""
        return tuple(histogram.column for histogram in self.histograms if histogram.read)

    @property
    def exact_columns(self) -> tuple[str, ...]:
        """Those whose numbers are names."""
        return tuple(histogram.column for histogram in self.histograms if histogram.exact)


@cache
def _environment(package: str) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader(package), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters['number'] = lambda value: f'{value:,}'
    return environment


def render_report(output: str, run: dict, unit_errors: Sequence[UnitError], views: Views, report: Report) -> str:
    """The page for a run.

    Args:
        output: output folder, for sections that show files of it.
        run: the content of run.json.
        unit_errors: what is wrong with whole units, the first few.
        views: of the outcomes.
        report: the pipeline's own histograms and sections.
    """
    minutes, seconds = divmod(run['seconds'], 60)
    total = run['totals']
    counts = {'read': total['read'], 'written': total['written'], 'dropped': sum(total['dropped'].values()),
              'failed': sum(total['failed'].values())}
    return _environment('transforms.report').get_template('report.html').render(
        run=run, style=STYLE, took=f'{int(minutes)} min {seconds:.0f} s' if minutes else f'{seconds:.1f} s', counts=counts,
        addresses=list(dict.fromkeys(source['source'] for source in run['sources'])), sources=list(_sources(run)),
        reasons=[(outcome, reason, count, views.examples.get(f'{outcome} {reason}', ())) for outcome in ('dropped', 'failed')
                 for reason, count in sorted(total[outcome].items(), key=lambda item: (-item[1], item[0]))],
        unit_errors=unit_errors, units=sum(run['failed_units'].values()), charts=list(_charts(views, report)),
        first=[section.render(output, views, run) for section in report.sections if section.first],
        sections=[section.render(output, views, run) for section in report.sections if not section.first])


def source_name(source: Mapping, several: bool) -> str:
    """What people call a source: its name, else subset and split where it has them, with its address where there are several."""
    if source.get('name'):
        return source['name']
    name = ' '.join(filter(None, (source['subset'], source['split'])))
    return ' '.join(filter(None, (source['source'], name))) if several or not name else name


def _sources(run: dict) -> Iterator[tuple]:
    several = len({source['source'] for source in run['sources']}) > 1
    for source in run['sources']:
        yield (source_name(source, several), source['read'], source['written'], sum(source['dropped'].values()),
               sum(source['failed'].values()))


def _charts(views: Views, report: Report) -> Iterator[tuple[str, list[tuple[str, int, str]]]]:
    """(title, [(label, count, width in percent)])."""
    for histogram in report.histograms:
        if counts := views.histograms.get(f'{histogram.column} read' if histogram.read else histogram.column):
            top = max(counts.values())
            yield histogram.title, [(label, n, f'{max(0.5, 100 * n / top):.1f}')
                                    for label, n in sorted(counts.items(), key=lambda item: _order(item[0]))]


def _order(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label.split(' ')[0].replace(',', '')), label
    except ValueError:
        return 1, 0.0, label
