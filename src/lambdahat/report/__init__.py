"""What a search found, for a person: a summary, and a page with pictures (which needs the ``report`` extra)."""

from lambdahat.report.page import check_writable, write_page
from lambdahat.report.pictures import Rows
from lambdahat.report.setting import Place, Setting
from lambdahat.report.summary import SearchReport, aligned, final_model, summarise
from lambdahat.report.terminal import print_summary

__all__ = [
    "Place",
    "Rows",
    "SearchReport",
    "Setting",
    "aligned",
    "check_writable",
    "final_model",
    "print_summary",
    "summarise",
    "write_page",
]
