"""Reports as self-contained HTML pages with inline charts, for browsers, notebooks and paper (extra ``report``)."""

from ramify.report.charts import Mark, Series, bars, histogram, line_chart
from ramify.report.evaluation import evaluation_report
from ramify.report.page import Figure, Fragment, Page, Section, Tiles
from ramify.report.scales import Axis

__all__ = [
    "Axis",
    "Figure",
    "Fragment",
    "Mark",
    "Page",
    "Section",
    "Series",
    "Tiles",
    "bars",
    "evaluation_report",
    "histogram",
    "line_chart",
]
