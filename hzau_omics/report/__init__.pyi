from .content import (
    Picture as Picture,
    ReportContent as ReportContent,
    Section as Section,
    Table as Table,
)
from .html import write_report as write_report
