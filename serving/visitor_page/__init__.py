"""The visitor's own page: what is known of me, what I may change about it, my export, and how to be erased."""

from serving.visitor_page.routes import visitor_page_routes as visitor_page_routes
