"""The routes of the API, one file for each subject."""

from starlette.convertors import register_url_convertor

from serving.routes.any_text import AnyTextConvertor

register_url_convertor("any_text", AnyTextConvertor())
