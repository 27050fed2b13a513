from .content import (
    Picture as Picture,
    ReportContent as ReportContent,
    Section as Section,
    Table as Table,
)
from .html import write_report as write_report
from .shortcut import report as report
